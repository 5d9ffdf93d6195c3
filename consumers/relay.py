"""Moves delivery events from the outbox to the bus; one process at a time does it, elected by Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import mode
import structlog
from redis.asyncio import Redis

from consumers.repeating import repeat
from notifications.ports import UnavailableError
from storage.outbox import Outbox
from storage.redis_errors import redis_away

log = structlog.get_logger()

BATCH = 500
_PAUSE_SECONDS = 0.05
_STANDBY_SECONDS = 1.0
_LAST_TURNS = 40
_HOUSEKEEPING_SECONDS = 3600.0

# One command for hundreds of events: a pipeline costs the client ten times as much.
_ADD = """
for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'data', ARGV[i]) end"""


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
        self._add = redis.register_script(_ADD)
        self._streams = streams
        self._retention = retention
        self._clock = clock
        self._kept_at = float("-inf")
        super().__init__(**options)

    async def on_stop(self) -> None:
        """Publish what the last outcomes wrote."""
        try:
            for _ in range(_LAST_TURNS):
                moved = await self._outbox.move(self._publish, BATCH)
                if moved == 0:
                    return
                if moved is None:
                    # The turn that was under way, or another process's: its rows are not ours to wait for long.
                    await asyncio.sleep(_PAUSE_SECONDS)
        except UnavailableError as error:
            log.warning("relay.unfinished", error=str(error))

    @mode.Service.task
    async def _run(self) -> None:
        await repeat(self, "relay", self._move)

    async def _move(self) -> float:
        # First: in a Redis that is full, trimming is what makes room.
        await self._keep_house()
        moved = await self._outbox.move(self._publish, BATCH)
        if moved is None:
            return _STANDBY_SECONDS
        # Not at once again where less came than fits: under load that would be once for every group of outcomes.
        return 0 if moved == BATCH else _PAUSE_SECONDS

    async def _publish(self, events: Sequence[tuple[str, str]]) -> None:
        with redis_away():
            for stream, run in groupby(events, key=itemgetter(0)):
                await self._add(keys=[self._streams[stream]], args=[body for _, body in run])

    async def _keep_house(self) -> None:
        """Once an hour: make partitions ahead, drop what is old, trim delivery events by age, never by length."""
        if time.monotonic() - self._kept_at < _HOUSEKEEPING_SECONDS:
            return
        made = await self._outbox.ensure_partitions()
        dropped = await self._outbox.apply_retention()
        oldest = int((self._clock() - self._retention).timestamp() * 1000)
        with redis_away():
            await self._redis.xtrim(self._streams["deliveries"], minid=oldest, approximate=True)
        self._kept_at = time.monotonic()
        log.info("relay.house_kept", partitions_made=made, partitions_dropped=dropped)
