"""Every event that leads to mail, once with all it can say and once with what it must say."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from events.catalog import CATALOG, envelope_of
from events.envelope import CloudEvent

TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
PEOPLE = [
    {"role": "assignee", "user_id": "u-ben", "email": "ben@acme.example", "name": "Ben", "timezone": "Europe/Berlin"},
    {"role": "watcher_internal", "user_id": "u-ada", "email": "ada@acme.example", "name": "Ada"},
    {"role": "requester", "user_id": "u-cleo", "email": "cleo@client.example", "name": "Cleo", "locale": "de"},
]
_BARE_PEOPLE = [{"role": "agent", "user_id": "u-ben"}, {"role": "contact", "user_id": "u-cleo"}]
_TICKET = {
    "ticket_id": "42",
    "ticket_number": "T-42",
    "title": "Printer on fire",
    "status": "in_progress",
    "priority": "high",
    "url": "https://psa.example.com/tickets/42?a=1&b=2",
    "actor_user_id": "u-ada",
    "actor_name": "Ada",
    "people": PEOPLE,
}
_BARE_TICKET = {"ticket_id": "42", "title": "Printer on fire", "people": _BARE_PEOPLE}
_INVOICE = {
    "invoice_id": "7",
    "invoice_number": "INV-7",
    "amount": "1234.50",
    "currency": "EUR",
    "client_name": "Globex",
    "url": "https://psa.example.com/invoices/7",
    "actor_user_id": "u-ada",
    "people": PEOPLE[2:],
}
_BARE_INVOICE = {"invoice_id": "7", "amount": "10", "currency": "JPY", "people": _BARE_PEOPLE}
_USER = {
    "user_id": "u-cleo",
    "email": "cleo@client.example",
    "name": "Cleo",
    "locale": "de",
    "timezone": "Europe/Berlin",
}
_BARE_USER = {"user_id": "u-cleo", "email": "cleo@client.example"}
_TIME = "2026-11-25T12:00:00+02:00"

FULL: dict[str, dict[str, Any]] = {
    "ticket.created.v1": _TICKET
    | {"description": "It burns.\n\nPlease hurry.", "client_name": "Globex", "created_at": _TIME},
    "ticket.updated.v1": _TICKET | {"changes": {"status": {"previous": "open", "new": "in_progress"}}},
    "ticket.closed.v1": _TICKET | {"reason": "Put out.", "closed_at": _TIME},
    "ticket.assigned.v1": _TICKET
    | {
        "new_assignee_id": "u-ben",
        "new_assignee_type": "user",
        "new_assignee_name": "Ben",
        "previous_assignee_id": "u-dan",
        "assigned_at": _TIME,
    },
    "ticket.comment_added.v1": _TICKET
    | {
        "comment": {
            "id": "c-1",
            "content": "On my way.\nKeep the door closed.",
            "author": "Ada",
            "is_internal": False,
            "author_type": "internal",
        }
    },
    "invoice.issued.v1": _INVOICE | {"due_date": "2026-12-01"},
    "invoice.overdue.v1": _INVOICE | {"due_date": "2026-12-01", "days_overdue": 3},
    "invoice.paid.v1": _INVOICE | {"payment_id": "p-9", "paid_at": _TIME},
    "user.verification_requested.v1": _USER
    | {"verification_url": "https://psa.example.com/verify?t=abc&u=1", "expires_at": _TIME},
    "user.verified.v1": _USER,
    "user.password_reset_requested.v1": _USER
    | {"reset_url": "https://psa.example.com/reset?t=abc&u=1", "expires_at": _TIME},
    "user.invited.v1": _USER
    | {"invitation_url": "https://psa.example.com/join?t=abc&u=1", "expires_at": _TIME, "inviter_name": "Ada"},
}

BARE: dict[str, dict[str, Any]] = {
    "ticket.created.v1": _BARE_TICKET,
    "ticket.updated.v1": _BARE_TICKET,
    "ticket.closed.v1": _BARE_TICKET,
    "ticket.assigned.v1": _BARE_TICKET,
    "ticket.comment_added.v1": _BARE_TICKET | {"comment": {"id": "c-1", "content": ""}},
    "invoice.issued.v1": _BARE_INVOICE | {"invoice_number": "7"},
    "invoice.overdue.v1": _BARE_INVOICE,
    "invoice.paid.v1": _BARE_INVOICE,
    "user.verification_requested.v1": _BARE_USER | {"verification_url": "https://psa.example.com/verify"},
    "user.verified.v1": _BARE_USER,
    "user.password_reset_requested.v1": _BARE_USER | {"reset_url": "https://psa.example.com/reset"},
    "user.invited.v1": {"email": "cleo@client.example", "invitation_url": "https://psa.example.com/join"},
}


def event_of(event_type: str, data: dict[str, Any]) -> CloudEvent[Any]:
    """Return an event of this type as the service reads it."""
    envelope: type[CloudEvent[Any]] = envelope_of(CATALOG[event_type].model)
    return envelope.model_validate({"id": "1", "source": "/s", "type": event_type, "tenantid": TENANT, "data": data})
