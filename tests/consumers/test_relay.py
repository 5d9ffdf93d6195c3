"""Delivery events on their way from the outbox to the bus."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from consumers.relay import Relay
from outbound.wiring import connect_redis
from storage.outbox import Outbox
from storage.session import Database
from tests.line.harness import eventually
from tests.notifications.builders import NOW
from tests.storage.rows import Superuser

STREAMS = {"deliveries": "outbound:deliveries", "events": "outbound:events"}


def a_relay(db: Database, redis: Redis) -> Relay:
    return Relay(outbox=Outbox(db), redis=redis, streams=STREAMS, retention=timedelta(days=7), clock=lambda: NOW)


@pytest.fixture
async def relay(db: Database, redis: Redis) -> AsyncIterator[Relay]:
    relay = a_relay(db, redis)
    await relay.start()
    yield relay
    await relay.stop()


async def tell(superuser: Superuser, first: int, last: int, stream: str = "deliveries") -> None:
    await superuser.sql(
        "insert into outbox (stream, body) select $3, jsonb_build_object('n', n) from generate_series($1::int, $2) n",
        first,
        last,
        stream,
    )


async def on(redis: Redis, stream: str) -> list[int]:
    return [json.loads(fields[b"data"])["n"] for _, fields in await redis.xrange(STREAMS[stream])]


async def emptied(superuser: Superuser) -> None:
    async def is_empty() -> bool:
        return await superuser.count("outbox") == 0

    await eventually(is_empty)


async def test_events_arrive_in_order_on_their_own_stream(relay: Relay, redis: Redis, superuser: Superuser) -> None:
    await tell(superuser, 1, 700)
    await tell(superuser, 701, 702, "events")
    await emptied(superuser)

    assert await on(redis, "deliveries") == list(range(1, 701))
    assert await on(redis, "events") == [701, 702]


async def test_of_two_relays_each_event_is_published_once(
    relay: Relay, db: Database, redis: Redis, superuser: Superuser
) -> None:
    second = a_relay(db, redis)
    await second.start()
    await tell(superuser, 1, 1500)
    await emptied(superuser)
    await second.stop()

    assert await on(redis, "deliveries") == list(range(1, 1501))


async def test_what_the_last_outcomes_wrote_is_published_before_it_stops(
    relay: Relay, redis: Redis, superuser: Superuser
) -> None:
    await tell(superuser, 1, 1200)

    await relay.stop()

    assert await on(redis, "deliveries") == list(range(1, 1201))


async def test_while_redis_is_away_events_stay(db: Database, redis: Redis, superuser: Superuser) -> None:
    await tell(superuser, 1, 3)
    async with connect_redis("redis://127.0.0.1:1/0") as away:
        stranded = a_relay(db, away)
        await stranded.start()
        await asyncio.sleep(0.2)
        await stranded.stop()
    left = await superuser.count("outbox")

    healthy = a_relay(db, redis)
    await healthy.start()
    await emptied(superuser)
    await healthy.stop()

    assert left == 3
    assert await on(redis, "deliveries") == [1, 2, 3]


async def test_old_delivery_events_are_trimmed_by_their_age(db: Database, redis: Redis, superuser: Superuser) -> None:
    old = int((NOW - timedelta(days=8)).timestamp() * 1000)
    young = int((NOW - timedelta(days=6)).timestamp() * 1000)
    async with redis.pipeline() as pipe:
        for number in range(200):
            pipe.xadd(STREAMS["deliveries"], {"data": "{}"}, id=f"{old}-{number + 1}")
        for number in range(200):
            pipe.xadd(STREAMS["deliveries"], {"data": "{}"}, id=f"{young}-{number + 1}")
        await pipe.execute()

    async def is_trimmed() -> bool:
        return await redis.xlen(STREAMS["deliveries"]) < 400

    relay = a_relay(db, redis)
    await relay.start()
    await eventually(is_trimmed)
    await relay.stop()

    left = await redis.xrange(STREAMS["deliveries"])
    assert sum(entry_id.startswith(f"{young}-".encode()) for entry_id, _ in left) == 200
    assert len(left) < 300
