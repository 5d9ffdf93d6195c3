"""The rate of a provider's whole account, over all processes: exactly so many attempts in any window, no more."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from storage.redis_errors import redis_away

# KEYS: the times of the last attempts, newest first; the learnt rate; then for each who wants one the next moment of
# their line. ARGV: the rate to begin with, then for each 1 if they come at the moment they were given. Times are the
# server's, in ms, so that all processes mean the same window.
#
# Whoever must wait gets a moment of their own, in a line of their tenant's and lane's: behind their own backlog, never
# behind somebody else's. Lines overlap, so a moment is a likely one; who comes at theirs in vain is the next to go.
# Moments are given out a little faster than they come free: some are not used.
_TAKE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local rate = math.max(tonumber(redis.call('GET', KEYS[2]) or ARGV[1]) or tonumber(ARGV[1]), 0.01)
local size = math.max(1, math.floor(rate))
local window = size / rate * 1000
local step = window / size
local out, late = {}, 0
for i = 2, #ARGV do
  local oldest = tonumber(redis.call('LINDEX', KEYS[1], size - 1) or '-inf')
  if now - oldest >= window then
    redis.call('LPUSH', KEYS[1], string.format('%.3f', now))
    out[#out + 1] = '0'
  else
    local free, moment = oldest + window, nil
    if ARGV[i] == '1' then
      moment = free + late * step
      late = late + 1
    else
      moment = math.max(tonumber(redis.call('GET', KEYS[i + 1]) or free), free)
      redis.call('SET', KEYS[i + 1], string.format('%.3f', moment + 0.8 * step), 'PX', math.ceil(moment - now) + 1000)
    end
    out[#out + 1] = string.format('%.3f', math.max(moment - now, 1))
  end
end
redis.call('LTRIM', KEYS[1], 0, size - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window) + 1000)
return out"""

_LONGEST: Final = timedelta(minutes=10)
"""Nobody is sent away for longer: a rate may be learnt anew, an operator may switch."""
_SLOWEST: Final = 0.01
_LEARNT_FOR: Final = timedelta(hours=1)
_RELEARN_SECONDS: Final = 60.0


class RedisAccountLimiter:
    """Gives attempts out, one provider's account at a time. Callers of the same moment share one call to Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._waiting: dict[str, list[_Want]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._learnt: dict[str, tuple[float, float]] = {}

    async def take(self, provider: str, rate: float, *, line: str, has_waited: bool) -> timedelta | None:
        """Take one attempt. None means go; else it is how long until one is likely to be free, at most ten minutes.

        `rate` is how many a second are allowed as long as nothing was learnt. `line` names those who wait behind each
        other; `has_waited` tells that somebody comes at the moment they were given.

        Raises:
            UnavailableError: when Redis is away or refuses to write.
        """
        want = _Want(line=line, has_waited=has_waited, answer=asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(provider)) is not None:
            waiting.append(want)
        else:
            self._waiting[provider] = [want]
            task = asyncio.create_task(self._ask(provider, rate))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return await want.answer

    async def learn(self, provider: str, rate: float) -> None:
        """Take note of what the provider said of its account's rate, in requests a second.

        Raises:
            UnavailableError: when Redis is away or refuses to write.
        """
        if not (math.isfinite(rate) and rate >= _SLOWEST):
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
        wants = sorted(self._waiting.pop(provider), key=lambda want: not want.has_waited)
        account = f"outbound:account:{provider}"
        keys = [f"{account}:sent", f"{account}:rate", *(f"{account}:next:{want.line}" for want in wants)]
        try:
            with redis_away():
                waits = await self._take(keys=keys, args=[rate, *(int(want.has_waited) for want in wants)])
            answers = [min(timedelta(milliseconds=float(wait)), _LONGEST) or None for wait in waits]
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for the answer must hear of it
            for want in wants:
                if not want.answer.done():
                    want.answer.set_exception(error)
            return
        for want, answer in zip(wants, answers, strict=True):
            if not want.answer.done():
                want.answer.set_result(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Want:
    """Somebody who wants an attempt, and is answered: None is go."""

    line: str
    has_waited: bool
    answer: asyncio.Future[timedelta | None]
