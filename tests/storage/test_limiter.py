"""Rate slots: never more than burst and rate allow, in order, over all processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from notifications.ports import SlotWant, UnavailableError
from outbound.wiring import connect_redis
from storage.limiter import RedisLimiter
from tests.notifications.builders import NOW, TENANT, later

PRECISION = timedelta(milliseconds=1)
"""Redis keeps thousandths of a millisecond and a moment has whole microseconds: both round, at every slot."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect_redis(redis_url) as client:
        yield client


def want(count: int, *, per_minute: int = 60, burst: int = 60, lane: int = 1, tenant: UUID = TENANT) -> SlotWant:
    return SlotWant(tenant_id=tenant, lane=lane, per_minute=per_minute, burst=burst, count=count)


async def seconds_of(limiter: RedisLimiter, wanted: SlotWant, now: datetime = NOW) -> list[float]:
    [moments] = await limiter.reserve([wanted], now)
    return [round((moment - NOW).total_seconds(), 3) for moment in moments]


async def test_a_burst_goes_at_once_and_the_rest_an_interval_apart(redis: Redis) -> None:
    slots = await seconds_of(RedisLimiter(redis), want(5, per_minute=6, burst=2))

    assert slots == [-10, 0, 10, 20, 30]


async def test_who_comes_later_queues_behind(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    await limiter.reserve([want(4, per_minute=6, burst=2)], NOW)

    assert await seconds_of(limiter, want(2, per_minute=6, burst=2), later(seconds=5)) == [30, 40]


async def test_what_is_not_used_is_not_saved_up_beyond_the_burst(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    await limiter.reserve([want(1, per_minute=6, burst=2)], NOW)

    assert await seconds_of(limiter, want(3, per_minute=6, burst=2), later(hours=1)) == [3590, 3600, 3610]


async def test_urgent_mail_and_other_tenants_have_slots_of_their_own(redis: Redis) -> None:
    limiter = RedisLimiter(redis)

    normal, urgent, other = await limiter.reserve(
        [
            want(50, per_minute=6, burst=1),
            want(1, per_minute=6, burst=1, lane=0),
            want(1, per_minute=6, burst=1, tenant=uuid4()),
        ],
        NOW,
    )

    assert normal[-1] == later(seconds=490)
    assert list(urgent) == list(other) == [NOW]


async def test_an_idle_tenant_s_key_goes_by_itself(redis: Redis) -> None:
    await RedisLimiter(redis).reserve([want(3, per_minute=6, burst=1)], NOW)

    [key] = await redis.keys("outbound:rate:*")
    assert 30_000 < await redis.pttl(key) <= 31_001


async def test_nothing_wanted_is_no_call(redis: Redis) -> None:
    assert await RedisLimiter(redis).reserve([], NOW) == []


async def test_while_redis_is_away_there_are_no_slots() -> None:
    async with connect_redis("redis://127.0.0.1:1/0") as client:
        with pytest.raises(UnavailableError):
            await RedisLimiter(client).reserve([want(1)], NOW)


async def test_a_redis_that_refuses_to_write_gives_no_slots(redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(UnavailableError):
            await RedisLimiter(redis).reserve([want(1)], NOW)
    finally:
        await redis.config_set("maxmemory", "0")


def most_in_a_window(moments: list[datetime], seconds: float) -> int:
    """Return the most moments that fall into any window of this length, both ends included."""
    length = timedelta(seconds=seconds)
    return max((sum(start <= one <= start + length for one in moments) for start in moments), default=0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.integers(1, 600),
    burst=st.integers(1, 20),
    calls=st.lists(st.tuples(st.floats(0, 60), st.integers(1, 15)), min_size=1, max_size=8),
    windows=st.lists(st.floats(0, 300), min_size=1, max_size=5),
)
async def test_in_any_window_at_most_burst_and_rate_s_worth_of_slots_fall(
    redis: Redis, per_minute: int, burst: int, calls: list[tuple[float, int]], windows: list[float]
) -> None:
    limiter, tenant = RedisLimiter(redis), uuid4()
    now, used, given_out = NOW, list[datetime](), list[datetime]()
    for pause, count in calls:
        now += timedelta(seconds=pause)
        [moments] = await limiter.reserve([want(count, per_minute=per_minute, burst=burst, tenant=tenant)], now)
        given_out += moments
        used += [max(moment, now) for moment in moments]

    assert given_out == sorted(given_out)
    for seconds in windows:
        allowed = burst + int((seconds + PRECISION.total_seconds()) * per_minute / 60)
        assert most_in_a_window(used, seconds) <= allowed


async def test_two_processes_share_one_limit(redis: Redis, redis_url: str) -> None:
    async with connect_redis(redis_url) as other:
        limiters = [RedisLimiter(redis), RedisLimiter(other)]

        answers = await asyncio.gather(
            *(limiters[number % 2].reserve([want(1, per_minute=60, burst=5)], NOW) for number in range(40))
        )

    moments = sorted(moment for [moments] in answers for moment in moments)
    assert moments == [later(seconds=number - 4) for number in range(40)]
