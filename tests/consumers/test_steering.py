"""How a running worker follows the operator's switch, and what other processes learnt of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import structlog
from prometheus_client import CollectorRegistry

from consumers.steering import Steering
from notifications.metrics import LineMetrics
from notifications.ports import UnavailableError
from providers.choice import Choice
from providers.health import Pause, PauseReason
from providers.manager import ProviderManager
from providers.receipt import Outcome
from storage.provider_settings import ProviderSettings, SharedState, reset, resume, switch
from storage.queue import SendQueue
from storage.roles import Role
from storage.session import Database
from tests.providers.messages import a_message, yes
from tests.providers.scripted import DOMAIN, ScriptedProvider
from tests.storage.rows import Superuser

CONFIGURED = Choice("smtp", "resend")


class Shared(ProviderSettings):
    """The real thing, that can be away."""

    is_away = False

    async def read(self) -> SharedState:
        self._check()
        return await super().read()

    async def rest(self, rests: Mapping[str, Pause]) -> None:
        self._check()
        await super().rest(rests)

    def _check(self) -> None:
        if self.is_away:
            raise UnavailableError("Postgres: away")


class Process:
    """What one worker has of its own: providers with their health, and a steering that turns when it is told to."""

    def __init__(self, db: Database, name: str, configured: Choice = CONFIGURED) -> None:
        self.scripted = {name: ScriptedProvider(name) for name in ("smtp", "resend", "ses")}
        self.providers = ProviderManager(self.scripted, configured)
        self.settings = Shared(db)
        self.registry = CollectorRegistry()
        self.steering = Steering(
            providers=self.providers,
            settings=self.settings,
            queue=SendQueue(db),
            clock=lambda: datetime.now(UTC),
            metrics=LineMetrics(self.registry),
            configured=configured,
            name=name,
        )

    async def start(self) -> None:
        await self.steering.on_start()

    async def turn(self) -> None:
        assert await self.steering._steer_once() == 1.0

    async def uses_up(self, name: str) -> None:
        self.scripted[name].answer = {
            "outcome": Outcome.NOT_SENT,
            "error": "quota",
            "retry_after": timedelta(hours=2),
        }
        await self.providers.send(name, a_message(), yes)

    def paused(self, name: str) -> float | None:
        """What the metrics say of a provider."""
        return self.registry.get_sample_value("outbound_provider_paused", {"provider": name})

    def rests(self, name: str) -> bool:
        return self.providers.pause(name, DOMAIN) is not None


@pytest.fixture
async def one(db: Database) -> Process:
    process = Process(db, "one")
    await process.start()
    return process


async def switched(db: Database, choice: Choice, configured: Choice = CONFIGURED) -> None:
    async with db.everyone(Role.PLATFORM) as connection:
        await switch(connection, choice, configured, "cli:olga")


async def actions(superuser: Superuser) -> list[tuple[str, str]]:
    return [
        (row["actor"], row["action"]) for row in await superuser.sql("select actor, action from audit_log order by id")
    ]


async def test_a_switch_and_the_way_back_are_followed_at_the_next_turn(one: Process, db: Database) -> None:
    await switched(db, Choice("resend", "smtp", {"ses": 10}))
    with structlog.testing.capture_logs() as logged:
        await one.turn()
        await one.turn()
    followed = one.providers.choice
    async with db.everyone(Role.PLATFORM) as connection:
        await reset(connection, CONFIGURED, "cli:olga")
    await one.turn()

    assert followed == Choice("resend", "smtp", {"ses": 10})
    assert one.providers.choice == CONFIGURED
    assert [(line["event"], line["primary"]) for line in logged] == [("providers.switched", "resend")]


async def test_a_worker_that_starts_follows_the_switch_before_it_sends(db: Database) -> None:
    await switched(db, Choice("resend"))
    late = Process(db, "late")

    await late.start()

    assert late.providers.choice == Choice("resend")


@pytest.mark.parametrize("configured", [Choice("smtp"), Choice("resend", "smtp")])
async def test_a_start_with_another_configuration_removes_the_switch_for_all_and_says_so(
    one: Process, db: Database, superuser: Superuser, configured: Choice
) -> None:
    await switched(db, Choice("resend", "ses"))
    await one.turn()
    other = Process(db, "other", configured)

    with structlog.testing.capture_logs() as logged:
        await other.start()
    await one.turn()

    assert other.providers.choice == configured
    assert one.providers.choice == CONFIGURED
    assert [line["event"] for line in logged] == ["providers.switch_removed"]
    assert await actions(superuser) == [
        ("cli:olga", "providers.switched"),
        ("worker other", "providers.switch_removed"),
    ]


async def test_a_switch_to_what_is_not_configured_is_refused_once_and_changes_nothing(
    one: Process, db: Database
) -> None:
    await switched(db, Choice("pigeon", "smtp"))

    with structlog.testing.capture_logs() as logged:
        await one.turn()
        await one.turn()
    kept = one.providers.choice
    await switched(db, Choice("resend", "smtp"))
    await one.turn()

    assert kept == CONFIGURED
    assert [(line["event"], line["log_level"], line["provider"]) for line in logged] == [
        ("providers.switch_refused", "error", "'pigeon'")
    ]
    assert one.providers.choice == Choice("resend", "smtp")


async def test_an_account_that_is_used_up_rests_in_all_processes_until_the_operator_ends_it(
    one: Process, db: Database
) -> None:
    two = Process(db, "two")
    await two.start()
    await one.uses_up("resend")

    await one.turn()
    await two.turn()
    both = [process.providers.pause("resend", DOMAIN) for process in (one, two)]
    told = [(process.paused("smtp"), process.paused("resend")) for process in (one, two)]
    async with db.everyone(Role.PLATFORM) as connection:
        await resume(connection, "resend", "cli:olga")
    for process in (one, two):
        await process.turn()

    assert both[0] is not None
    assert both[0] == both[1]
    assert both[0].reason is PauseReason.QUOTA
    assert [process.rests("resend") for process in (one, two)] == [False, False]
    assert told == [(0, 1), (0, 1)]
    assert [(process.paused("smtp"), process.paused("resend")) for process in (one, two)] == [(0, 0), (0, 0)]


async def test_who_starts_later_knows_who_rests(one: Process, db: Database) -> None:
    await one.uses_up("resend")
    await one.turn()
    late = Process(db, "late")

    await late.start()

    assert late.rests("resend")


async def test_what_was_learnt_while_postgres_is_away_is_told_when_it_is_back(one: Process, db: Database) -> None:
    two = Process(db, "two")
    await one.uses_up("resend")
    one.settings.is_away = True
    with pytest.raises(UnavailableError):
        await one.turn()
    rested_meanwhile = one.rests("resend")

    one.settings.is_away = False
    await one.turn()
    await two.start()

    assert rested_meanwhile
    assert one.rests("resend")
    assert two.rests("resend")


async def test_a_rate_s_rest_is_shared_too_and_ends_by_itself(one: Process, db: Database) -> None:
    two = Process(db, "two")
    rest = Pause(datetime.now(UTC) + timedelta(minutes=1), PauseReason.THROTTLED)
    await one.settings.rest({"resend": rest})

    await two.start()

    assert two.providers.pause("resend", DOMAIN) == rest


async def waiting_for(superuser: Superuser, tenant: UUID, reason: str, number: int) -> UUID:
    return await superuser.enqueue(tenant, number, due_at=datetime.now(UTC) + timedelta(days=6), reason=reason)


async def soon(superuser: Superuser) -> set[UUID]:
    rows = await superuser.sql("select notification_id from send_queue where due_at < now() + interval '16 seconds'")
    return {row[0] for row in rows}


async def test_a_switch_lets_go_what_waits_for_a_provider_and_nothing_else(
    one: Process, db: Database, superuser: Superuser, tenant: UUID
) -> None:
    waiting = {await waiting_for(superuser, tenant, reason, n) for n, reason in enumerate(("breaker", "throttled"))}
    for number, reason in enumerate(("quiet_hours", "retry", "rate"), start=5):
        await waiting_for(superuser, tenant, reason, number)

    await switched(db, Choice("resend"))
    await one.turn()

    assert await soon(superuser) == waiting


async def test_an_account_that_is_resumed_lets_go_what_waited_for_it(
    one: Process, db: Database, superuser: Superuser, tenant: UUID
) -> None:
    await one.uses_up("smtp")
    await one.turn()
    waiting = await waiting_for(superuser, tenant, "breaker", 1)
    await one.turn()
    before = await soon(superuser)

    async with db.everyone(Role.PLATFORM) as connection:
        await resume(connection, "smtp", "cli:olga")
    await one.turn()

    assert (before, await soon(superuser)) == (set(), {waiting})


@pytest.mark.parametrize("split", ['{"resend": 500}', '{"resend": "abc"}', '{"smtp": 50}'])
async def test_a_switch_that_makes_no_sense_stops_no_worker(one: Process, superuser: Superuser, split: str) -> None:
    await superuser.sql(
        "insert into provider_choice (primary_provider, split, configured_primary, configured_fallback, changed_by)"
        " values ('smtp', $1::jsonb, $2, $3, 'by hand')",
        split,
        CONFIGURED.primary,
        CONFIGURED.fallback,
    )

    with structlog.testing.capture_logs() as logged:
        await one.start()

    assert one.providers.choice == CONFIGURED
    assert "providers.switch_unreadable" in {line["event"] for line in logged}


@pytest.mark.parametrize("values", ["'infinity', 'quota'", "now() + interval '1 hour', null"])
async def test_a_rest_without_an_end_or_a_reason_cannot_be_written(superuser: Superuser, values: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.sql(
            f"insert into provider_settings (provider, paused_until, pause_reason) values ('smtp', {values})"  # noqa: S608 - of this test
        )
