"""Migrations, on a fresh database, again, and two at once; and the partitions they and the relay make."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from notifications.categories import SUBTYPES
from notifications.system_templates import system_templates
from storage.migrate import sqlalchemy_url, upgrade
from storage.outbox import Outbox
from storage.roles import Role
from storage.schema_version import head_revision, pending
from storage.session import Database
from tests.notifications.builders import TENANT
from tests.storage.rows import Superuser, id_of

FAR = date(2031, 5, 17)


async def as_owner(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"set role {Role.OWNER}")
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def test_a_fresh_database_is_migrated_by_two_at_once_and_once_more(empty_database: str) -> None:
    before = await pending(empty_database)

    await asyncio.gather(upgrade(empty_database), upgrade(empty_database))
    await upgrade(empty_database)

    assert (before, await pending(empty_database)) == (True, False)
    [version] = await as_owner(empty_database, "select version_num from outbound.alembic_version")
    assert version[0] == head_revision()
    subtypes = await as_owner(empty_database, "select slug from outbound.notification_subtypes")
    assert sorted(row[0] for row in subtypes) == sorted(SUBTYPES)
    templates = await as_owner(
        empty_database, "select name, locale, version from outbound.system_email_templates where is_current"
    )
    assert {tuple(row) for row in templates} == {(one.name, one.locale, one.version) for one in system_templates()}


async def test_a_deploy_takes_the_system_s_own_word_and_leaves_what_an_operator_switched_off(
    database: str, superuser: Superuser
) -> None:
    await superuser.sql("update notification_subtypes set is_mandatory = true, is_enabled = false, is_secret = true")
    await superuser.sql("update system_email_templates set version = 'older' where name = 'ticket-updated'")

    await upgrade(database)

    row = await superuser.one("select * from notification_subtypes where slug = 'ticket-updated'")
    assert (row["is_mandatory"], row["is_secret"], row["is_enabled"]) == (False, False, False)
    current = await superuser.sql(
        "select version from system_email_templates where name = 'ticket-updated' and locale = 'en' and is_current"
    )
    assert [row[0] for row in current] == [
        one.version for one in system_templates() if (one.name, one.locale) == ("ticket-updated", "en")
    ]
    assert await superuser.sql("select 1 from system_email_templates where version = 'older'")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
    ],
)
def test_both_names_of_the_scheme_are_understood(given: str, expected: str) -> None:
    assert sqlalchemy_url(given) == expected


def test_another_scheme_is_refused_without_quoting_the_address() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL must begin with") as caught:
        sqlalchemy_url("mysql://u:secret@h/d")

    assert "secret" not in str(caught.value)


async def ensure(superuser: Superuser, day: date) -> int:
    return (await superuser.one("select ensure_partitions($1)", day))[0]


async def plant(superuser: Superuser, id_: UUID) -> None:
    await superuser.sql(
        "insert into message_contents (notification_id, kind, tenant_id, message, sha256)"
        " values ($1, 'request', $2, '', '')",
        id_,
        TENANT,
    )


def milliseconds(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * 24 * 3600 * 1000


async def test_partitions_are_made_a_week_and_two_months_ahead_once(db: Database, superuser: Superuser) -> None:
    assert await Outbox(db).ensure_partitions() == 0
    assert await ensure(superuser, FAR) == 2 * 9 + 2 * 3
    assert await ensure(superuser, FAR) == 0

    id_ = id_of(TENANT, "evt-1", ms=milliseconds(FAR))
    await plant(superuser, id_)
    row = await superuser.one("select tableoid::regclass::text from message_contents")
    assert row[0] == "message_contents_d20310517"


async def test_the_first_and_the_last_moment_of_a_day_are_that_day_s(superuser: Superuser) -> None:
    await ensure(superuser, FAR)
    for ms in (milliseconds(FAR), milliseconds(FAR) + 24 * 3600 * 1000 - 1, milliseconds(FAR) + 24 * 3600 * 1000):
        await plant(superuser, id_of(TENANT, "evt-1", ms=ms))

    rows = await superuser.sql("select tableoid::regclass::text from message_contents order by notification_id")
    assert [row[0][-8:] for row in rows] == ["20310517", "20310517", "20310518"]


async def test_rows_in_the_default_partition_cost_their_own_period_and_no_other(superuser: Superuser) -> None:
    id_ = id_of(TENANT, "evt-1", ms=milliseconds(FAR))
    await plant(superuser, id_)

    made = await ensure(superuser, FAR)

    row = await superuser.one("select tableoid::regclass::text from message_contents")
    assert made == 2 * 9 + 2 * 3 - 1
    assert row[0] == "message_contents_default"


async def test_two_may_make_partitions_at_once(db: Database, superuser: Superuser) -> None:
    async def make() -> int:
        async with db.everyone(Role.DISPATCHER) as connection:
            return await connection.fetchval("select ensure_partitions($1)", FAR)

    assert sorted(await asyncio.gather(make(), make(), make())) == [0, 0, 24]
