"""Who this worker is: an epoch that lives as long as its heart beats, and what it may do meanwhile."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from consumers.identity import Identity, NameInUseError
from notifications.ports import UnavailableError
from storage.flight import close_and_read, flight_key
from storage.workers import Worker, Workers
from tests.storage.rows import Superuser

ID = uuid4()


async def ended(superuser: Superuser, worker: Worker) -> None:
    await superuser.sql("update workers set alive_until = now() - interval '1 second' where id = $1", worker.id)


@pytest.fixture
async def no_writes(redis: Redis) -> AsyncIterator[Redis]:
    """A Redis that answers and takes nothing, as one that still loads its file."""
    await redis.config_set("maxmemory", "1")
    try:
        yield redis
    finally:
        await redis.config_set("maxmemory", "0")


async def test_a_registered_worker_may_begin_attempts_of_its_own_epoch_only(identity: Identity, redis: Redis) -> None:
    worker = identity.worker

    assert identity.is_fresh()
    assert await identity.begin(identity.owner, ID, 1) is True
    assert await identity.begin(identity.owner - 1, ID, 2) is False
    await identity.landed([])
    assert await close_and_read(redis, worker.name, worker.id, worker.redis_run_id) == {(ID, 1)}


async def test_an_outcome_that_is_committed_takes_its_mark_away(identity: Identity, redis: Redis) -> None:
    worker = identity.worker
    await identity.begin(identity.owner, ID, 1)

    await identity.landed([(ID, 1)])

    assert await close_and_read(redis, worker.name, worker.id, worker.redis_run_id) == frozenset()


async def test_after_a_life_has_ended_a_new_epoch_begins_once_the_old_work_is_put_down(
    identity: Identity, superuser: Superuser
) -> None:
    old = identity.owner
    seen: list[tuple[int, bool]] = []

    async def quiesce() -> None:
        seen.append((identity.owner, identity.is_fresh()))

    identity.quiesce = quiesce
    await ended(superuser, identity.worker)

    await identity._beat_once()

    assert seen == [(old, False)]
    assert identity.owner > old
    assert identity.is_fresh()
    assert await identity.begin(old, ID, 1) is False
    assert await identity.begin(identity.owner, ID, 1) is True


async def test_another_redis_is_another_epoch(identity: Identity, workers: Workers) -> None:
    old = identity.owner
    identity._worker = replace(identity.worker, redis_run_id="the one before")

    await identity._beat_once()

    assert identity.owner > old
    assert {worker.id for worker in await workers.all()} == {old, identity.owner}


async def test_a_redis_that_takes_no_marks_stops_the_sending_and_not_the_worker(
    identity: Identity, superuser: Superuser, no_writes: Redis
) -> None:
    await ended(superuser, identity.worker)

    with pytest.raises(UnavailableError):
        await identity._beat_once()
    without_marks = (identity.is_fresh(), await identity.begin(identity.owner, ID, 1))
    with pytest.raises(UnavailableError):
        await identity._beat_once()
    await no_writes.config_set("maxmemory", "0")
    await identity._beat_once()

    assert without_marks == (False, False)
    assert identity.is_fresh()
    assert await identity.begin(identity.owner, ID, 1) is True


async def test_who_was_replaced_stops(identity: Identity, workers: Workers) -> None:
    await workers.register("worker-1", host="elsewhere", pid=1, redis_run_id="run")

    with pytest.raises(NameInUseError):
        await identity._beat_once()


@pytest.mark.parametrize("owns_something", [False, True])
async def test_who_leaves_with_nothing_is_forgotten_at_once(
    identity: Identity, workers: Workers, superuser: Superuser, redis: Redis, tenant: UUID, owns_something: bool
) -> None:
    if owns_something:
        await superuser.enqueue(tenant, 1, owner=identity.owner)

    await identity.on_stop()

    assert len(await workers.all()) == int(owns_something)
    assert await redis.exists(flight_key("worker-1", identity.owner)) == int(owns_something)


async def test_the_name_of_a_process_that_is_gone_is_free(workers: Workers, redis: Redis) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    await workers.register("worker-1", host=socket.gethostname(), pid=gone.pid, redis_run_id="run")
    identity = Identity(workers, redis, "worker-1")

    async with asyncio.timeout(2):
        await identity.on_start()

    assert identity.is_fresh()


async def test_the_name_of_a_process_that_beats_is_not(workers: Workers, redis: Redis) -> None:
    living = await workers.register("worker-1", host=socket.gethostname(), pid=os.getppid(), redis_run_id="run")
    starting = asyncio.create_task(Identity(workers, redis, "worker-1").on_start())
    while not starting.done():
        await workers.beat(living)
        await asyncio.sleep(0.2)

    with pytest.raises(NameInUseError):
        await starting
