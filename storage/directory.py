"""Tenants and users as the upstream's events describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from notifications.address import canonical
from notifications.ports import EventRow
from storage.session import Connection

_TENANT = """
insert into tenants (id, slug, name) values ($1, $2, coalesce($3, $2))
on conflict (id) do update set name = coalesce($3, tenants.name), is_active = coalesce($4, tenants.is_active),
  slug = case when $5 then excluded.slug else tenants.slug end,
  settings_version = tenants.settings_version + 1, updated_at = now()"""

_SLUG_TAKEN = "select slug_is_taken($1, $2)"

_SUSPEND = """
update tenants set is_active = false, settings_version = settings_version + 1, updated_at = now() where id = $1"""

_USER = """
insert into users (tenant_id, user_id, email, name, locale, timezone, email_verified)
values ($1, $2, $3, $4, $5, $6, coalesce($7, false))
on conflict (tenant_id, user_id) do update set email = coalesce($3, users.email), name = coalesce($4, users.name),
  locale = coalesce($5, users.locale), timezone = coalesce($6, users.timezone),
  email_verified = coalesce($7, users.email_verified and ($3 is null or $3 = users.email)), is_deleted = false,
  updated_at = now()"""

_DELETE_USER = """
insert into users (tenant_id, user_id, is_deleted) values ($1, $2, true)
on conflict (tenant_id, user_id) do update set email = null, name = null, is_deleted = true, updated_at = now()"""


async def apply_changes(connection: Connection, events: Sequence[EventRow]) -> None:
    """Apply the directory changes of a batch in its claim's transaction."""
    for event in events:
        for change in event.changes:
            await _CHANGES[change.kind](connection, event.key.tenant_id, change.values)


async def _upsert_tenant(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> None:
    slug = values.get("slug") or f"t-{tenant_id.hex[:12]}"
    if await connection.fetchval(_SLUG_TAKEN, slug, tenant_id):
        # Slugs are unique among tenants because From addresses are made of them; the id settles a clash.
        slug = f"{slug[:50].rstrip('-')}-{tenant_id.hex[:12]}"
    await connection.execute(
        _TENANT, tenant_id, slug, values.get("name"), values.get("is_active"), values.get("slug") is not None
    )


async def _suspend_tenant(connection: Connection, tenant_id: UUID, _: Mapping[str, Any]) -> None:
    await connection.execute(_SUSPEND, tenant_id)


async def _upsert_user(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> None:
    await connection.execute(
        _USER,
        tenant_id,
        values["user_id"],
        canonical(values.get("email")),
        values.get("name"),
        values.get("locale"),
        values.get("timezone"),
        values.get("email_verified"),
    )


async def _delete_user(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> None:
    await connection.execute(_DELETE_USER, tenant_id, values["user_id"])


_CHANGES = {
    "tenant_register": _upsert_tenant,
    "tenant_update": _upsert_tenant,
    "tenant_suspend": _suspend_tenant,
    "user_upsert": _upsert_user,
    "user_delete": _delete_user,
}
