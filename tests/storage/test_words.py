"""What templates say and how a tenant's mails look, from the rows: rendering reads no file."""

from __future__ import annotations

import json
from uuid import UUID

import asyncpg
import pytest

from notifications.branding import DEFAULT_BRAND
from notifications.render import Renderer
from notifications.system_templates import system_templates
from notifications.template import TemplateVersion
from storage.ledger import PostgresLedger
from storage.roles import Role
from storage.session import Database
from storage.settings_cache import SettingsCache
from tests.notifications.sample_data import FULL, TENANT
from tests.storage.rows import Superuser, key_of


def shipped(name: str, locale: str) -> TemplateVersion:
    [version] = [one for one in system_templates() if (one.name, one.locale) == (name, locale)]
    return version


async def test_a_version_comes_back_with_its_messages(ledger: PostgresLedger, tenant: UUID) -> None:
    template = shipped("ticket-updated", "de")

    stored = await ledger.template(tenant, template.name, template.locale, template.version)

    assert stored == template
    assert stored.messages
    mail = Renderer().render(stored, FULL["ticket-updated"] | {"tenant": TENANT})
    assert mail.subject == "[1042] Printer on fire: aktualisiert"


async def test_every_language_is_current_at_once(db: Database) -> None:
    templates = await SettingsCache(db).system_templates()

    assert {(one.name, one.locale, one.version) for one in templates.all()} == {
        (one.name, one.locale, one.version) for one in system_templates()
    }
    assert templates.find("ticket-updated", "pl") == shipped("ticket-updated", "pl")


async def test_a_tenants_look_holds_at_once_and_what_is_wrong_in_it_does_not(
    db: Database, ledger: PostgresLedger, tenant: UUID
) -> None:
    key = key_of(tenant, "evt-1")
    before = (await ledger.read([key], [])).tenants[tenant]
    async with db.tenants(Role.API, (tenant,)) as connection:
        await connection.execute(
            "insert into tenant_email_settings (tenant_id, branding) values ($1, $2)",
            tenant,
            json.dumps({"name": "Acme", "color": "#FDE047", "url": "javascript:alert(1)", "logo_url": 7, "css": "x"}),
        )

    after = (await ledger.read([key], [])).tenants[tenant]

    assert before.branding == {}
    assert after.branding == {**DEFAULT_BRAND, "name": "Acme", "color": "#fde047", "on_color": "#111827"}


@pytest.mark.parametrize("value", ["[]", '"#fff"', "7"])
async def test_a_branding_that_is_no_object_is_refused(superuser: Superuser, tenant: UUID, value: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.sql("insert into tenant_email_settings (tenant_id, branding) values ($1, $2)", tenant, value)
