"""The demo's two tenants, with their people, what those want, and one template of a tenant's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from notifications.saving import prepare
from notifications.system_templates import system_css, system_layout
from notifications.template import TemplateVersion
from storage.roles import Role
from storage.session import Connection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTenant:
    """A tenant of the demo. `people` maps user ids to name and address; `opted_out` maps user ids to a category."""

    id: UUID
    slug: str
    name: str
    people: Mapping[str, tuple[str, str | None]]
    opted_out: Mapping[str, str]
    limit: tuple[int, int] | None = None
    """Mails a minute, and how many of them at once; None is the service's default."""


BRIGHTSIDE = DemoTenant(
    id=UUID("5b1d6c4e-9f0a-4d33-8a51-2c7e90b1d001"),
    slug="demo-brightside",
    name="Brightside IT",
    people={
        "ada": ("Ada Marsh", "ada@customer.example"),
        "ben": ("Ben Okafor", "ben@brightside.example"),
        "cleo": ("Cleo Lindgren", "cleo@customer.example"),
        "dora": ("Dora Weiss", "dora@customer.example"),
        "emil": ("Emil Novak", None),
    },
    opted_out={"dora": "tickets"},
)
HARBOR = DemoTenant(
    id=UUID("5b1d6c4e-9f0a-4d33-8a51-2c7e90b1d002"),
    slug="demo-harbor",
    name="Harbor Lights",
    people={"hugo": ("Hugo Brandt", "hugo@lights.example"), "iris": ("Iris Moreau", "iris@lights.example")},
    opted_out={},
    limit=(6, 1),
)
TENANTS = (BRIGHTSIDE, HARBOR)


def own_template() -> TemplateVersion:
    """Return Brightside's own words where the system's would do, in the system's look."""
    prepared = prepare(
        subject="{{ tenant.name }} worked on #{{ ticket.number or ticket.id }}: {{ ticket.title }}",
        html=(
            "{% block reason %}This template is {{ tenant.name }}'s own.{% endblock %}\n"
            "<h1>{{ ticket.title }}</h1>\n"
            "<p>Hello {{ recipient.name or 'there' }}, {{ actor.name or 'somebody' }} changed your ticket.</p>\n"
            "<ul>\n"
            "{% for change in changes %}\n"
            "<li>{{ change.field|label }}: {{ change.new|brief }}</li>\n"
            "{% endfor %}\n"
            "</ul>\n"
        ),
        layout=system_layout(),
        css=system_css(),
    )
    return prepared.version(name="ticket-updated-client", locale="en")


async def create_tenants(database: Database) -> None:
    """Write the tenants, each in a transaction that names it alone; safe to repeat.

    Raises:
        UnavailableError: when Postgres is away.
    """
    for tenant in TENANTS:
        async with database.tenants(Role.API, (tenant.id,)) as connection:
            await _write(connection, tenant)


async def _write(connection: Connection, tenant: DemoTenant) -> None:
    await connection.execute(
        "insert into tenants (id, slug, name) values ($1, $2, $3)"
        " on conflict (id) do update set name = $3, is_active = true, settings_version = tenants.settings_version + 1",
        tenant.id,
        tenant.slug,
        tenant.name,
    )
    per_minute, burst = tenant.limit or (None, None)
    await connection.execute(
        "insert into notification_settings (tenant_id, rate_limit_per_minute, rate_limit_burst) values ($1, $2, $3)"
        " on conflict (tenant_id) do update set rate_limit_per_minute = $2, rate_limit_burst = $3",
        tenant.id,
        per_minute,
        burst,
    )
    await connection.executemany(
        "insert into users (tenant_id, user_id, name, email, email_verified)"
        " values ($1, $2, $3, $4::text, $4::text is not null)"
        " on conflict (tenant_id, user_id) do update set name = $3, email = $4, is_deleted = false",
        [(tenant.id, user_id, name, address) for user_id, (name, address) in tenant.people.items()],
    )
    await connection.executemany(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, is_enabled)"
        " values ($1, $2, 'category', $3, false)"
        " on conflict (tenant_id, user_id, scope, slug) do update set is_enabled = false",
        [(tenant.id, user_id, category) for user_id, category in tenant.opted_out.items()],
    )
    if tenant is BRIGHTSIDE:
        await _write_template(connection, tenant)


async def _write_template(connection: Connection, tenant: DemoTenant) -> None:
    template = own_template()
    key = (tenant.id, template.name, template.locale, template.version)
    await connection.execute(
        "update tenant_email_templates set is_current = false"
        " where (tenant_id, name, locale) = ($1, $2, $3) and version <> $4 and is_current",
        *key,
    )
    await connection.execute(
        "insert into tenant_email_templates"
        " (tenant_id, name, locale, version, subject, html, text, layout_html, layout_text, created_by)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'demo')"
        " on conflict (tenant_id, name, locale, version) do update set is_current = true",
        *(*key, template.subject, template.html, template.text, template.layout_html, template.layout_text),
    )
