"""The drill on a schedule: the fallback in use, by one of all workers, and never without a word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from consumers.drill import Drill
from outbound.drill import build_drills
from outbound.email import build_providers
from outbound.settings import Settings, SettingsError, load
from outbound.wiring import open_worker
from providers.choice import Choice
from providers.manager import ProviderManager
from providers.recording import RecordingProvider
from storage.provider_settings import ProviderSettings
from storage.session import Database
from tests.line.harness import SECRET, eventually
from tests.storage.rows import Superuser
from tests.wires.smtp import Answer, SmtpWire, Step, smtp_wire

SINK = "sink@drill.example"


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
def settings(wire: SmtpWire) -> Callable[..., Settings]:
    def settings(**more: str) -> Settings:
        overrides = {
            "EMAIL_ENABLE": "true",
            "EMAIL_PROVIDER": "recording",
            "OUTBOUND_RECORDING": "true",
            "EMAIL_FALLBACK_PROVIDER": "smtp",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(wire.port),
            "EMAIL_TLS": "none",
            "EMAIL_FROM": "noreply@acme.example",
            "OUTBOUND_DRILL_ADDRESS": SINK,
            "OUTBOUND_DRILL_EVERY_HOURS": "24",
        }
        return load(overrides=overrides | more)

    return settings


@pytest.fixture
async def manager(settings: Callable[..., Settings]) -> AsyncIterator[ProviderManager]:
    manager = build_providers(settings())
    yield manager
    await manager.aclose()


def drill(
    settings: Settings, manager: ProviderManager, db: Database, registry: CollectorRegistry | None = None
) -> Drill:
    [drill] = build_drills(settings, manager, ProviderSettings(db), registry or CollectorRegistry())
    return drill


async def audited(superuser: Superuser) -> list[tuple[str, dict[str, Any]]]:
    rows = await superuser.sql("select actor, detail from audit_log where action = 'providers.drilled' order by id")
    return [(row["actor"], json.loads(row["detail"])) for row in rows]


async def test_of_two_workers_one_drills(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database, superuser: Superuser, wire: SmtpWire
) -> None:
    drills = [drill(settings(OUTBOUND_WORKER_NAME=name), manager, db) for name in ("w-1", "w-2")]

    for _ in range(2):
        await asyncio.gather(*(one._drill_once() for one in drills))

    [mail] = wire.accepted
    assert mail.rcpt_to == SINK
    [(actor, detail)] = await audited(superuser)
    assert actor in {"worker w-1", "worker w-2"}
    assert (detail["provider"], detail["outcome"], detail["reply_code"]) == ("smtp", "accepted", 250)
    row = await superuser.one("select provider, drilled_at, drill_outcome from provider_settings")
    assert (row["provider"], row["drill_outcome"]) == ("smtp", "accepted")


async def test_it_is_drilled_again_once_the_time_is_over(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database, superuser: Superuser, wire: SmtpWire
) -> None:
    one = drill(settings(), manager, db)
    await one._drill_once()
    await superuser.sql("update provider_settings set drilled_at = drilled_at - interval '24 hours'")

    await one._drill_once()

    assert len(wire.accepted) == 2


async def test_a_drill_that_fails_is_said_counted_and_recorded(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database, superuser: Superuser, wire: SmtpWire
) -> None:
    wire.at(Step.RCPT, Answer("550 5.1.1 no such user"))
    registry = CollectorRegistry()
    one = drill(settings(), manager, db, registry)

    with structlog.testing.capture_logs() as logged:
        await one._drill_once()

    [line] = [line for line in logged if line["event"] == "provider.drill_failed"]
    assert (line["log_level"], line["provider"], line["outcome"]) == ("error", "smtp", "permanent")
    assert SINK not in json.dumps(logged)
    assert registry.get_sample_value("outbound_drills_total", {"provider": "smtp", "outcome": "permanent"}) == 1
    [(_, detail)] = await audited(superuser)
    assert (detail["outcome"], detail["reply"]) == ("permanent", "550 5.1.1 no such user")


async def test_the_fallback_in_use_is_drilled_not_the_configured_one(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database, superuser: Superuser, wire: SmtpWire
) -> None:
    one = drill(settings(), manager, db)
    manager.switch(Choice("smtp", "recording"))
    await one._drill_once()
    manager.switch(Choice("smtp"))
    await one._drill_once()

    recording = manager.get("recording")
    assert isinstance(recording, RecordingProvider)
    assert [mail.rcpt_to for mail in recording.accepted] == [SINK]
    assert [detail["provider"] for _, detail in await audited(superuser)] == ["recording"]
    assert wire.accepted == []


async def test_the_service_drills_by_itself_as_soon_as_it_runs(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database, superuser: Superuser
) -> None:
    one = drill(settings(), manager, db)

    async with one:
        [(_, detail)] = await eventually(lambda: audited(superuser))

    assert detail["outcome"] == "accepted"


async def test_it_is_off_unless_it_has_a_time_and_mail_is_sent_at_all(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database
) -> None:
    shared, registry = ProviderSettings(db), CollectorRegistry()

    for off in ({"OUTBOUND_DRILL_EVERY_HOURS": "0"}, {"EMAIL_ENABLE": "false"}):
        assert build_drills(settings(**off), manager, shared, registry) == ()
    assert load(overrides={}).drill_every == timedelta(0)


async def test_a_schedule_without_a_good_address_stops_the_start(
    settings: Callable[..., Settings], manager: ProviderManager, db: Database
) -> None:
    homeless = settings().model_copy(update={"drill_address": None})

    with pytest.raises(SettingsError, match="OUTBOUND_DRILL_ADDRESS is not set"):
        drill(homeless, manager, db)
    with pytest.raises(SettingsError, match="OUTBOUND_DRILL_ADDRESS is not an address"):
        drill(settings(OUTBOUND_DRILL_ADDRESS="sink at drill"), manager, db)


async def test_a_worker_drills_on_its_schedule(
    settings: Callable[..., Settings], database: str, redis_url: str, superuser: Superuser, wire: SmtpWire
) -> None:
    configured = settings(DATABASE_URL=database, REDIS_URL=redis_url, OUTBOUND_SECRET_KEY=SECRET)

    async with open_worker(configured) as worker:
        await worker.app.start()
        try:
            [(actor, _)] = await eventually(lambda: audited(superuser))
        finally:
            await worker.app.stop()

    assert actor == f"worker {configured.worker_name}"
    assert [mail.rcpt_to for mail in wire.accepted] == [SINK]
