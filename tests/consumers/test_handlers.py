"""What the handlers make of an event: values in, values out."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.routes import ROUTES
from notifications.request import DirectoryChange, NotificationRequest, Recipient
from tests.events.samples import event_of

ANN = {"role": "requester", "user_id": "u1", "email": "ann@example.com", "name": "Ann", "locale": "de"}
BOB = {"role": "assignee", "user_id": "u2", "name": "Bob", "timezone": "Europe/Berlin"}
INVOICE = {"invoice_id": "7", "invoice_number": "R-7", "amount": "1234.5", "currency": "EUR"}


def handled(event_type: str, data: dict[str, Any]) -> list[Any]:
    return list(ROUTES[event_type](event_of(event_type, data)))


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


def test_an_overdue_invoice_says_what_is_still_to_be_paid_and_since_when() -> None:
    [request] = handled(
        "invoice.overdue.v1",
        {"invoice_id": "7", "amount": "12", "currency": "EUR", "due_date": "2026-11-01", "days_overdue": 24}
        | {"people": [ANN]},
    )

    assert (request.subtype, request.actor_id) == ("invoice-overdue", None)
    assert request.data["invoice"] == {
        "id": "7",
        "number": None,
        "amount": "12.00",
        "currency": "EUR",
        "due_date": "2026-11-01",
        "days_overdue": 24,
        "url": None,
        "client_name": None,
    }


def test_a_paid_invoice_says_what_was_paid_and_when() -> None:
    [request] = handled(
        "invoice.paid.v1",
        INVOICE | {"payment_id": "p-1", "paid_at": "2026-11-25T04:00:00+02:00", "people": [ANN]},
    )

    assert request.subtype == "invoice-paid"
    assert request.data["invoice"] == {
        "id": "7",
        "number": "R-7",
        "amount": "1234.50",
        "currency": "EUR",
        "paid_at": "2026-11-25T02:00:00+00:00",
        "payment_id": "p-1",
        "url": None,
        "client_name": None,
    }


@pytest.mark.parametrize("event_type", ["invoice.issued.v1", "invoice.overdue.v1", "invoice.paid.v1"])
def test_whoever_sent_an_invoice_hears_of_it_only_where_the_event_asks_for_it(event_type: str) -> None:
    data = INVOICE | {"people": [ANN], "actor_user_id": "u1"}

    assert [request.actor_id for request in handled(event_type, data)] == ["u1"]
    assert [request.actor_id for request in handled(event_type, data | {"notify_actor": True})] == [None]


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


def test_a_new_password_is_set_by_a_link_to_the_accounts_address() -> None:
    [request] = handled(
        "user.password_reset_requested.v1",
        {"user_id": "u1", "email": "ann@example.com", "reset_url": "https://psa.example/r?t=1"},
    )

    assert request == NotificationRequest(
        subtype="password-reset",
        recipient=Recipient(user_id="u1", email="ann@example.com"),
        data={
            "reset": {"url": "https://psa.example/r?t=1", "expires_at": None},
            "recipient": {"name": None, "email": "ann@example.com"},
        },
    )


def test_an_invitation_goes_to_somebody_who_is_no_user_yet_and_changes_no_directory() -> None:
    effects = handled(
        "user.invited.v1",
        {
            "email": "eve@example.com",
            "invitation_url": "https://psa.example/i?t=1",
            "expires_at": "2026-12-01T00:00:00Z",
            "inviter_name": "Ann",
        },
    )

    assert effects == [
        NotificationRequest(
            subtype="user-invitation",
            recipient=Recipient(email="eve@example.com"),
            data={
                "invitation": {"url": "https://psa.example/i?t=1", "expires_at": "2026-12-01T00:00:00+00:00"},
                "inviter": {"name": "Ann"},
                "recipient": {"name": None, "email": "eve@example.com"},
            },
        )
    ]


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
