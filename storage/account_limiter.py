"""The rate of a provider's whole account, over all processes: exactly so many attempts in any window, no more."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from storage.redis_errors import redis_away

# KEYS: the times of the last attempts, newest first; the next moment to be handed to somebody who must come again; the
# learnt rate. ARGV: the rate to begin with, how many want to go. Times are the server's, in ms, so that all processes
# mean the same window. Whoever must wait gets a moment of their own: all at the same one would only wait again.
_TAKE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local rate = tonumber(redis.call('GET', KEYS[3]) or ARGV[1])
local size = math.max(1, math.floor(rate))
local window = size / rate * 1000
local wanted, granted = tonumber(ARGV[2]), 0
while granted < wanted do
  local oldest = tonumber(redis.call('LINDEX', KEYS[1], size - 1) or '-inf')
  if now - oldest < window then break end
  redis.call('LPUSH', KEYS[1], string.format('%.3f', now))
  granted = granted + 1
end
redis.call('LTRIM', KEYS[1], 0, size - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window) + 1000)
local out = {granted}
if granted == wanted then return out end
local free = tonumber(redis.call('LINDEX', KEYS[1], size - 1)) + window
local moment = math.max(tonumber(redis.call('GET', KEYS[2]) or free), free)
for i = granted + 1, wanted do
  out[#out + 1] = string.format('%.3f', moment - now)
  moment = moment + window / size
end
redis.call('SET', KEYS[2], string.format('%.3f', moment), 'PX', math.ceil(moment - now) + 1000)
return out"""

_LEARNT_FOR: Final = timedelta(hours=1)
_RELEARN_SECONDS: Final = 60.0


class RedisAccountLimiter:
    """Gives attempts out, one provider's account at a time. Callers of the same moment share one call to Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._waiting: dict[str, list[asyncio.Future[timedelta | None]]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._learnt: dict[str, tuple[float, float]] = {}

    async def take(self, provider: str, rate: float) -> timedelta | None:
        """Take one attempt. None means go; else it is how long until one is likely to be free.

        `rate` is how many a second are allowed as long as nothing was learnt.

        Raises:
            UnavailableError: when Redis is away or refuses to write.
        """
        future: asyncio.Future[timedelta | None] = asyncio.get_running_loop().create_future()
        if (waiting := self._waiting.get(provider)) is not None:
            waiting.append(future)
        else:
            self._waiting[provider] = [future]
            task = asyncio.create_task(self._ask(provider, rate))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return await future

    async def learn(self, provider: str, rate: float) -> None:
        """Take note of what the provider said of its account's rate, in requests a second.

        Raises:
            UnavailableError: when Redis is away or refuses to write.
        """
        if not (math.isfinite(rate) and rate > 0):
            return
        now = asyncio.get_running_loop().time()
        known, at = self._learnt.get(provider, (0.0, -math.inf))
        if known == rate and now - at < _RELEARN_SECONDS:
            return
        with redis_away():
            await self._redis.set(f"outbound:account:{provider}:rate", rate, px=_LEARNT_FOR)
        self._learnt[provider] = (rate, now)

    async def _ask(self, provider: str, rate: float) -> None:
        await asyncio.sleep(0)  # whoever else wants one at this moment
        futures = self._waiting.pop(provider)
        keys = [f"outbound:account:{provider}:{part}" for part in ("sent", "next", "rate")]
        try:
            with redis_away():
                granted, *waits = await self._take(keys=keys, args=[rate, len(futures)])
            answers = [None] * int(granted) + [timedelta(milliseconds=float(wait)) for wait in waits]
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for the answer must hear of it
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        for future, answer in zip(futures, answers, strict=True):
            if not future.done():
                future.set_result(answer)
