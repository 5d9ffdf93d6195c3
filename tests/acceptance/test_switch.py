"""Two workers under load, and an operator who leaves a slow provider for another one and comes back."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.dev_command import OUTBOUND
from tests.chaos.conftest import environment
from tests.chaos.harness import Field, arrived_at, lines, reach
from tests.wires.resend import ResendWire, resend_wire
from tests.wires.sink import SinkProcess

PROMISE = timedelta(seconds=2)
WORKERS = ("worker-1", "worker-2")
PER_SECOND, BURSTS_PER_SECOND = 50, 10


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    """A relay so slow that mail heaps up before it: 2 workers with 4 connections are good for 20 mails a second."""
    with SinkProcess(tmp_path, reply_delay=timedelta(milliseconds=400)) as sink:
        yield sink


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


@pytest.fixture
def field(database: str, redis_url: str, sink: SinkProcess, resend: ResendWire, tmp_path: Path) -> Iterator[Field]:
    both = {
        "EMAIL_FALLBACK_PROVIDER": "resend",
        "RESEND_API_KEY": "re_test_key",
        "RESEND_API_URL": resend.base_url,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "RESEND_RATE_PER_SECOND": "1000",
        "OUTBOUND_CONNECTIONS": "4",
    }
    field = Field(
        database=database,
        redis_url=redis_url,
        environment=environment(database, redis_url, sink.port) | both,
        folder=tmp_path,
    )
    try:
        yield field
    finally:
        field.end_everything()


@asynccontextmanager
async def load(field: Field) -> AsyncIterator[list[str]]:
    """Publish 50 events a second, of five tenants in turn, until the block ends; collect their ids."""
    tenants = [await field.add_tenant(f"Tenant {number}") for number in range(5)]
    published: list[str] = []

    async def publish() -> None:
        while True:
            first = len(published)
            events = [
                field.ticket(f"T-{number}", id=f"evt-{number}", tenant=tenants[number % len(tenants)])
                for number in range(first, first + PER_SECOND // BURSTS_PER_SECOND)
            ]
            await field.publish(*events)
            published.extend(event["id"] for event in events)
            await asyncio.sleep(1 / BURSTS_PER_SECOND)

    publishing = asyncio.create_task(publish())
    yield published
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    # What was on its way when it was cancelled counts too.
    rows = await field.sql("select event_id from consumed_events")
    published.extend({row["event_id"] for row in rows} - set(published))


async def command(field: Field, *words: str) -> str:
    """Run `outbound providers …` as the operator does, and return what it said."""

    def run() -> str:
        done = subprocess.run(
            [OUTBOUND, "providers", *words],
            env={**os.environ, **field.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return await asyncio.to_thread(run)


async def moment_of(field: Field, action: str) -> datetime:
    """Return when the operator's command was carried out, on the database's clock."""
    [row] = await field.sql("select created_at from audit_log where action = $1", action)
    return row["created_at"]


async def begun(field: Field, provider: str, since: datetime, until: datetime) -> dict[str, list[float]]:
    """Return, for each worker, how long after `since` it began attempts at a provider, before `until`."""
    rows = await field.sql(
        "select split_part(worker, ':', 1) as worker, started_at from delivery_attempts"
        " where provider = $1 and started_at > $2 and started_at < $3 order by started_at",
        provider,
        since,
        until,
    )
    found: dict[str, list[float]] = {worker: [] for worker in WORKERS}
    for row in rows:
        found[row["worker"]].append((row["started_at"] - since).total_seconds())
    return found


async def test_a_switch_takes_effect_in_every_worker_within_two_seconds_and_so_does_the_way_back(
    field: Field, sink: SinkProcess, resend: ResendWire
) -> None:
    workers = [field.worker_process(name) for name in WORKERS]
    for worker in workers:
        worker.start()
    for worker in workers:
        await worker.ready()

    async with load(field) as events:
        await reach(lambda: lines(sink.log), 40)
        said = await command(field, "switch", "resend")
        await asyncio.sleep(PROMISE.total_seconds() + 1)
        await command(field, "reset")
        await asyncio.sleep(PROMISE.total_seconds() + 1)
    await field.quiet()

    there, back = await moment_of(field, "providers.switched"), await moment_of(field, "providers.switch_removed")
    end = back + timedelta(hours=1)
    at_smtp, at_resend = await begun(field, "smtp", there, back), await begun(field, "resend", back, end)
    started = await begun(field, "resend", there, back), await begun(field, "smtp", back, end)
    print("\n" + _summary(len(events), at_smtp, at_resend, started))  # noqa: T201 - the figures are the result
    assert "primary resend, fallback smtp" in said
    for late in (*at_smtp.values(), *at_resend.values()):
        assert [seconds for seconds in late if seconds > PROMISE.total_seconds()] == []
    assert all(first_ones for provider in started for first_ones in provider.values())
    arrived = arrived_at(sink.log) + Counter(mail.idempotency_key for mail in resend.accepted)
    tally = await field.tally(events, arrived)
    tally.assert_nothing_lost()
    assert (tally.doubles, tally.uncertain) == (set(), set())
    tally.assert_told_once()
    assert await field.sql("select 1 from delivery_attempts where outcome <> 'accepted'") == []


def _summary(events: int, at_smtp: dict[str, list[float]], at_resend: dict[str, list[float]], started: Any) -> str:
    """Return the figures in one line each."""
    there, back = started
    return "\n".join(
        [
            f"switch under {PER_SECOND} events/s: {events} events",
            *(
                f"{worker}: last new attempt at smtp {max(at_smtp[worker], default=0):.2f} s after the switch"
                f" ({len(at_smtp[worker])} in all), first at resend after {min(there[worker], default=0):.2f} s;"
                f" back: last at resend {max(at_resend[worker], default=0):.2f} s ({len(at_resend[worker])}),"
                f" first at smtp {min(back[worker], default=0):.2f} s"
                for worker in WORKERS
            ),
        ]
    )
