"""The one table from event type to handler."""

from __future__ import annotations

from consumers.directory import (
    on_tenant_registered,
    on_tenant_suspended,
    on_tenant_updated,
    on_user_deleted,
    on_user_updated,
)
from consumers.invoice import on_invoice_issued, on_invoice_overdue, on_invoice_paid
from consumers.ticket import on_ticket_closed, on_ticket_comment_added, on_ticket_created, on_ticket_updated
from consumers.ticket_assignment import on_ticket_assigned
from consumers.user import on_password_reset_requested, on_user_invited, on_user_verified, on_verification_requested
from notifications.request import Routes

ROUTES: Routes = {
    "ticket.created.v1": on_ticket_created,
    "ticket.updated.v1": on_ticket_updated,
    "ticket.closed.v1": on_ticket_closed,
    "ticket.assigned.v1": on_ticket_assigned,
    "ticket.comment_added.v1": on_ticket_comment_added,
    "invoice.issued.v1": on_invoice_issued,
    "invoice.overdue.v1": on_invoice_overdue,
    "invoice.paid.v1": on_invoice_paid,
    "user.verification_requested.v1": on_verification_requested,
    "user.verified.v1": on_user_verified,
    "user.password_reset_requested.v1": on_password_reset_requested,
    "user.invited.v1": on_user_invited,
    "tenant.registered.v1": on_tenant_registered,
    "tenant.updated.v1": on_tenant_updated,
    "tenant.suspended.v1": on_tenant_suspended,
    "user.updated.v1": on_user_updated,
    "user.deleted.v1": on_user_deleted,
}
