"""The one list of the events we understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pydantic import BaseModel

from events.envelope import CloudEvent
from events.invoice import InvoiceIssued
from events.tenant import TenantRegistered, TenantSuspended, TenantUpdated
from events.ticket import TicketUpdated
from events.user import UserDeleted, UserUpdated, UserVerificationRequested, UserVerified

_Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event: what its data looks like, and which kind of mail it leads to (None: none)."""

    type: str
    model: _Model
    category: str | None = None
    subtype: str | None = None


CATALOG: Mapping[str, EventType] = {
    entry.type: entry
    for entry in (
        EventType("ticket.updated.v1", TicketUpdated, "tickets", "ticket-updated"),
        EventType("invoice.issued.v1", InvoiceIssued, "invoices", "invoice-issued"),
        EventType("user.verification_requested.v1", UserVerificationRequested, "authentication", "user-verification"),
        EventType("user.verified.v1", UserVerified, "authentication", "user-verified"),
        EventType("tenant.registered.v1", TenantRegistered),
        EventType("tenant.updated.v1", TenantUpdated),
        EventType("tenant.suspended.v1", TenantSuspended),
        EventType("user.updated.v1", UserUpdated),
        EventType("user.deleted.v1", UserDeleted),
    )
}


def canonical_type(name: str) -> str:
    """Return a type without its reverse-DNS prefix: com.acme.ticket.updated.v1 is ticket.updated.v1."""
    return ".".join(name.rsplit(".", 3)[-3:])


@cache
def envelope_of(model: type[BaseModel]) -> type[CloudEvent[Any]]:
    """Return the envelope around data of this model, built on first use."""
    return cast("type[CloudEvent[Any]]", CloudEvent.__class_getitem__(model))
