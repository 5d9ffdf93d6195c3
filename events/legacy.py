"""The form of the system before: `{id, eventType, timestamp, payload}`, with the names and fields it used.

Its real payloads hold less than ours: a ticket has no title, an issued invoice no currency, and neither names the
people it concerns. What can be taken from another field is; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

SOURCE = "/legacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyType:
    """What an old event type is today.

    `noun` and `key` give the subject (`ticket/42`). `instead` names, for a field that is absent, the fields to take its
    value from, best first.
    """

    type: str
    noun: str
    key: str
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


_CONTACT = "actorContactId"


def _ticket(type_: str, *actors: str) -> LegacyType:
    """Its people know a ticket by its number at least; the actor goes by another name in each event."""
    return LegacyType(
        type=type_,
        noun="ticket",
        key="ticketId",
        instead={"title": ("ticketNumber", "ticketId"), "actorUserId": (*actors, _CONTACT)},
    )


def _invoice(type_: str, *amounts: str) -> LegacyType:
    return LegacyType(type=type_, noun="invoice", key="invoiceId", instead={"amount": amounts})


def _user(type_: str) -> LegacyType:
    return LegacyType(type=type_, noun="user", key="userId")


def _tenant(type_: str) -> LegacyType:
    return LegacyType(type=type_, noun="tenant", key="tenantId")


LEGACY: Mapping[str, LegacyType] = {
    "TICKET_CREATED": _ticket("ticket.created.v1", "createdByUserId"),
    "TICKET_UPDATED": _ticket("ticket.updated.v1", "updatedByUserId"),
    "TICKET_CLOSED": _ticket("ticket.closed.v1", "closedByUserId"),
    "TICKET_ASSIGNED": _ticket("ticket.assigned.v1", "assignedByUserId"),
    "TICKET_COMMENT_ADDED": _ticket("ticket.comment_added.v1", "userId"),
    "INVOICE_FINALIZED": _invoice("invoice.issued.v1", "totalAmount", "total_amount"),
    "INVOICE_ISSUED": _invoice("invoice.issued.v1", "totalAmount", "total_amount"),
    "INVOICE_OVERDUE": _invoice("invoice.overdue.v1", "amountDue", "amount_due"),
    "PAYMENT_APPLIED": _invoice("invoice.paid.v1"),
    "INVOICE_PAID": _invoice("invoice.paid.v1"),
    "USER_VERIFICATION_REQUESTED": _user("user.verification_requested.v1"),
    "USER_VERIFIED": _user("user.verified.v1"),
    "USER_PASSWORD_RESET_REQUESTED": _user("user.password_reset_requested.v1"),
    "USER_INVITED": _user("user.invited.v1"),
    "USER_UPDATED": _user("user.updated.v1"),
    "USER_DELETED": _user("user.deleted.v1"),
    "TENANT_REGISTERED": _tenant("tenant.registered.v1"),
    "TENANT_UPDATED": _tenant("tenant.updated.v1"),
    "TENANT_SUSPENDED": _tenant("tenant.suspended.v1"),
}
"""The explicit table: a name that is not here is an unknown type."""


def attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CloudEvents attributes of an old event; `type` is None when the table does not know it."""
    name = entry.get("eventType")
    legacy = LEGACY.get(name) if isinstance(name, str) else None
    data = entry.get("payload")
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": entry.get("id"),
        "source": SOURCE,
        "type": legacy.type if legacy else None,
        "time": entry.get("timestamp"),
        "data": data,
    }
    if legacy is not None and isinstance(data, dict):
        payload = cast("Mapping[str, Any]", data)
        found["data"] = {**payload, **_replaced(payload, legacy)}
        if isinstance(key := payload.get(legacy.key), str):
            found["subject"] = f"{legacy.noun}/{key}"
    return found


def _replaced(payload: Mapping[str, Any], legacy: LegacyType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, others in legacy.instead.items():
        values = [payload[other] for other in others if payload.get(other) is not None]
        if values and payload.get(name) is None:
            found[name] = values[0]
    return found
