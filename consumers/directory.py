"""The tenants and users we know, as events tell of them."""

from __future__ import annotations

from events.envelope import CloudEvent
from events.tenant import TenantRegistered, TenantSuspended, TenantUpdated
from events.user import UserDeleted, UserUpdated
from notifications.request import DirectoryChange, Effect


def on_tenant_registered(event: CloudEvent[TenantRegistered]) -> list[Effect]:
    """Take a tenant in, or back."""
    values = {"name": event.data.name, "slug": event.data.slug, "is_active": True}
    return [DirectoryChange(kind="tenant_register", values=values)]


def on_tenant_updated(event: CloudEvent[TenantUpdated]) -> list[Effect]:
    """Change what we know of a tenant."""
    return [DirectoryChange(kind="tenant_update", values={"name": event.data.name, "slug": event.data.slug})]


def on_tenant_suspended(event: CloudEvent[TenantSuspended]) -> list[Effect]:  # noqa: ARG001 - the envelope says it all
    """Send nothing more for a tenant. Why, the stored event says."""
    return [DirectoryChange(kind="tenant_suspend")]


def on_user_updated(event: CloudEvent[UserUpdated]) -> list[Effect]:
    """Change what we know of a user."""
    user = event.data
    return [
        DirectoryChange(
            kind="user_upsert",
            values={
                "user_id": user.user_id,
                "email": user.email,
                "name": user.name,
                "locale": user.locale,
                "timezone": user.timezone,
                "email_verified": user.email_verified,
            },
        )
    ]


def on_user_deleted(event: CloudEvent[UserDeleted]) -> list[Effect]:
    """Forget a user."""
    return [DirectoryChange(kind="user_delete", values={"user_id": event.data.user_id})]
