"""The operator's switch and the rests of accounts, as all processes share them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from providers.choice import Choice
from providers.health import Pause, PauseReason
from storage.provider_settings import (
    ProviderSettings,
    find_choice,
    list_settings,
    record_drill,
    reset,
    resume,
    switch,
)
from storage.roles import Role
from storage.session import Database
from tests.notifications.builders import TENANT
from tests.storage.rows import Superuser

CONFIGURED = Choice("smtp", "resend")
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
LATER = SOON + timedelta(hours=1)
PAST = SOON - timedelta(days=1)


@pytest.fixture
def settings(db: Database) -> ProviderSettings:
    return ProviderSettings(db)


async def switched(db: Database, choice: Choice, configured: Choice = CONFIGURED) -> None:
    async with db.everyone(Role.PLATFORM) as connection:
        await switch(connection, choice, configured, "cli:olga")


async def audited(superuser: Superuser) -> list[tuple[str, str, str, dict[str, Any]]]:
    rows = await superuser.sql("select actor, action, subject, tenant_id, detail from audit_log order by id")
    assert all(row["tenant_id"] is None for row in rows)
    return [(row["actor"], row["action"], row["subject"], json.loads(row["detail"])) for row in rows]


async def test_at_first_nothing_is_switched_and_nobody_rests(settings: ProviderSettings) -> None:
    shared = await settings.read()

    assert (shared.stored, shared.rests) == (None, {})


async def test_a_switch_is_stored_with_who_made_it_and_audited_with_what_was_before(
    db: Database, settings: ProviderSettings, superuser: Superuser
) -> None:
    await switched(db, Choice("resend", "smtp"))
    await switched(db, Choice("smtp", "resend", {"ses": 10}))

    stored = (await settings.read()).stored
    assert stored is not None
    assert (stored.choice, stored.configured) == (Choice("smtp", "resend", {"ses": 10}), CONFIGURED)
    assert stored.changed_by == "cli:olga"
    first: dict[str, Any] = {"primary": "resend", "fallback": "smtp", "split": {}}
    assert await audited(superuser) == [
        (
            "cli:olga",
            "providers.switched",
            "providers",
            first | {"before": {"primary": "smtp", "fallback": "resend", "split": {}}},
        ),
        (
            "cli:olga",
            "providers.switched",
            "providers",
            {"primary": "smtp", "fallback": "resend", "split": {"ses": 10}, "before": first},
        ),
    ]


async def test_a_switch_back_is_one_command(db: Database, settings: ProviderSettings, superuser: Superuser) -> None:
    await switched(db, Choice("resend", "smtp"))

    async with db.everyone(Role.PLATFORM) as connection:
        was_switched = await reset(connection, CONFIGURED, "cli:olga")
        was_again = await reset(connection, CONFIGURED, "cli:olga")
        stored = await find_choice(connection)

    assert (was_switched, was_again, stored) == (True, False, None)
    assert [action for _, action, *_ in await audited(superuser)] == ["providers.switched", "providers.switch_removed"]


async def test_there_is_only_one_switch_at_a_time(db: Database, superuser: Superuser) -> None:
    await switched(db, Choice("resend"))
    await switched(db, Choice("ses"))

    assert await superuser.count("provider_choice") == 1


@pytest.mark.parametrize(
    ("now", "is_removed"),
    [
        (CONFIGURED, False),
        (Choice("resend", "smtp"), True),
        (Choice("smtp"), True),
        (Choice("smtp", "ses"), True),
    ],
)
async def test_a_switch_is_removed_by_a_start_with_another_configuration_and_by_no_other(
    db: Database, settings: ProviderSettings, superuser: Superuser, now: Choice, is_removed: bool
) -> None:
    await switched(db, Choice("ses", "smtp"))

    removed = await settings.forget_outdated_switch(now, "worker one")
    again = await settings.forget_outdated_switch(now, "worker two")

    assert (removed, again) == (is_removed, False)
    assert ((await settings.read()).stored is None) is is_removed
    assert [entry for entry in await audited(superuser) if entry[1] == "providers.switch_removed"] == [
        (
            "worker one",
            "providers.switch_removed",
            "providers",
            {
                "primary": now.primary,
                "fallback": now.fallback,
                "split": {},
                "before": {"primary": "ses", "fallback": "smtp", "split": {}},
            },
        )
    ] * is_removed


async def test_a_configuration_without_a_fallback_is_the_same_one_too(db: Database, settings: ProviderSettings) -> None:
    await switched(db, Choice("resend"), Choice("smtp"))

    assert not await settings.forget_outdated_switch(Choice("smtp"), "worker one")


async def test_a_worker_may_not_switch(db: Database) -> None:
    async with db.everyone(Role.WORKER) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await switch(connection, Choice("resend"), CONFIGURED, "worker one")


async def test_what_a_worker_says_in_the_audit_log_concerns_no_tenant(db: Database, superuser: Superuser) -> None:
    tenant = await superuser.add_tenant(TENANT)
    async with db.everyone(Role.WORKER) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "insert into audit_log (actor, action, subject, detail, tenant_id) values ('w', 'a', 's', '{}', $1)",
                tenant,
            )


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (Pause(SOON, PauseReason.THROTTLED), Pause(LATER, PauseReason.THROTTLED), "second"),
        (Pause(LATER, PauseReason.THROTTLED), Pause(SOON, PauseReason.THROTTLED), "first"),
        (Pause(SOON, PauseReason.QUOTA), Pause(LATER, PauseReason.QUOTA), "second"),
        (Pause(LATER, PauseReason.QUOTA), Pause(SOON, PauseReason.QUOTA), "first"),
        (Pause(LATER, PauseReason.THROTTLED), Pause(SOON, PauseReason.QUOTA), "second"),
        (Pause(SOON, PauseReason.QUOTA), Pause(LATER, PauseReason.THROTTLED), "first"),
        (Pause(PAST, PauseReason.QUOTA), Pause(SOON, PauseReason.THROTTLED), "second"),
    ],
)
async def test_of_two_rests_a_quota_counts_and_else_the_later_end(
    settings: ProviderSettings, first: Pause, second: Pause, kept: str
) -> None:
    await settings.rest({"smtp": first})
    await settings.rest({"smtp": second, "resend": Pause(SOON, PauseReason.QUOTA)})

    assert (await settings.read()).rests == {
        "smtp": first if kept == "first" else second,
        "resend": Pause(SOON, PauseReason.QUOTA),
    }


async def test_a_rest_that_is_over_is_nobody_s_news(settings: ProviderSettings) -> None:
    await settings.rest({"smtp": Pause(PAST, PauseReason.QUOTA)})

    assert (await settings.read()).rests == {}


async def test_an_operator_ends_a_rest_once_and_it_is_audited(
    db: Database, settings: ProviderSettings, superuser: Superuser
) -> None:
    await settings.rest({"resend": Pause(SOON, PauseReason.QUOTA)})

    async with db.everyone(Role.PLATFORM) as connection:
        ended = [await resume(connection, name, "cli:olga") for name in ("resend", "resend", "smtp")]

    assert ended == [True, False, False]
    assert (await settings.read()).rests == {}
    assert await audited(superuser) == [("cli:olga", "providers.resumed", "providers", {"provider": "resend"})]


async def test_a_drill_is_made_by_one_process_at_a_time(db: Database, settings: ProviderSettings) -> None:
    claims = [await settings.claim_drill("resend", timedelta(hours=1)) for _ in range(3)]
    at_once = await settings.claim_drill("resend", timedelta(0))

    assert (claims, at_once) == ([True, False, False], True)
    async with db.everyone(Role.PLATFORM) as connection:
        [row] = await list_settings(connection)
    assert (row.provider, row.drill_outcome, row.paused_until) == ("resend", None, None)
    assert row.drilled_at is not None


async def test_what_a_drill_came_to_is_kept_and_audited(
    db: Database, settings: ProviderSettings, superuser: Superuser
) -> None:
    await settings.claim_drill("resend", timedelta(hours=1))
    await settings.drilled("resend", "accepted", {"outcome": "accepted"}, "worker one")
    async with db.everyone(Role.PLATFORM) as connection:
        await record_drill(connection, "resend", "misconfigured", {"outcome": "misconfigured"}, "cli:olga")
        [row] = await list_settings(connection)

    assert row.drill_outcome == "misconfigured"
    assert [actor for actor, *_ in await audited(superuser)] == ["worker one", "cli:olga"]
