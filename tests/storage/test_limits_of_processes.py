"""Two processes with 200 coroutines each: together they are allowed what one limit allows, to the mail."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from uuid import uuid4

from redis.asyncio import Redis

from tests.notifications.builders import NOW
from tests.storage.limited import COROUTINES, PER_MINUTE, together


@asynccontextmanager
async def grants_of(redis_url: str, provider: str) -> AsyncIterator[list[float]]:
    """Collect what is granted meanwhile, in ms of the server's own clock: the script's own writes, as it makes them."""
    found: list[float] = []
    async with Redis.from_url(redis_url) as client, client.monitor() as monitor:

        async def watch() -> None:
            async for seen in monitor.listen():
                words = seen["command"].split()
                if words[:2] == ["LPUSH", f"outbound:account:{provider}:sent"]:
                    found.append(float(words[2]))

        watching = asyncio.create_task(watch())
        yield found
        async with asyncio.timeout(10):
            await client.echo(b"end")
            while len(found) < 2 * COROUTINES:  # noqa: ASYNC110 - what comes from the server has no event
                await asyncio.sleep(0.01)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def most_within(moments: list[float], length: float) -> int:
    """Return the most moments that any window of this length holds, its end not included."""
    return max(bisect_left(moments, moment + length) - number for number, moment in enumerate(moments))


async def test_a_tenant_s_burst_is_given_out_once_and_then_a_slot_a_second(redis_url: str) -> None:
    asked = ["tenant", redis_url, str(uuid4()), NOW.isoformat()]

    answers = await asyncio.to_thread(together, asked, asked)

    moments = sorted(datetime.fromisoformat(moment) for answer in answers for moment in answer)
    at_once = [moment for moment in moments if moment <= NOW]
    assert (len(moments), len(at_once)) == (2 * COROUTINES, PER_MINUTE)
    assert moments[PER_MINUTE:] == [
        NOW + timedelta(seconds=number + 1) for number in range(2 * COROUTINES - PER_MINUTE)
    ]


async def test_an_account_s_rate_holds_in_every_window_and_is_used_up(redis_url: str) -> None:
    asked = ["account", redis_url, "resend", "100"]

    async with grants_of(redis_url, "resend") as grants:
        waits = await asyncio.to_thread(together, asked, asked)

    assert len(grants) == 2 * COROUTINES
    assert grants == sorted(grants)
    assert most_within(grants, 1000) == 100
    assert bisect_left(grants, grants[0] + 1000) == 100
    assert sum(waits) >= 2 * COROUTINES - 100


async def test_the_rate_that_one_process_learnt_is_the_rate_of_the_other(redis_url: str) -> None:
    learns, believes = ["account", redis_url, "resend", "1", "150"], ["account", redis_url, "resend", "1"]

    async with grants_of(redis_url, "resend") as grants:
        await asyncio.to_thread(together, learns, believes)

    assert most_within(grants, 1000) == 150
