"""Batches that fail: what is to blame is found, what is not goes on, and nothing is blamed for what is away."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from consumers.bus import RedisBus
from consumers.identity import Identity
from consumers.read_ahead import ReadAhead
from consumers.sender import Sender
from consumers.source import MAX_DELIVERIES, Source
from notifications.entry import Entry
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted
from notifications.ports import FencedError, UnavailableError
from notifications.status import Reason
from notifications.tracing import LineTracer
from providers.choice import Choice
from providers.manager import ProviderManager
from storage.workers import Workers
from tests.consumers.stores import KeptFiles, ScriptedAccount
from tests.notifications.builders import NOW
from tests.providers.scripted import ScriptedProvider

STREAM, GROUP, ME = "outbound:events", "outbound", "worker-1"


class ScriptedLine:
    """Fails as told for some entries, and settles the others."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus
        self.bad: set[str] = set()
        self.errors: list[Exception] = []
        self.batches: list[list[str]] = []
        self.given_up: list[tuple[str, Reason]] = []

    async def process(self, entries: Sequence[Entry]) -> None:
        self.batches.append([entry.entry_id for entry in entries])
        if self.errors:
            raise self.errors.pop(0)
        if self.bad & {entry.entry_id for entry in entries}:
            raise LookupError("a bug of ours")
        await self._bus.settle(entries)

    async def give_up(self, entry: Entry, reason: Reason, detail: str) -> None:
        assert detail
        self.given_up.append((entry.entry_id, reason))
        await self._bus.settle([entry])


class Scene:
    """A source with a scripted line, over a real stream; its loops do not run."""

    def __init__(self, redis: Redis, identity: Identity, workers: Workers, metrics: LineMetrics) -> None:
        self.redis = redis
        self.bus = RedisBus(redis, redis, [STREAM], GROUP)
        self.line = ScriptedLine(self.bus)
        self.ahead = ReadAhead([STREAM], max_entries=1000, max_bytes=1_000_000)
        self.is_storage_up = [True]
        self.source = Source(
            bus=self.bus,
            line=self.line,
            channel=_NoChannel(),
            identity=identity,
            workers=workers,
            sender=_a_sender(identity, metrics),
            read_ahead=self.ahead,
            metrics=metrics,
            is_storage_up=self._storage,
            batch_size=64,
            batch_max=256,
        )

    async def _storage(self) -> bool:
        return self.is_storage_up.pop(0) if len(self.is_storage_up) > 1 else self.is_storage_up[0]

    async def read(self, count: int, consumer: str = ME) -> list[Entry]:
        """Put entries on the stream, read them and hold them, as the source's loops do."""
        await self.bus.ensure_groups()
        for _ in range(count):
            await self.redis.xadd(STREAM, {"data": "x"})
        entries = await self.bus.read(consumer, count, 1 << 20)
        for entry in entries:
            self.ahead.admit(entry)
        self.ahead.batch(count)
        return entries

    async def deliveries(self) -> dict[str, int]:
        found = await self.redis.xpending_range(STREAM, GROUP, "-", "+", 100)
        return {item["message_id"].decode(): item["times_delivered"] for item in found}


class _NoChannel:
    async def put(self, batch: Sequence[Entry]) -> None:
        raise AssertionError(batch)


class _NoRecord:
    def put(self, attempted: Attempted) -> None:
        raise AssertionError(attempted)


def _a_sender(identity: Identity, metrics: LineMetrics) -> Sender:
    return Sender(
        providers=ProviderManager({"smtp": ScriptedProvider("smtp")}, Choice("smtp")),
        account=ScriptedAccount(),
        files=KeptFiles(),
        identity=identity,
        record=_NoRecord(),
        tracer=LineTracer(None),
        metrics=metrics,
        clock=lambda: NOW,
        at_once=1,
        capacity=1,
        drain_seconds=0,
    )


@pytest.fixture
def scene(redis: Redis, identity: Identity, workers: Workers, metrics: LineMetrics) -> Scene:
    return Scene(redis, identity, workers, metrics)


async def test_a_batch_that_goes_well_is_forgotten(scene: Scene) -> None:
    entries = await scene.read(3)

    await scene.source.run(entries)

    assert [len(batch) for batch in scene.line.batches] == [3]
    assert await scene.deliveries() == {}
    assert scene.ahead.room == 1000


async def test_the_one_that_makes_a_batch_fail_is_found_and_the_others_are_done(scene: Scene) -> None:
    entries = await scene.read(4)
    bad = entries[2].entry_id
    scene.line.bad = {bad}

    await scene.source.run(entries)

    assert [len(batch) for batch in scene.line.batches] == [4, 1, 1, 1, 1]
    assert await scene.deliveries() == {bad: 2}
    assert scene.ahead.holds(STREAM, bad)
    assert scene.ahead.room == 999


@pytest.mark.parametrize("error", [UnavailableError("Postgres: OSError"), FencedError("adopted")])
async def test_what_is_away_is_no_entry_s_fault(scene: Scene, error: Exception) -> None:
    entries = await scene.read(2)
    scene.line.errors = [error]

    await scene.source.run(entries)

    assert [len(batch) for batch in scene.line.batches] == [2, 2]
    assert await scene.deliveries() == {}


async def test_an_error_of_any_kind_counts_against_nobody_while_the_database_does_not_work(scene: Scene) -> None:
    entries = await scene.read(2)
    scene.line.errors = [LookupError("who knows")]
    scene.is_storage_up = [False, True]

    await scene.source.run(entries)

    assert [len(batch) for batch in scene.line.batches] == [2, 2]
    assert await scene.deliveries() == {}


async def test_the_fifth_delivery_that_fails_is_the_last(scene: Scene) -> None:
    [entry] = await scene.read(1)
    scene.line.bad = {entry.entry_id}
    last = Entry(stream=entry.stream, entry_id=entry.entry_id, fields=entry.fields, deliveries=MAX_DELIVERIES)

    await scene.source.run([last])

    assert scene.line.batches == [[entry.entry_id]]
    assert scene.line.given_up == [(entry.entry_id, Reason.POISON)]
    assert await scene.deliveries() == {}
    assert scene.ahead.room == 1000


async def test_what_ended_five_processes_is_given_up_untouched(scene: Scene) -> None:
    [entry] = await scene.read(1, "dead")
    for _ in range(MAX_DELIVERIES - 1):
        await scene.bus.redeliver("dead", entry)
    [abandoned] = await scene.bus.take_over(ME, "dead".__eq__, lambda _stream, _id: False, 10)

    await scene.source.run([abandoned])

    assert abandoned.deliveries == MAX_DELIVERIES
    assert scene.line.batches == []
    assert scene.line.given_up == [(entry.entry_id, Reason.POISON)]


async def test_what_was_only_read_ahead_by_the_dead_is_counted_when_its_work_begins(scene: Scene) -> None:
    [entry] = await scene.read(1, "dead")
    [abandoned] = await scene.bus.take_over(ME, "dead".__eq__, lambda _stream, _id: False, 10)
    scene.line.bad = {entry.entry_id}
    before = await scene.deliveries()

    await scene.source.run([abandoned])

    assert before == {entry.entry_id: 1}
    assert await scene.deliveries() == {entry.entry_id: 3}
