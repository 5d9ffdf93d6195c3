"""Tenant-wide settings, kept in the process for as long as their version stands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from notifications.branding import brand_of
from notifications.categories import UncertainPolicy
from notifications.facts import SubtypeSettings, TenantEmail, TenantSettings
from notifications.template import TemplateVersion, messages_from_json
from storage.roles import Role
from storage.session import Connection, Database

_SYSTEM_LIFETIME_SECONDS = 30.0
"""System rows change with a deploy only; a running worker notices within this time."""

_TENANTS = """
select t.id, t.slug, t.name, t.is_active, t.settings_version, coalesce(s.is_enabled, true) as is_enabled,
  s.rate_limit_per_minute, s.rate_limit_burst, e.provider, e.failover_from, e.reply_to_address, e.tags,
  e.custom_headers, e.branding
from tenants t left join notification_settings s on s.tenant_id = t.id
left join tenant_email_settings e on e.tenant_id = t.id and e.is_active
where t.id = any($1::uuid[])"""

_CATEGORIES = """
select tenant_id, slug, is_enabled, is_default_enabled from notification_categories
where tenant_id is null or tenant_id = any($1::uuid[])"""

_SUBTYPES = """
select tenant_id, slug, category, is_enabled, is_default_enabled, is_mandatory, is_urgent, is_secret, uncertain_policy,
  expires_after, digest_window
from notification_subtypes where tenant_id is null or tenant_id = any($1::uuid[])"""

_TEMPLATES = """
select tenant_id, name, locale, version, subject, html, text, layout_html, layout_text, messages
from tenant_email_templates where tenant_id = any($1::uuid[]) and is_current"""

_SYSTEM_TEMPLATES = """
select name, locale, version, subject, html, text, layout_html, layout_text, messages
from system_email_templates where is_current"""


class SystemTemplates:
    """The system's current templates, refreshed with the settings."""

    def __init__(self) -> None:
        self._current: dict[tuple[str, str], TemplateVersion] = {}
        self._loaded_at = float("-inf")

    def find(self, name: str, locale: str) -> TemplateVersion | None:
        """Return the system's current version, if there is one in that locale."""
        return self._current.get((name, locale))

    def all(self) -> list[TemplateVersion]:
        """Return every current version."""
        return list(self._current.values())

    async def refresh(self, connection: Connection) -> None:
        """Read them again when they are old."""
        if time.monotonic() - self._loaded_at < _SYSTEM_LIFETIME_SECONDS:
            return
        rows = await connection.fetch(_SYSTEM_TEMPLATES)
        self._current = {(row["name"], row["locale"]): template_of(row) for row in rows}
        self._loaded_at = time.monotonic()


class SettingsCache:
    """Tenants' settings by id. The caller brings the versions that are true now; only what differs is read again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[UUID, TenantSettings] = {}
        self._system_at = float("-inf")
        self._loading = asyncio.Lock()
        self.templates = SystemTemplates()

    async def get(self, connection: Connection, versions: Mapping[UUID, int]) -> dict[UUID, TenantSettings]:
        """Return the settings of every tenant in `versions`, read on `connection` where they are missing or old."""
        async with self._loading:
            await self.templates.refresh(connection)
            if time.monotonic() - self._system_at > _SYSTEM_LIFETIME_SECONDS:
                self._known.clear()
                self._system_at = time.monotonic()
            stale = [
                tenant_id
                for tenant_id, version in versions.items()
                if tenant_id not in self._known or self._known[tenant_id].version != version
            ]
            if stale:
                self._known |= await _load(connection, stale)
        return {tenant_id: self._known[tenant_id] for tenant_id in versions if tenant_id in self._known}

    async def system_templates(self) -> SystemTemplates:
        """Return the system's templates, read once at start so that the first batch finds them."""
        async with self._database.tenants(Role.WORKER, (), read_only=True) as connection:
            await self.templates.refresh(connection)
        return self.templates


async def _load(connection: Connection, tenant_ids: Collection[UUID]) -> dict[UUID, TenantSettings]:
    wanted = list(tenant_ids)
    tenants = await connection.fetch(_TENANTS, wanted)
    categories = {(row["tenant_id"], row["slug"]): row for row in await connection.fetch(_CATEGORIES, wanted)}
    subtypes = {(row["tenant_id"], row["slug"]): row for row in await connection.fetch(_SUBTYPES, wanted)}
    templates: dict[UUID, dict[tuple[str, str], TemplateVersion]] = {}
    for row in await connection.fetch(_TEMPLATES, wanted):
        templates.setdefault(row["tenant_id"], {})[row["name"], row["locale"]] = template_of(row)
    slugs = [slug for tenant_id, slug in subtypes if tenant_id is None]
    return {
        row["id"]: TenantSettings(
            id=row["id"],
            slug=row["slug"],
            name=row["name"],
            version=row["settings_version"],
            is_active=row["is_active"],
            is_enabled=row["is_enabled"],
            rate_per_minute=row["rate_limit_per_minute"],
            rate_burst=row["rate_limit_burst"],
            email=_email(row),
            branding=brand_of(json.loads(row["branding"])) if row["branding"] else {},
            subtypes={slug: _subtype(row["id"], slug, subtypes, categories) for slug in slugs},
            templates=templates.get(row["id"], {}),
        )
        for row in tenants
    }


def _email(row: Any) -> TenantEmail:
    return TenantEmail(
        provider=row["provider"],
        keeps_from=row["failover_from"] == "keep",
        reply_to=row["reply_to_address"],
        tags=tuple(row["tags"] or ()),
        headers=json.loads(row["custom_headers"] or "{}"),
    )


def _subtype(
    tenant_id: UUID,
    slug: str,
    subtypes: Mapping[tuple[UUID | None, str], Any],
    categories: Mapping[tuple[UUID | None, str], Any],
) -> SubtypeSettings:
    system = subtypes[None, slug]
    rows = [row for row in (subtypes.get((tenant_id, slug)), system) if row is not None]
    category = system["category"]
    above = [
        row for row in (categories.get((tenant_id, category)), categories.get((None, category))) if row is not None
    ]
    return SubtypeSettings(
        slug=slug,
        category=category,
        # What the system switched off stays off: a tenant can only switch off more.
        category_enabled=all(row["is_enabled"] is not False for row in above),
        subtype_enabled=all(row["is_enabled"] is not False for row in rows),
        enabled_by_default=_first([*rows[:-1], *above[:-1], rows[-1], *above[-1:]], "is_default_enabled", default=True),
        is_mandatory=system["is_mandatory"],
        is_urgent=system["is_urgent"],
        is_secret=system["is_secret"],
        uncertain_policy=UncertainPolicy(_first(rows, "uncertain_policy", default="at_least_once")),
        expires_after=_first(rows, "expires_after", default=None),
        digest_window=_first(rows, "digest_window", default=None),
    )


def _first(rows: list[Any], column: str, *, default: Any) -> Any:
    """Return the first value that is set: the tenant's row comes before the system's."""
    return next((row[column] for row in rows if row[column] is not None), default)


def template_of(row: Any) -> TemplateVersion:
    """Read a template from a row of either table."""
    return TemplateVersion(
        name=row["name"],
        locale=row["locale"],
        version=row["version"],
        subject=row["subject"],
        html=row["html"],
        text=row["text"],
        layout_html=row["layout_html"],
        layout_text=row["layout_text"],
        messages=messages_from_json(row["messages"]),
    )
