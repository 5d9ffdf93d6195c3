"""Redis or Postgres is killed under a running worker and comes back: it stays, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import redis

from outbound.dev.process import Server, free_port
from outbound.dev.servers import start_postgres, start_valkey
from storage.migrate import upgrade
from tests.chaos.conftest import environment
from tests.chaos.harness import GROUP, STREAMS, Field, arrived_at, chaos_events, lines, reach
from tests.chaos.worker import WorkerProcess
from tests.wires.sink import SinkProcess

EVENTS = chaos_events(1_000)
TIMES = int(os.environ.get("OUTBOUND_CHAOS_RESTARTS") or 3)
AWAY_SECONDS = 0.7


class Mortal:
    """A server that can be killed, and started again on the same port and data."""

    def __init__(self, start: Callable[..., Server], folder: Path) -> None:
        self._port = free_port()
        self._start = start
        self._folder = folder
        self.server = start(folder, durable=True, port=self._port)
        self.url = self.server.url

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.guard.wait()

    def stop(self) -> None:
        self.server.stop()

    def restart(self) -> None:
        self.server.stop()
        self.server = self._start(self._folder, durable=True, port=self._port)
        if self.server.url != self.url:
            # A new password, as each start of this server makes one: back to the one its clients know.
            with redis.Redis.from_url(self.server.url) as client:
                client.config_set("requirepass", urlsplit(self.url).password or "")


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: it is closed to the user that root becomes for Postgres.
    with TemporaryDirectory(prefix="outbound-chaos-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def redis_server(folder: Path) -> Iterator[Mortal]:
    with ExitStack() as stack:
        mortal = Mortal(start_valkey, folder / "valkey")
        stack.callback(mortal.stop)
        yield mortal


@pytest.fixture
async def postgres_server(folder: Path) -> AsyncIterator[Mortal]:
    mortal = Mortal(start_postgres, folder / "postgres")
    try:
        await upgrade(mortal.url)
        yield mortal
    finally:
        mortal.server.stop()


async def started(ground: Field) -> WorkerProcess:
    worker = ground.worker_process()
    worker.start()
    await worker.ready()
    return worker


async def interrupted(ground: Field, sink: SinkProcess, server: Mortal) -> list[str]:
    """Take a server away from a worker in full swing, and bring it back, more than once."""
    events = await ground.publish_many(EVENTS)
    for number in range(1, TIMES + 1):
        await reach(lambda: lines(sink.log), number * EVENTS // (TIMES + 1) + random.randint(0, 50))  # noqa: S311 - a moment
        server.kill()
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(server.restart)
    await ground.quiet(seconds=60)
    return events


@pytest.mark.chaos
async def test_redis_is_killed_and_comes_back(
    database: str, redis_server: Mortal, sink: SinkProcess, tmp_path: Path
) -> None:
    url = redis_server.url
    ground = Field(database=database, redis_url=url, environment=environment(database, url, sink.port), folder=tmp_path)
    try:
        worker = await started(ground)
        pid = worker.pid

        events = await interrupted(ground, sink, redis_server)

        tally = await ground.tally(events, arrived_at(sink.log))
        print("\n" + tally.summary("Redis restarts"))  # noqa: T201 - the figures are the result
        assert (worker.is_running, worker.pid) == (True, pid)
        tally.assert_nothing_lost()
        tally.assert_doubles_are_flagged()
        tally.assert_told_once()
    finally:
        ground.end_everything()


@pytest.mark.chaos
async def test_postgres_is_killed_and_comes_back(
    postgres_server: Mortal, redis_url: str, sink: SinkProcess, tmp_path: Path
) -> None:
    url = postgres_server.url
    ground = Field(
        database=url, redis_url=redis_url, environment=environment(url, redis_url, sink.port), folder=tmp_path
    )
    try:
        worker = await started(ground)
        pid = worker.pid

        events = await interrupted(ground, sink, postgres_server)

        tally = await ground.tally(events, arrived_at(sink.log))
        print("\n" + tally.summary("Postgres restarts"))  # noqa: T201 - the figures are the result
        assert (worker.is_running, worker.pid) == (True, pid)
        tally.assert_nothing_lost()
        tally.assert_doubles_are_flagged()
        tally.assert_told_once()
    finally:
        ground.end_everything()


@pytest.mark.chaos
async def test_a_deleted_stream_does_not_end_the_worker(ground: Field, sink: SinkProcess) -> None:
    worker = await started(ground)
    events = await ground.publish_many(100)
    await ground.quiet()

    async with ground.redis() as client:
        await client.delete(*STREAMS)
        assert not await client.exists(STREAMS[1])
        events += await ground.publish_many(100, first=100)
        await reach(lambda: lines(sink.log), 200)
        assert [group["name"] for group in await client.xinfo_groups(STREAMS[1])] == [GROUP.encode()]
    await ground.quiet()

    tally = await ground.tally(events, arrived_at(sink.log))
    assert worker.is_running
    tally.assert_nothing_lost()
