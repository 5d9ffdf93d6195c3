"""The three forms of an entry, and what they have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from events.ticket import TicketUpdated
from events.wire import decode, encode
from tests.events.entries import TENANT, TRACEPARENT, binary, legacy, structured


def test_structured_mode_is_read(ticket: dict[str, Any]) -> None:
    event = decode(structured(ticket))

    assert event.tenantid == TENANT
    assert event.time == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert event.traceparent == TRACEPARENT
    assert isinstance(event.data, TicketUpdated)
    assert event.data.people[0].email == "ann@example.com"


def test_binary_mode_yields_the_same_event_as_structured_mode(ticket: dict[str, Any]) -> None:
    assert decode(binary(ticket)) == decode(structured(ticket))


def test_binary_mode_needs_no_specversion(ticket: dict[str, Any]) -> None:
    del ticket["specversion"]

    assert decode(binary(ticket)).specversion == "1.0"


def test_the_hand_typed_binary_entry_of_the_manual_is_read() -> None:
    event = decode(
        {
            b"ce_id": b"1",
            b"ce_source": b"/shell",
            b"ce_type": b"ticket.updated.v1",
            b"ce_tenantid": str(TENANT).encode(),
            b"data": b'{"ticketId": "42", "title": "Printer on fire"}',
        }
    )

    assert (event.id, event.source, event.data.title) == ("1", "/shell", "Printer on fire")


def test_the_payload_of_binary_mode_is_the_field_data(ticket: dict[str, Any]) -> None:
    assert decode(binary(ticket) | {b"ce_data": b"other"}).data.ticket_id == "42"


def test_the_legacy_form_yields_the_same_event_as_structured_mode(ticket: dict[str, Any]) -> None:
    payload = {
        "tenantId": str(TENANT),
        "ticketId": "42",
        "ticketNumber": "T-42",
        "title": "Printer on fire",
        "changes": {"status": {"previous": "open", "new": "closed"}},
        "people": [{"role": "requester", "userId": "u1", "email": "ann@example.com", "name": "Ann"}],
    }
    del ticket["traceparent"]

    assert decode(legacy("TICKET_UPDATED", payload)) == decode(structured(ticket | {"source": "/legacy"}))


def test_a_real_legacy_ticket_borrows_its_title_from_the_id_and_its_actor_from_the_updater() -> None:
    event = decode(legacy("TICKET_UPDATED", {"tenantId": str(TENANT), "ticketId": "42", "updatedByUserId": "u9"}))

    assert (event.data.title, event.data.actor_user_id, event.data.people) == ("42", "u9", ())


@pytest.mark.parametrize("name", ["INVOICE_FINALIZED", "INVOICE_ISSUED"])
def test_a_legacy_invoice_is_an_issued_one(name: str) -> None:
    payload = {
        "tenantId": str(TENANT),
        "invoiceId": "7",
        "invoiceNumber": "R-7",
        "totalAmount": "1234.50",
        "currency": "EUR",
    }

    event = decode(legacy(name, payload))

    assert (event.type, event.subject, str(event.data.amount)) == ("invoice.issued.v1", "invoice/7", "1234.50")


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("TICKET_CREATED", {"createdByUserId": "u9"}, "ticket.created.v1"),
        ("TICKET_UPDATED", {"updatedByUserId": "u9"}, "ticket.updated.v1"),
        ("TICKET_CLOSED", {"closedByUserId": "u9", "reason": "done"}, "ticket.closed.v1"),
        ("TICKET_ASSIGNED", {"assignedByUserId": "u9", "newAssigneeId": "u2"}, "ticket.assigned.v1"),
        (
            "TICKET_COMMENT_ADDED",
            {"userId": "u9", "comment": {"id": "c", "content": "x", "author": "A", "isInternal": True}},
            "ticket.comment_added.v1",
        ),
        ("TICKET_CLOSED", {"actorContactId": "u9"}, "ticket.closed.v1"),
        ("TICKET_CLOSED", {"actorUserId": "u9", "closedByUserId": "u1"}, "ticket.closed.v1"),
    ],
)
def test_a_legacy_ticket_event_names_its_actor_in_its_own_way(
    name: str, payload: dict[str, Any], expected: str
) -> None:
    event = decode(legacy(name, payload | {"tenantId": str(TENANT), "ticketId": "42"}))

    assert (event.type, event.subject, event.data.actor_user_id) == (expected, "ticket/42", "u9")


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("INVOICE_OVERDUE", {"amountDue": "12.50", "dueDate": "2026-11-01", "daysOverdue": 24}, "invoice.overdue.v1"),
        ("PAYMENT_APPLIED", {"paymentId": "p", "amount": "12.50"}, "invoice.paid.v1"),
        ("INVOICE_PAID", {"amount": "12.50"}, "invoice.paid.v1"),
    ],
)
def test_a_legacy_invoice_event_names_its_amount_in_its_own_way(
    name: str, payload: dict[str, Any], expected: str
) -> None:
    event = decode(legacy(name, payload | {"tenantId": str(TENANT), "invoiceId": "7", "currency": "EUR"}))

    assert (event.type, event.subject, str(event.data.amount)) == (expected, "invoice/7", "12.50")


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        (
            "USER_PASSWORD_RESET_REQUESTED",
            {"userId": "u1", "email": "a@example.com", "resetUrl": "https://a.example/r"},
            "user.password_reset_requested.v1",
        ),
        ("USER_INVITED", {"email": "a@example.com", "invitationUrl": "https://a.example/i"}, "user.invited.v1"),
        (
            "USER_VERIFICATION_REQUESTED",
            {"userId": "u1", "email": "a@example.com", "verificationUrl": "https://a.example/v"},
            "user.verification_requested.v1",
        ),
        ("USER_VERIFIED", {"userId": "u1", "email": "a@example.com"}, "user.verified.v1"),
        ("USER_UPDATED", {"userId": "u1"}, "user.updated.v1"),
        ("USER_DELETED", {"userId": "u1"}, "user.deleted.v1"),
        ("TENANT_REGISTERED", {"name": "Acme"}, "tenant.registered.v1"),
        ("TENANT_UPDATED", {"slug": "acme"}, "tenant.updated.v1"),
        ("TENANT_SUSPENDED", {}, "tenant.suspended.v1"),
    ],
)
def test_our_own_events_go_by_their_upper_case_names_in_the_legacy_form(
    name: str, payload: dict[str, Any], expected: str
) -> None:
    assert decode(legacy(name, payload | {"tenantId": str(TENANT)})).type == expected


def test_camel_case_and_snake_case_are_the_same(ticket: dict[str, Any]) -> None:
    snake = decode(structured(ticket))
    ticket["data"] |= {
        "ticketId": ticket["data"].pop("ticket_id"),
        "ticketNumber": ticket["data"].pop("ticket_number"),
        "people": [{"role": "requester", "userId": "u1", "email": "ann@example.com", "name": "Ann"}],
    }

    assert decode(structured(ticket)) == snake


def test_a_reverse_dns_prefix_is_stripped_from_the_type(ticket: dict[str, Any]) -> None:
    assert decode(structured(ticket | {"type": "com.acme.psa.ticket.updated.v1"})).type == "ticket.updated.v1"


def test_unknown_attributes_are_kept_and_unknown_data_is_ignored(ticket: dict[str, Any]) -> None:
    ticket["data"]["colour"] = "red"

    event = decode(structured(ticket | {"pubsubname": "redis", "key": "mine", "__class__": "x", "model_dump": "y"}))

    assert event.model_extra == {"pubsubname": "redis", "key": "mine", "__class__": "x", "model_dump": "y"}
    assert event.key == f"{TENANT}/ticket/42"
    assert not hasattr(event.data, "colour")


@pytest.mark.parametrize("key", ["tenantId", "tenant_id"])
def test_an_envelope_without_tenant_takes_it_from_the_data(ticket: dict[str, Any], key: str) -> None:
    del ticket["tenantid"]
    ticket["data"][key] = str(TENANT)

    assert decode(structured(ticket)).tenantid == TENANT


@pytest.mark.parametrize(
    "traceparent", ["", "nonsense", TRACEPARENT.upper(), "00-" + "0" * 32 + "-00f067aa0ba902b7-01", 5]
)
def test_a_malformed_traceparent_costs_the_trace_and_not_the_event(ticket: dict[str, Any], traceparent: Any) -> None:
    assert decode(structured(ticket | {"traceparent": traceparent})).traceparent is None


def test_an_encoded_event_is_one_field_and_reads_back(ticket: dict[str, Any]) -> None:
    fields = encode(ticket | {"tenantid": TENANT, "time": datetime(2026, 11, 24, 2, tzinfo=UTC)})

    assert fields.keys() == {"data"}
    assert decode({b"data": fields["data"].encode()}) == decode(structured(ticket))
