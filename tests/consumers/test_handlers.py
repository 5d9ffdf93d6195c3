"""What the handlers make of an event: values in, values out."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from consumers.routes import ROUTES
from events.catalog import CATALOG, envelope_of
from events.envelope import CloudEvent
from events.legacy import LEGACY
from notifications.request import DirectoryChange, NotificationRequest, Recipient

TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
ANN = {"role": "requester", "user_id": "u1", "email": "ann@example.com", "name": "Ann", "locale": "de"}
BOB = {"role": "assignee", "user_id": "u2", "name": "Bob", "timezone": "Europe/Berlin"}
INVOICE = {"invoice_id": "7", "invoice_number": "R-7", "amount": "1234.5", "currency": "EUR"}


def handled(event_type: str, data: dict[str, Any]) -> list[Any]:
    envelope: type[CloudEvent[Any]] = envelope_of(CATALOG[event_type].model)
    event = envelope.model_validate({"id": "1", "source": "/s", "type": event_type, "tenantid": TENANT, "data": data})
    return list(ROUTES[event_type](event))


def test_every_known_event_has_a_handler_and_every_handler_an_event() -> None:
    assert ROUTES.keys() == CATALOG.keys()


def test_every_legacy_name_leads_to_a_known_event() -> None:
    assert {legacy.type for legacy in LEGACY.values()} <= CATALOG.keys()


def test_everybody_an_invoice_concerns_is_told_that_it_was_issued() -> None:
    ann, bob = handled(
        "invoice.issued.v1",
        INVOICE
        | {
            "due_date": "2026-12-31",
            "client_name": "Acme",
            "url": "https://psa.example/i/7",
            "actor_user_id": "u9",
            "people": [ANN, ANN, BOB],
        },
    )

    assert ann == NotificationRequest(
        subtype="invoice-issued",
        recipient=Recipient(user_id="u1", email="ann@example.com", name="Ann", locale="de"),
        actor_id="u9",
        data={
            "invoice": {
                "id": "7",
                "number": "R-7",
                "amount": "1234.50",
                "currency": "EUR",
                "due_date": "2026-12-31",
                "url": "https://psa.example/i/7",
                "client_name": "Acme",
            },
            "recipient": {"name": "Ann"},
        },
    )
    assert bob.data["recipient"] == {"name": "Bob"}


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234.50", "EUR", "1234.50"),
        ("1234.5", "EUR", "1234.50"),
        (1234.5, "EUR", "1234.50"),
        (1234, "EUR", "1234.00"),
        ("0.0005", "EUR", "0.0005"),
        ("-5", "USD", "-5.00"),
        ("1200", "JPY", "1200"),
        ("99999999999999.9999", "EUR", "99999999999999.9999"),
        ("1.250", "KWD", "1.250"),
    ],
)
def test_amounts_are_written_with_the_digits_of_their_currency(amount: Any, currency: str, text: str) -> None:
    [request] = handled("invoice.issued.v1", INVOICE | {"amount": amount, "currency": currency, "people": [ANN]})

    assert request.data["invoice"]["amount"] == text


def test_what_an_invoice_leaves_out_is_there_as_none() -> None:
    [request] = handled("invoice.issued.v1", INVOICE | {"people": [ANN]})

    assert [request.data["invoice"][name] for name in ("due_date", "url", "client_name")] == [None, None, None]


def test_a_verification_link_goes_to_the_address_it_verifies() -> None:
    [request] = handled(
        "user.verification_requested.v1",
        {
            "user_id": "u1",
            "email": "ann@example.com",
            "name": "Ann",
            "verification_url": "https://psa.example/v?t=1",
            "expires_at": "2026-11-25T04:00:00+02:00",
            "locale": "de",
        },
    )

    assert request == NotificationRequest(
        subtype="user-verification",
        recipient=Recipient(user_id="u1", email="ann@example.com", name="Ann", locale="de"),
        data={
            "verification": {"url": "https://psa.example/v?t=1", "expires_at": "2026-11-25T02:00:00+00:00"},
            "recipient": {"name": "Ann"},
        },
    )


def test_a_verified_user_is_told_and_remembered_as_verified() -> None:
    request, change = handled("user.verified.v1", {"user_id": "u1", "email": "ann@example.com"})

    assert request == NotificationRequest(
        subtype="user-verified",
        recipient=Recipient(user_id="u1", email="ann@example.com"),
        data={"recipient": {"name": None, "email": "ann@example.com"}},
    )
    assert change == DirectoryChange(
        kind="user_upsert",
        values={
            "user_id": "u1",
            "email": "ann@example.com",
            "name": None,
            "locale": None,
            "timezone": None,
            "email_verified": True,
        },
    )


@pytest.mark.parametrize(
    ("event_type", "data", "change"),
    [
        (
            "tenant.registered.v1",
            {"name": "Acme", "slug": "acme"},
            DirectoryChange(kind="tenant_register", values={"name": "Acme", "slug": "acme", "is_active": True}),
        ),
        (
            "tenant.updated.v1",
            {"slug": "acme"},
            DirectoryChange(kind="tenant_update", values={"name": None, "slug": "acme"}),
        ),
        ("tenant.suspended.v1", {"reason": "unpaid"}, DirectoryChange(kind="tenant_suspend")),
        (
            "user.updated.v1",
            {"user_id": "u1", "name": "Ann"},
            DirectoryChange(
                kind="user_upsert",
                values={
                    "user_id": "u1",
                    "email": None,
                    "name": "Ann",
                    "locale": None,
                    "timezone": None,
                    "email_verified": None,
                },
            ),
        ),
        ("user.deleted.v1", {"user_id": "u1"}, DirectoryChange(kind="user_delete", values={"user_id": "u1"})),
    ],
)
def test_directory_events_are_changes_of_the_directory(
    event_type: str, data: dict[str, Any], change: DirectoryChange
) -> None:
    assert handled(event_type, data) == [change]


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        (
            "ticket.updated.v1",
            {"ticket_id": "42", "title": "t", "changes": {"a": {"new": [1, {"b": 2.5}]}}, "people": [ANN]},
        ),
        ("invoice.issued.v1", INVOICE | {"due_date": "2026-12-31", "people": [ANN]}),
        (
            "user.verification_requested.v1",
            {
                "user_id": "u1",
                "email": "ann@example.com",
                "verification_url": "https://psa.example/v",
                "expires_at": "2026-11-25T02:00:00Z",
            },
        ),
        ("user.verified.v1", {"user_id": "u1", "email": "ann@example.com"}),
    ],
)
def test_a_template_gets_plain_values_under_the_subtype_of_the_catalogue(event_type: str, data: dict[str, Any]) -> None:
    request = handled(event_type, data)[0]

    assert request.subtype == CATALOG[event_type].subtype
    assert json.loads(json.dumps(request.data)) == request.data
