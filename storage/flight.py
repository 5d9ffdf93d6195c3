"""Flight marks: what a worker's SMTP attempts have begun, readable by whoever adopts its rows (DESIGN §4, Mark)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from storage.redis_errors import redis_away

_OPEN = "open"
_CLOSED = "closed"

# A mark is made only while the hash is open: adoption removes that field and reads the marks in one step, so a mark is
# either read by the adopter or refused to the sender.
_MARK = """
if redis.call('HEXISTS', KEYS[1], 'open') == 0 then return 0 end
for i = 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], '1') end
return 1"""

_CLOSE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
redis.call('HDEL', KEYS[1], 'open')
redis.call('HSET', KEYS[1], 'closed', '1')
return redis.call('HKEYS', KEYS[1])"""


def flight_key(name: str, epoch: int) -> str:
    """Return the key of an epoch's flight hash; `epoch` is the worker's id."""
    return f"outbound:flight:{name}:{epoch}"


class FlightMarks:
    """The marks of one epoch, coalesced: while one call is on its way, the next collects."""

    def __init__(self, redis: Redis, name: str, epoch: int) -> None:
        self._redis = redis
        self._key = flight_key(name, epoch)
        self._mark = redis.register_script(_MARK)
        self._collecting: list[tuple[str, asyncio.Future[bool]]] = []
        self._next: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()

    async def open(self) -> None:
        """Allow marks.

        Raises:
            UnavailableError: when Redis is away.
        """
        with redis_away():
            await self._redis.hset(self._key, _OPEN, "1")

    async def is_open(self) -> bool:
        """Tell whether marks can be made.

        Raises:
            UnavailableError: when Redis is away.
        """
        with redis_away():
            return bool(await self._redis.hexists(self._key, _OPEN))

    async def begin(self, notification_id: UUID, attempt: int) -> bool:
        """Mark an attempt as begun; False (refused, closed, or Redis away) means that it must not begin."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._collecting.append((_field(notification_id, attempt), answer))
        if self._next is None:
            self._next = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        async with self._busy:
            collected, self._collecting, self._next = self._collecting, [], None
            may_begin = False
            try:
                may_begin = bool(await self._mark(keys=[self._key], args=[field for field, _ in collected]))
            except (RedisError, OSError):
                pass  # not begun
            finally:
                for _, answer in collected:
                    if not answer.done():  # whoever stopped waiting has cancelled it
                        answer.set_result(may_begin)

    async def clear(self, marks: Collection[tuple[UUID, int]]) -> None:
        """Forget marks whose outcome is committed; one that stays is harmless, its row has moved on."""
        if not marks:
            return
        try:
            await self._redis.hdel(self._key, *(_field(notification_id, attempt) for notification_id, attempt in marks))
        except (RedisError, OSError):
            return

    async def remove(self) -> None:
        """Delete the hash of an epoch that owns nothing any more."""
        await remove_marks(self._redis, self._key)


async def close_and_read(redis: Redis, name: str, epoch: int, redis_run_id: str) -> frozenset[tuple[UUID, int]] | None:
    """Close an epoch's flight hash and return its marks; None when they count as lost.

    Lost means: the hash is gone, or Redis is another run than the one the epoch began under and may have forgotten the
    last second.

    Raises:
        UnavailableError: when Redis is away: adoption has to wait.
    """
    with redis_away():
        fields = await redis.eval(_CLOSE, 1, flight_key(name, epoch))
        current = await run_id(redis)
    if fields is None or current != redis_run_id:
        return None
    names = (field.decode() for field in fields)
    return frozenset(_parse(name) for name in names if name not in {_OPEN, _CLOSED})


async def remove_marks(redis: Redis, key: str) -> None:
    """Delete a flight hash; it stays harmless where Redis is away."""
    try:
        await redis.delete(key)
    except (RedisError, OSError):
        return


async def run_id(redis: Redis) -> str:
    """Return the id of the running Redis server: another one means that its memory may be older than what was told."""
    info = await redis.info("server")
    return str(info["run_id"])


def _field(notification_id: UUID, attempt: int) -> str:
    return f"{notification_id}:{attempt}"


def _parse(field: str) -> tuple[UUID, int]:
    notification_id, _, attempt = field.partition(":")
    return UUID(notification_id), int(attempt)
