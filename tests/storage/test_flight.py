"""Flight marks: made while the hash is open, read and closed by whoever adopts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from notifications.ports import UnavailableError
from outbound.wiring import connect_redis
from storage.flight import FlightMarks, close_and_read, flight_key, run_id

NAME, EPOCH = "worker-1", 7
FIRST, SECOND = uuid4(), uuid4()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect_redis(redis_url) as client:
        yield client


@pytest.fixture
async def marks(redis: Redis) -> FlightMarks:
    marks = FlightMarks(redis, NAME, EPOCH)
    await marks.open()
    return marks


async def read(redis: Redis) -> frozenset[tuple[UUID, int]] | None:
    return await close_and_read(redis, NAME, EPOCH, await run_id(redis))


async def test_the_adopter_reads_what_was_begun_and_not_yet_recorded(redis: Redis, marks: FlightMarks) -> None:
    begun = [await marks.begin(FIRST, 1), await marks.begin(SECOND, 1), await marks.begin(SECOND, 2)]
    await marks.clear([(SECOND, 1)])
    await marks.clear([])

    assert begun == [True] * 3
    assert await read(redis) == {(FIRST, 1), (SECOND, 2)}


async def test_after_adoption_nothing_may_begin_and_the_marks_stay_readable(redis: Redis, marks: FlightMarks) -> None:
    await marks.begin(FIRST, 1)
    first = await read(redis)

    refused = await marks.begin(SECOND, 1)

    assert refused is False
    assert first == await read(redis) == {(FIRST, 1)}


async def test_every_mark_made_beside_an_adoption_is_refused_or_read(redis: Redis, marks: FlightMarks) -> None:
    ids = [uuid4() for _ in range(200)]

    async def begin(position: int, id_: UUID) -> bool:
        await asyncio.sleep(position * 0.0002)
        return await marks.begin(id_, 1)

    async def adopt() -> frozenset[tuple[UUID, int]] | None:
        await asyncio.sleep(0.01)
        return await read(redis)

    *begun, adopted = await asyncio.gather(*(begin(*one) for one in enumerate(ids)), adopt())

    allowed = {(id_, 1) for id_, may in zip(ids, begun, strict=True) if may}
    assert adopted == allowed
    assert 0 < len(allowed) < 200


async def test_before_it_is_opened_nothing_may_begin(redis: Redis) -> None:
    assert await FlightMarks(redis, NAME, EPOCH).begin(FIRST, 1) is False
    assert await redis.exists(flight_key(NAME, EPOCH)) == 0


async def test_many_at_once_are_marked_with_few_calls(redis: Redis, marks: FlightMarks) -> None:
    await marks.begin(FIRST, 1)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]

    begun = await asyncio.gather(*(marks.begin(uuid4(), 1) for _ in range(100)))

    after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    marked = await read(redis)
    assert begun == [True] * 100
    assert after - before <= 2
    assert marked is not None
    assert len(marked) == 101


async def test_who_stops_waiting_for_a_mark_takes_nobody_else_s_with_it(marks: FlightMarks) -> None:
    impatient = asyncio.create_task(marks.begin(FIRST, 1))
    patient = asyncio.create_task(marks.begin(SECOND, 1))
    await asyncio.sleep(0)
    impatient.cancel()

    assert await patient is True


async def test_the_marks_are_lost_with_their_hash_or_with_their_redis(redis: Redis, marks: FlightMarks) -> None:
    await marks.begin(FIRST, 1)

    assert await close_and_read(redis, NAME, EPOCH, "another run") is None
    await marks.remove()
    assert await read(redis) is None
    assert await marks.begin(FIRST, 2) is False


async def test_two_epochs_of_one_name_have_marks_of_their_own(redis: Redis, marks: FlightMarks) -> None:
    newer = FlightMarks(redis, NAME, EPOCH + 1)
    await newer.open()
    await read(redis)

    assert await newer.begin(FIRST, 1) is True
    assert await read(redis) == frozenset()


async def test_while_redis_is_away_nothing_begins_and_adoption_waits() -> None:
    async with connect_redis("redis://127.0.0.1:1/0") as away:
        marks = FlightMarks(away, NAME, EPOCH)

        assert await marks.begin(FIRST, 1) is False
        await marks.clear([(FIRST, 1)])
        await marks.remove()
        with pytest.raises(UnavailableError):
            await marks.open()
        with pytest.raises(UnavailableError):
            await close_and_read(away, NAME, EPOCH, "run")
