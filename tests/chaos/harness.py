"""Workers that die, the mails they had in hand, and the counts that must come out all the same."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.worker import WorkerProcess
from tests.line.harness import TERMINAL, Line
from tests.wires.sink import read_log

STREAMS = ("outbound:events:urgent", "outbound:events")
GROUP = "outbound"
TENANTS = 5
_PIPELINED = 500
_POLL_SECONDS = 0.02


@dataclass
class Field(Line):
    """A line whose workers are processes, and whose end is counted instead of looked at."""

    folder: Path = field(default_factory=Path)
    workers: list[WorkerProcess] = field(default_factory=list)

    def worker_process(self, name: str = "worker-1", **more: str) -> WorkerProcess:
        """Return a worker that is not started yet."""
        worker = WorkerProcess(name, self.environment | more, self.folder)
        self.workers.append(worker)
        return worker

    def end_everything(self) -> None:
        """Kill what a test left running, frozen or not."""
        for worker in self.workers:
            if worker.is_running:
                worker.kill()

    async def publish_many(self, count: int, *, first: int = 0) -> list[str]:
        """Put events on the bus, in turn for each of a handful of tenants, and return their ids."""
        tenants = [await self.add_tenant(f"Tenant {number}") for number in range(TENANTS)]
        events = [
            self.ticket(
                f"T-{number}",
                id=f"evt-{number}",
                tenant=tenants[number % TENANTS],
                person={"role": "requester", "user_id": f"u-{number}", "email": f"person{number}@example.com"},
            )
            for number in range(first, first + count)
        ]
        async with self.redis() as client:
            for start in range(0, count, _PIPELINED):
                async with client.pipeline(transaction=False) as pipe:
                    for event in events[start : start + _PIPELINED]:
                        pipe.xadd(STREAMS[1], {"data": json.dumps(event)})
                    await pipe.execute()
        return [event["id"] for event in events]

    async def owned(self) -> int:
        """Return how many rows a worker has in hand."""
        [row] = await self.sql("select count(*) from send_queue where owner is not null")
        return row[0]

    async def waiting_for_locks(self) -> int:
        """Return how many statements in our database wait for another transaction."""
        [row] = await self.sql(
            "select count(*) from pg_locks l join pg_stat_activity a using (pid)"
            " where not l.granted and a.datname = current_database()"
        )
        return row[0]

    async def end_sessions(self) -> None:
        """End what killed workers were waiting for: Postgres misses a client only when it has something to say."""
        connection = await asyncpg.connect(self.database, server_settings={"application_name": "chaos"})
        try:
            await connection.fetch(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and application_name like 'outbound %'"
            )
        finally:
            await connection.close()

    async def quiet(self, *, seconds: float = 60) -> None:
        """Wait until nothing is left to do: no queue row, nothing pending or unread, no delivery event to publish."""
        until = time.monotonic() + seconds
        while left := await self._left():
            if time.monotonic() > until:
                raise AssertionError(f"not quiet within {seconds} s: {left}; {self.last_words()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _left(self) -> dict[str, int]:
        # The stream before the queue: an entry leaves it only after its rows are in the other.
        async with self.redis() as client:
            unread = sum([await client.xlen(stream) for stream in STREAMS])
            pending = sum([(await client.xpending(stream, GROUP))["pending"] for stream in STREAMS])
        [row] = await self.sql(
            "select (select count(*) from send_queue) as queue, (select count(*) from outbox) as outbox"
        )
        counts = {"queue": row["queue"], "outbox": row["outbox"], "unread": unread, "pending": pending}
        return {name: count for name, count in counts.items() if count}

    def last_words(self) -> list[str]:
        """Return the last thing each worker logged above information, for a failure's message."""
        return [
            json.dumps(record)
            for worker in self.workers
            for record in worker.records()
            if record.get("level") != "info"
        ][-5:]

    async def tally(self, event_ids: list[str], arrived: Counter[str]) -> Tally:
        """Count everything, once it is quiet."""
        rows = await self.notifications()
        return Tally(events=event_ids, rows=rows, arrived=arrived, deliveries=await self.deliveries())


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What became of the events: our rows, what the far end took by notification id, and the delivery events."""

    events: list[str]
    rows: list[dict[str, Any]]
    arrived: Counter[str]
    deliveries: list[dict[str, Any]]

    @property
    def uncertain(self) -> set[str]:
        """The notifications of which we said at some time that we do not know."""
        return set(self.doubts)

    @property
    def doubts(self) -> Counter[str]:
        """How often we said of each notification that we do not know whether it was taken."""
        doubted = (str(row["id"]) for row in self.rows for step in row["trail"] if step["status"] == "uncertain")
        return Counter(doubted)

    @property
    def doubles(self) -> set[str]:
        return {notification for notification, count in self.arrived.items() if count > 1}

    @property
    def accepted_events(self) -> set[str]:
        """The ids of the delivery events that say accepted; one that comes twice has the same id."""
        return {event["id"] for event in self.deliveries if event["type"] == "email.accepted.v1"}

    def assert_nothing_lost(self) -> None:
        """Every event led to one notification, every notification is terminal and was taken by the far end."""
        assert sorted(row["event_id"] for row in self.rows) == sorted(self.events)
        assert Counter(row["status"] for row in self.rows) == {"accepted": len(self.events)}
        assert {str(row["id"]) for row in self.rows} == set(self.arrived)

    def assert_doubles_are_flagged(self) -> None:
        """Each copy beyond the first has an `uncertain` of its own."""
        assert {mail: count for mail, count in self.arrived.items() if count - 1 > self.doubts[mail]} == {}

    def assert_told_once(self) -> None:
        """Exactly one acceptance a notification was told, however often."""
        told = {event["id"]: event["subject"] for event in self.deliveries if event["type"] == "email.accepted.v1"}
        assert sorted(told.values()) == sorted(str(row["id"]) for row in self.rows)

    def summary(self, title: str, **more: object) -> str:
        """Return the figures in one line."""
        figures = {
            "events": len(self.events),
            "terminal": sum(row["status"] in TERMINAL for row in self.rows),
            "arrived": len(self.arrived),
            "lost": len({str(row["id"]) for row in self.rows} - set(self.arrived)),
            "uncertain": len(self.uncertain),
            "doubles": len(self.doubles),
            "doubles not flagged": len(self.doubles - self.uncertain),
            "accepted events": len(self.accepted_events),
        }
        return f"{title}: " + ", ".join(f"{name} {value}" for name, value in (figures | more).items())


def arrived_at(log: Path) -> Counter[str]:
    """Count the mails in a sink's log by notification."""
    counted: Counter[str] = Counter()
    for message_id, count in read_log(log).items():
        counted[message_id.partition("@")[0]] += count
    return counted


def lines(log: Path) -> int:
    """Return how many mails are in a sink's log."""
    return log.read_bytes().count(b"\n") if log.exists() else 0


async def reach(
    count: Callable[[], int], target: int, *, worker: WorkerProcess | None = None, seconds: float = 60
) -> None:
    """Wait until a count is at least `target`; not in vain, where the worker that is to bring it about has ended."""
    until = time.monotonic() + seconds
    while (now := count()) < target:
        if worker is not None and not worker.is_running:
            raise AssertionError(f"{worker.name} has ended; its last words: {worker.records()[-3:]}")
        if time.monotonic() > until:
            raise AssertionError(f"{now} of {target} within {seconds} s")
        await asyncio.sleep(_POLL_SECONDS / 4)


def chaos_events(default: int) -> int:
    """Return how many events a run has: OUTBOUND_CHAOS_EVENTS, or what fits a quick run."""
    return int(os.environ.get("OUTBOUND_CHAOS_EVENTS") or default)
