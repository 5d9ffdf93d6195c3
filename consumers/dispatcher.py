"""Takes what is due, opens it and hands it to the sender; adopts the rows of the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import mode
import structlog
from redis.asyncio import Redis

from consumers.identity import Identity
from consumers.repeating import AWAY_SECONDS, repeat
from consumers.sender import Sender
from notifications.adoption import adopt
from notifications.metrics import LineMetrics
from notifications.ports import UnavailableError
from notifications.reopening import Reopening
from notifications.status import RANK, Status
from notifications.transition import Taken, Transitions
from storage.flight import close_and_read, flight_key, remove_marks
from storage.queue import SendQueue
from storage.workers import Worker, Workers

log = structlog.get_logger()

_IDLE_SECONDS = 0.1
_ADOPT_SECONDS = 1.0
_MEASURE_SECONDS = 5.0
_BATCH = 128
_STOP_SECONDS = 5.0
_RELEASE_DELAY = timedelta(minutes=1)


class Dispatcher(mode.Service):
    """Moves rows that waited back onto the line."""

    def __init__(
        self,
        *,
        queue: SendQueue,
        workers: Workers,
        transitions: Transitions,
        reopening: Reopening,
        identity: Identity,
        sender: Sender,
        redis: Redis,
        metrics: LineMetrics,
        clock: Callable[[], datetime],
        **options: Any,
    ) -> None:
        self._queue = queue
        self._workers = workers
        self._transitions = transitions
        self._reopening = reopening
        self._identity = identity
        self._sender = sender
        self._redis = redis
        self._metrics = metrics
        self._clock = clock
        self._taking = asyncio.Lock()
        super().__init__(**options)

    async def on_stop(self) -> None:
        """Let what was just taken be opened: left between the two, it would wait for this epoch's life to end."""
        try:
            async with asyncio.timeout(_STOP_SECONDS), self._taking:
                pass
        except TimeoutError:
            log.warning("dispatcher.stopped_while_taking")

    @mode.Service.task
    async def _dispatch(self) -> None:
        await repeat(self, "dispatcher", self._dispatch_once)

    async def _dispatch_once(self) -> float:
        room = min(_BATCH, self._sender.free())
        if room <= 0 or not self._identity.is_fresh():
            return _IDLE_SECONDS
        async with self._taking:
            if self.should_stop:
                return _IDLE_SECONDS
            taken = await self._queue.take(self._identity.owner, room, self._clock())
            self._sender.is_behind = len(taken) >= room
            if taken:
                await self._open(taken)
        return 0 if taken else _IDLE_SECONDS

    async def _open(self, taken: Sequence[Taken]) -> None:
        """Open what was taken. Whatever goes wrong, no row stays ours without a mail in the sender."""
        try:
            await self._open_all(taken)
        except UnavailableError:
            await self._give_back(taken, timedelta())
            raise
        except Exception:
            log.exception("dispatcher.batch_failed", rows=len(taken))
            for row in taken:
                try:
                    await self._open_all([row])
                except Exception:
                    log.exception("dispatcher.row_failed", notification_id=str(row.id))
                    await self._give_back([row], _RELEASE_DELAY)

    async def _open_all(self, taken: Sequence[Taken]) -> None:
        now = self._clock()
        waiting = await self._transitions.waiting(taken)
        if len(waiting) < len(taken):
            found = {row.taken.id for row in waiting}
            gone = [row for row in taken if row.id not in found]
            log.error("dispatcher.notifications_gone", rows=len(gone))
            await self._queue.forget(gone)
        reopened = await self._reopening.decide(waiting, now)
        held = await self._transitions.apply([one.change for one in reopened])
        self._sender.put([one.mail for one in reopened if one.mail is not None and one.change.id in held])
        for one in reopened:
            if one.change.id in held and (RANK[one.change.status] > 0 or one.change.status is Status.UNCERTAIN):
                self._metrics.reached(one.change.status, one.change.reason)

    async def _give_back(self, taken: Sequence[Taken], delay: timedelta) -> None:
        due_at = self._clock() + delay
        while not self.should_stop:
            try:
                await self._queue.give_back(taken, due_at)
            except UnavailableError:
                await self.sleep(AWAY_SECONDS)
            else:
                return

    @mode.Service.task
    async def _adopt(self) -> None:
        await repeat(self, "adoption", self._adopt_the_dead)

    async def _adopt_the_dead(self) -> float:
        for worker in await self._workers.all():
            if not worker.is_alive or self._is_my_past(worker):
                await self._adopt_one(worker)
        return _ADOPT_SECONDS

    def _is_my_past(self, worker: Worker) -> bool:
        mine = self._identity.worker
        return worker.name == mine.name and worker.id < mine.id

    async def _adopt_one(self, dead: Worker) -> None:
        decide = partial(adopt, now=self._clock(), is_idempotent=self._reopening.routing.is_idempotent)
        rows = await self._workers.adopt(
            dead,
            self._identity.worker.name,
            lambda worker: close_and_read(self._redis, worker.name, worker.id, worker.redis_run_id),
            decide,
        )
        if rows is not None:
            log.warning("worker.adopted", worker=dead.name, epoch=dead.id, rows=rows)
            await remove_marks(self._redis, flight_key(dead.name, dead.id))

    @mode.Service.task
    async def _measure(self) -> None:
        await repeat(self, "queue depth", self._measure_once)

    async def _measure_once(self) -> float:
        waiting, sending, oldest = await self._queue.depth(self._clock())
        self._metrics.queue_waiting.set(waiting)
        self._metrics.queue_sending.set(sending)
        self._metrics.queue_oldest_due_seconds.set(oldest)
        return _MEASURE_SECONDS
