"""The one list of the events we understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pydantic import BaseModel

from events.envelope import CloudEvent
from events.invoice import InvoiceIssued, InvoiceOverdue, InvoicePaid
from events.tenant import TenantRegistered, TenantSuspended, TenantUpdated
from events.ticket import TicketAssigned, TicketClosed, TicketCommentAdded, TicketCreated, TicketUpdated
from events.user import (
    UserDeleted,
    UserInvited,
    UserPasswordResetRequested,
    UserUpdated,
    UserVerificationRequested,
    UserVerified,
)

_Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event: what its data looks like, and which kinds of mail it can lead to (none: to none)."""

    type: str
    model: _Model
    category: str | None = None
    subtypes: tuple[str, ...] = ()


CATALOG: Mapping[str, EventType] = {
    entry.type: entry
    for entry in (
        EventType("ticket.created.v1", TicketCreated, "tickets", ("ticket-created", "ticket-created-client")),
        EventType("ticket.updated.v1", TicketUpdated, "tickets", ("ticket-updated", "ticket-updated-client")),
        EventType("ticket.closed.v1", TicketClosed, "tickets", ("ticket-closed", "ticket-closed-client")),
        EventType("ticket.assigned.v1", TicketAssigned, "tickets", ("ticket-assigned", "ticket-assigned-client")),
        EventType(
            "ticket.comment_added.v1",
            TicketCommentAdded,
            "tickets",
            ("ticket-comment-added", "ticket-comment-added-client"),
        ),
        EventType("invoice.issued.v1", InvoiceIssued, "invoices", ("invoice-issued",)),
        EventType("invoice.overdue.v1", InvoiceOverdue, "invoices", ("invoice-overdue",)),
        EventType("invoice.paid.v1", InvoicePaid, "invoices", ("invoice-paid",)),
        EventType(
            "user.verification_requested.v1", UserVerificationRequested, "authentication", ("user-verification",)
        ),
        EventType("user.verified.v1", UserVerified, "authentication", ("user-verified",)),
        EventType(
            "user.password_reset_requested.v1", UserPasswordResetRequested, "authentication", ("password-reset",)
        ),
        EventType("user.invited.v1", UserInvited, "authentication", ("user-invitation",)),
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
