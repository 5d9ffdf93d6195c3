"""The form of the system before: `{id, eventType, timestamp, payload}`, with the names and fields it used.

Its real payloads hold less than ours: a ticket has no title, an invoice no currency, and neither names the people it
concerns. What can be taken from another field is; nothing is guessed.
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


_INVOICE = LegacyType(
    type="invoice.issued.v1", noun="invoice", key="invoiceId", instead={"amount": ("totalAmount", "total_amount")}
)

LEGACY: Mapping[str, LegacyType] = {
    "TICKET_UPDATED": LegacyType(
        type="ticket.updated.v1",
        noun="ticket",
        key="ticketId",
        instead={"title": ("ticketNumber", "ticketId"), "actorUserId": ("updatedByUserId",)},
    ),
    "INVOICE_FINALIZED": _INVOICE,
    "INVOICE_ISSUED": _INVOICE,
    "USER_VERIFICATION_REQUESTED": LegacyType(type="user.verification_requested.v1", noun="user", key="userId"),
    "USER_VERIFIED": LegacyType(type="user.verified.v1", noun="user", key="userId"),
    "USER_UPDATED": LegacyType(type="user.updated.v1", noun="user", key="userId"),
    "USER_DELETED": LegacyType(type="user.deleted.v1", noun="user", key="userId"),
    "TENANT_REGISTERED": LegacyType(type="tenant.registered.v1", noun="tenant", key="tenantId"),
    "TENANT_UPDATED": LegacyType(type="tenant.updated.v1", noun="tenant", key="tenantId"),
    "TENANT_SUSPENDED": LegacyType(type="tenant.suspended.v1", noun="tenant", key="tenantId"),
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
