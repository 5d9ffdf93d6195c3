"""Tenants as an operator adds and lists them; a change runs as the web side, naming exactly that tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg.exceptions import UniqueViolationError

from notifications.sender_address import slugify
from storage.columns import jsonb
from storage.roles import Role
from storage.session import Connection, Database

_EXISTS = "select slug from tenants where id = $1"

_UPSERT = """
insert into tenants (id, slug, name) values ($1, $2, $3)
on conflict (id) do update set slug = excluded.slug, name = excluded.name,
  settings_version = tenants.settings_version + 1, updated_at = now()"""

_RATE = """
insert into notification_settings (tenant_id, rate_limit_per_minute, rate_limit_burst) values ($1, $2, $3)
on conflict (tenant_id) do update set
  rate_limit_per_minute = coalesce($2, notification_settings.rate_limit_per_minute),
  rate_limit_burst = coalesce($3, notification_settings.rate_limit_burst), updated_at = now()"""

_AUDIT = "insert into audit_log (tenant_id, actor, action, subject, detail) values ($1, $2, $3, $4, $5)"

_LIST = """
select t.id, t.slug, t.name, t.is_active, coalesce(s.is_enabled, true) as is_enabled, s.rate_limit_per_minute,
  s.rate_limit_burst, t.created_at
from tenants t left join notification_settings s on s.tenant_id = t.id
order by t.slug"""


class SlugTakenError(Exception):
    """Another tenant has this slug already, and From addresses are made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedTenant:
    """A tenant as it is stored now; `is_new` tells whether it was added or changed."""

    id: UUID
    slug: str
    name: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow:
    """One tenant in the operator's list. A rate or burst of None is the service's default."""

    id: UUID
    slug: str
    name: str
    is_active: bool
    is_enabled: bool
    rate_limit_per_minute: int | None
    rate_limit_burst: int | None
    created_at: datetime


async def put_tenant(
    database: Database,
    tenant_id: UUID,
    *,
    name: str,
    slug: str | None,
    rate_per_minute: int | None,
    burst: int | None,
    actor: str,
) -> AddedTenant:
    """Add a tenant or change it; what is None stays as it is.

    A new tenant's slug is made from its name unless one is given; later it changes only when one is given.

    Raises:
        SlugTakenError: when another tenant has the slug; nothing was written.
    """
    async with database.tenants(Role.API, (tenant_id,)) as connection:
        present: str | None = await connection.fetchval(_EXISTS, tenant_id)
        chosen = slug or present or slugify(name)
        try:
            await connection.execute(_UPSERT, tenant_id, chosen, name)
        except UniqueViolationError as error:
            raise SlugTakenError(chosen) from error
        if rate_per_minute is not None or burst is not None:
            await connection.execute(_RATE, tenant_id, rate_per_minute, burst)
        detail = jsonb({"name": name, "slug": chosen, "rate_per_minute": rate_per_minute, "burst": burst})
        action = "tenant.added" if present is None else "tenant.changed"
        await connection.execute(_AUDIT, tenant_id, actor, action, str(tenant_id), detail)
    return AddedTenant(id=tenant_id, slug=chosen, name=name, is_new=present is None)


async def list_tenants(connection: Connection) -> list[TenantRow]:
    """Return all tenants by slug, as an operator (role `outbound_platform`) sees them."""
    return [TenantRow(**row) for row in await connection.fetch(_LIST)]
