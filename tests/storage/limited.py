"""A process with 200 coroutines that all want to send at once: what it is allowed, as JSON.

`python -m tests.storage.limited tenant REDIS_URL TENANT NOW` reserves a slot for each, of 60 a minute;
`… account REDIS_URL PROVIDER RATE [LEARNT]` takes an attempt for each, waiting as told, after learning a rate.
Both wait for a line on standard input, so that several of them begin together.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis

from notifications.ports import SlotWant
from outbound.redis_client import connect_redis
from storage.account_limiter import RedisAccountLimiter
from storage.limiter import RedisLimiter

COROUTINES = 200
PER_MINUTE = 60


async def tenant(url: str, tenant_id: str, now: str) -> list[str]:
    """Return the moment that each coroutine got."""
    want = SlotWant(tenant_id=UUID(tenant_id), lane=1, per_minute=PER_MINUTE, burst=PER_MINUTE, count=1)
    # More connections than the product ever uses at once: there, one batch asks at a time.
    async with Redis.from_pool(BlockingConnectionPool.from_url(url)) as redis:
        limiter = RedisLimiter(redis)
        await begin()
        answers = await asyncio.gather(
            *(limiter.reserve([want], datetime.fromisoformat(now)) for _ in range(COROUTINES))
        )
    return [moments[0].isoformat() for [moments] in answers]


async def account(url: str, provider: str, rate: str, learnt: str = "") -> int:
    """Return how often somebody had to wait; in the end everybody went."""
    async with connect_redis(url) as redis:
        limiter = RedisAccountLimiter(redis)
        if learnt:
            await limiter.learn(provider, float(learnt))
        await begin()
        return sum(await asyncio.gather(*(_go(limiter, provider, float(rate)) for _ in range(COROUTINES))))


async def _go(limiter: RedisAccountLimiter, provider: str, rate: float) -> int:
    waits = 0
    while (wait := await limiter.take(provider, rate, line="all", has_waited=waits > 0)) is not None:
        waits += 1
        await asyncio.sleep(wait.total_seconds())
    return waits


async def begin() -> None:
    """Say that all is ready, and wait for the word."""
    print("ready", flush=True)  # noqa: T201 - whoever started this waits for it
    await asyncio.to_thread(sys.stdin.readline)


def together(*arguments: list[str]) -> list[Any]:
    """Run one process for each list of arguments, let them begin at the same moment, and return their answers."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.storage.limited", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for given in arguments
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=30)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


_ACTIONS: dict[str, Callable[..., Awaitable[Any]]] = {"tenant": tenant, "account": account}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ACTIONS[sys.argv[1]](*sys.argv[2:]))))  # noqa: T201 - the answer
