"""Moves delivery events from the outbox to the bus; one process at a time does it, elected by Postgres."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import mode
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from notifications.ports import UnavailableError
from storage.outbox import Outbox

log = structlog.get_logger()

BATCH = 500
_IDLE_SECONDS = 0.05
_STANDBY_SECONDS = 1.0
_AWAY_SECONDS = 0.5
_HOUSEKEEPING_SECONDS = 3600.0


class Relay(mode.Service):
    """Publishes at least once: a crash between XADD and COMMIT publishes the same ids again."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        redis: Redis,
        streams: dict[str, str],
        retention: timedelta,
        clock: Callable[[], datetime],
        **options: Any,
    ) -> None:
        self._outbox = outbox
        self._redis = redis
        self._streams = streams
        self._retention = retention
        self._clock = clock
        self._kept_at = float("-inf")
        super().__init__(**options)

    async def on_stop(self) -> None:
        """Publish what the last outcomes wrote."""
        try:
            while await self._outbox.move(self._publish, BATCH):
                pass
        except UnavailableError as error:
            log.warning("relay.unfinished", error=str(error))

    @mode.Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            try:
                moved = await self._outbox.move(self._publish, BATCH)
                if moved is not None:
                    await self._keep_house()
            except UnavailableError as error:
                log.warning("relay.waiting", error=str(error))
                await self.sleep(_AWAY_SECONDS)
            except Exception:
                log.exception("relay.failed")
                await self.sleep(_AWAY_SECONDS)
            else:
                if not moved:
                    await self.sleep(_STANDBY_SECONDS if moved is None else _IDLE_SECONDS)

    async def _publish(self, events: Sequence[tuple[str, str]]) -> None:
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for stream, body in events:
                    pipe.xadd(self._streams[stream], {"data": body})
                await pipe.execute()
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis: {type(error).__name__}") from error

    async def _keep_house(self) -> None:
        """Once an hour: partitions ahead, what is older than it is kept, delivery events trimmed by age, never length."""
        if time.monotonic() - self._kept_at < _HOUSEKEEPING_SECONDS:
            return
        made = await self._outbox.ensure_partitions()
        dropped = await self._outbox.apply_retention()
        oldest = int((self._clock() - self._retention).timestamp() * 1000)
        try:
            await self._redis.xtrim(self._streams["deliveries"], minid=oldest, approximate=True)
        except (RedisError, OSError) as error:
            raise UnavailableError(f"Redis: {type(error).__name__}") from error
        self._kept_at = time.monotonic()
        log.info("relay.house_kept", partitions_made=made, partitions_dropped=dropped)
