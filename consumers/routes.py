"""The one table from event type to handler."""

from __future__ import annotations

from consumers.directory import (
    on_tenant_registered,
    on_tenant_suspended,
    on_tenant_updated,
    on_user_deleted,
    on_user_updated,
)
from consumers.invoice import on_invoice_issued
from consumers.ticket import on_ticket_updated
from consumers.user import on_user_verified, on_verification_requested
from notifications.request import Routes

ROUTES: Routes = {
    "ticket.updated.v1": on_ticket_updated,
    "invoice.issued.v1": on_invoice_issued,
    "user.verification_requested.v1": on_verification_requested,
    "user.verified.v1": on_user_verified,
    "tenant.registered.v1": on_tenant_registered,
    "tenant.updated.v1": on_tenant_updated,
    "tenant.suspended.v1": on_tenant_suspended,
    "user.updated.v1": on_user_updated,
    "user.deleted.v1": on_user_deleted,
}
