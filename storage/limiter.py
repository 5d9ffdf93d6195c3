"""Rate slots per tenant and lane: GCRA as a reservation, so that order is kept and nobody asks twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from notifications.ports import SlotWant
from storage.redis_errors import redis_away

# KEYS[i]: a tenant's lane; ARGV: now in ms, then per key: interval in ms, burst, count. The stored value is the
# theoretical arrival time (TAT) of the next slot; a slot may be used (burst - 1) intervals before its TAT. Times are
# the caller's, as due_at is; the key lives until its TAT is past.
_RESERVE = """
local now, out = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
  local step, burst, count = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local tat = math.max(tonumber(redis.call('GET', key) or now), now)
  out[i] = string.format('%.3f', tat - (burst - 1) * step)
  local last = tat + count * step
  redis.call('SET', key, string.format('%.3f', last), 'PX', math.ceil(last - now) + 1000)
end
return out"""


class RedisLimiter:
    """`notifications.ports.Limiter`: one call for a whole batch, atomic over all processes."""

    def __init__(self, redis: Redis) -> None:
        self._reserve = redis.register_script(_RESERVE)

    async def reserve(self, wants: Sequence[SlotWant], now: datetime) -> Sequence[Sequence[datetime]]:
        """Return `count` moments for each want, ascending; a moment at or before `now` means at once.

        In any t seconds at most burst + ⌊t · per_minute / 60⌋ slots of a tenant's lane fall.

        Raises:
            UnavailableError: when Redis is away or refuses to write.
        """
        if not wants:
            return []
        keys = [f"outbound:rate:{want.tenant_id}:{want.lane}" for want in wants]
        arguments: list[float] = [now.timestamp() * 1000]
        for want in wants:
            arguments += [60_000 / want.per_minute, want.burst, want.count]
        with redis_away():
            firsts = await self._reserve(keys=keys, args=arguments)
        return [
            slots(datetime.fromtimestamp(float(first) / 1000, tz=UTC), want)
            for want, first in zip(wants, firsts, strict=True)
        ]


def slots(first: datetime, want: SlotWant) -> list[datetime]:
    """Return the moments of a want from its first one on, an interval apart."""
    interval = timedelta(minutes=1) / want.per_minute
    return [first + interval * position for position in range(want.count)]
