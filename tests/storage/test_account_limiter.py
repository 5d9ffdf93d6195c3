"""The attempts that a provider's account has: exactly so many in any window, learnt or believed, for all processes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from notifications.ports import UnavailableError
from outbound.redis_client import connect_redis
from storage.account_limiter import RedisAccountLimiter

# One attempt in 100 s, and ten in 10 s: no test takes that long, so that time does not matter.
SLOW = 0.01


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect_redis(redis_url) as client:
        yield client


async def at_once(
    limiter: RedisAccountLimiter, count: int, rate: float = SLOW, line: str = "a"
) -> list[timedelta | None]:
    return await asyncio.gather(*(limiter.take("resend", rate, line=line, has_waited=False) for _ in range(count)))


async def test_one_attempt_goes_and_the_others_get_a_moment_each(redis: Redis) -> None:
    first, *others = await at_once(RedisAccountLimiter(redis), 4)

    waits = [round(wait.total_seconds()) for wait in others if wait is not None]
    assert first is None
    assert waits == [100, 180, 260]


async def test_who_comes_later_waits_behind_those_who_wait(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 3)

    [wait] = await at_once(limiter, 1)

    assert wait is not None
    assert 258 < wait.total_seconds() <= 260


async def test_callers_of_one_moment_share_one_call(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 1)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]

    await at_once(limiter, 200)

    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == before + 1


async def test_two_accounts_do_not_share(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 5)

    assert await limiter.take("ses", SLOW, line="a", has_waited=False) is None


async def test_a_learnt_rate_counts_and_the_believed_one_no_more(redis: Redis, redis_url: str) -> None:
    async with connect_redis(redis_url) as other:
        await RedisAccountLimiter(other).learn("resend", 50)

        answers = await at_once(RedisAccountLimiter(redis), 60)

    assert [answer is None for answer in answers] == [True] * 50 + [False] * 10


async def test_a_rate_that_fell_counts_what_went_before(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await limiter.learn("resend", 50)
    await at_once(limiter, 5)

    await limiter.learn("resend", SLOW)
    [wait] = await at_once(limiter, 1)

    assert wait is not None
    assert 98 < wait.total_seconds() <= 100


async def test_a_rate_that_rose_lets_the_difference_go_at_once(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 1)

    await limiter.learn("resend", 50)
    answers = await at_once(limiter, 60)

    assert sum(answer is None for answer in answers) == 49


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
async def test_a_rate_that_is_none_is_not_learnt(redis: Redis, rate: float) -> None:
    await RedisAccountLimiter(redis).learn("resend", rate)

    assert await redis.keys("outbound:account:*") == []


async def test_the_same_rate_is_written_once_not_with_every_answer(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await limiter.learn("resend", 10)
    await redis.delete("outbound:account:resend:rate")

    await limiter.learn("resend", 10)
    forgotten = await redis.exists("outbound:account:resend:rate")
    await limiter.learn("resend", 11)

    assert forgotten == 0
    assert float(await redis.get("outbound:account:resend:rate")) == 11


async def test_everything_is_forgotten_by_itself(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 2)
    await limiter.learn("resend", 10)

    lives = {key.decode().rpartition(":")[2]: await redis.pttl(key) for key in await redis.keys("outbound:account:*")}

    assert 100_000 < lives["sent"] <= 101_000
    assert 100_000 < lives["a"] <= 101_000
    assert 3_500_000 < lives["rate"] <= 3_600_000


async def test_a_flushed_redis_begins_anew(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 3)

    await redis.flushdb()
    await redis.script_flush()

    assert await at_once(limiter, 1) == [None]


async def test_while_redis_is_away_nobody_can_tell_and_everybody_hears_it() -> None:
    async with connect_redis("redis://127.0.0.1:1/0") as client:
        limiter = RedisAccountLimiter(client)

        answers = await asyncio.gather(
            *(limiter.take("resend", SLOW, line="a", has_waited=False) for _ in range(20)), return_exceptions=True
        )
        with pytest.raises(UnavailableError):
            await limiter.learn("resend", 5)

    assert {type(answer) for answer in answers} == {UnavailableError}


async def test_who_stops_waiting_for_an_answer_takes_it_from_nobody(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    taking = [asyncio.create_task(limiter.take("resend", 50, line="a", has_waited=False)) for _ in range(3)]
    await asyncio.sleep(0)

    taking[0].cancel()

    assert await asyncio.gather(*taking[1:]) == [None, None]
    with pytest.raises(asyncio.CancelledError):
        await taking[0]


async def test_a_rate_that_could_not_be_kept_is_told_again(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(UnavailableError):
            await limiter.learn("resend", 50)
    finally:
        await redis.config_set("maxmemory", "0")

    await limiter.learn("resend", 50)

    assert await redis.get("outbound:account:resend:rate") == b"50"


async def test_nobody_waits_behind_somebody_else_s_backlog(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 6, line="a")

    [wait] = await at_once(limiter, 1, line="b")

    assert wait is not None
    assert wait <= timedelta(seconds=100)


async def test_who_comes_at_their_moment_in_vain_goes_next(redis: Redis) -> None:
    limiter = RedisAccountLimiter(redis)
    await at_once(limiter, 5)

    wait = await limiter.take("resend", SLOW, line="a", has_waited=True)

    assert wait is not None
    assert wait <= timedelta(seconds=100)


async def test_nobody_is_sent_away_for_longer_than_ten_minutes(redis: Redis) -> None:
    waits = await at_once(RedisAccountLimiter(redis), 50)

    assert max(wait for wait in waits if wait is not None) == timedelta(minutes=10)
