"""Who this worker is: an epoch with a life on the database's clock, and the flight marks that belong to it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import mode
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from notifications.ports import UnavailableError
from storage.flight import FlightMarks, run_id
from storage.redis_errors import redis_away
from storage.workers import Beat, Worker, Workers

log = structlog.get_logger()

BEAT_SECONDS = 1.0
FRESH_SECONDS = 6.0
"""Older than this, a heartbeat no longer entitles to start an attempt; the life itself is 10 s."""
_NAMESAKE_WATCH_SECONDS = 2.5


class NameInUseError(Exception):
    """Another live process runs under this worker's name: give each its own OUTBOUND_WORKER_NAME."""


class Identity(mode.Service):
    """Registers, beats, and begins a new epoch when the old one has ended or Redis has become another server."""

    def __init__(self, workers: Workers, redis: Redis, name: str, **options: Any) -> None:
        self._workers = workers
        self._redis = redis
        self._name = name
        self._worker: Worker | None = None
        self._flight: FlightMarks | None = None
        self._beat_at = float("-inf")
        self._is_renewing = False
        self._lost_answers = 0
        self._has_doubt = False
        self._are_marks_refused = False
        self.quiesce: Callable[[], Awaitable[None]] | None = None
        """Awaited before a new epoch begins, so that what the old one holds is finished or handed back."""
        super().__init__(**options)

    @property
    def worker(self) -> Worker:
        """The present epoch."""
        if self._worker is None:
            raise RuntimeError("the worker is not registered yet")
        return self._worker

    @property
    def owner(self) -> int:
        """The id of the present epoch, as in `send_queue.owner`."""
        return self.worker.id

    def is_fresh(self) -> bool:
        """Tell whether the last heartbeat is young enough to start an attempt."""
        is_ready = self._flight is not None and not self._is_renewing and not self._are_marks_refused
        return is_ready and time.monotonic() - self._beat_at < FRESH_SECONDS

    def doubt(self) -> None:
        """Let a new epoch begin at the next beat: something of ours may be in nobody's hands."""
        self._has_doubt = True

    async def begin(self, owner: int, notification_id: UUID, attempt: int) -> bool:
        """Mark an attempt of this epoch as begun; False means that it must not begin."""
        if self._flight is None or owner != self.owner or not self.is_fresh():
            return False
        has_begun = await self._flight.begin(notification_id, attempt)
        if not has_begun:
            # Nothing is opened until a beat has seen the marks: else every due mail would be refused once a second.
            self._are_marks_refused = True
        return has_begun

    async def landed(self, marks: list[tuple[UUID, int]]) -> None:
        """Forget the marks of attempts whose outcome is committed."""
        if self._flight is not None:
            await self._flight.clear(marks)

    async def on_start(self) -> None:
        """Register before any other loop starts.

        Raises:
            NameInUseError: when a live process has the name.
        """
        await self._refuse_a_living_namesake()
        await self._register()

    async def on_stop(self) -> None:
        """End the epoch at once if it owns nothing; else its life runs out and somebody adopts the rest."""
        if self._worker is None:
            return
        try:
            if await self._workers.deregister(self._worker) and self._flight is not None:
                await self._flight.remove()
        except UnavailableError as error:
            log.warning("worker.not_deregistered", error=str(error))

    async def _refuse_a_living_namesake(self) -> None:
        """Tell a crashed predecessor, whose row looks alive for up to 10 s, from a process that still beats."""
        for known in await self._workers.all():
            if known.name != self._name or not known.is_alive or _is_gone(known):
                continue
            await asyncio.sleep(_NAMESAKE_WATCH_SECONDS)
            now = {worker.id: worker for worker in await self._workers.all()}.get(known.id)
            if now is not None and now.alive_until != known.alive_until:
                raise NameInUseError(f"worker name {self._name!r} is in use by process {known.pid} on {known.host}")

    async def _register(self) -> None:
        started = time.monotonic()
        with redis_away():
            current = await run_id(self._redis)
        worker = await self._workers.register(
            self._name, host=socket.gethostname(), pid=os.getpid(), redis_run_id=current
        )
        # From here on this is who we are, also if Redis refuses the marks: it tells its run id while it still loads.
        self._worker, self._flight, self._beat_at = worker, None, started
        log.info("worker.registered", worker=worker.name, epoch=worker.id)
        await self._open_flight()

    async def _open_flight(self) -> None:
        flight = FlightMarks(self._redis, self.worker.name, self.worker.id)
        await flight.open()
        self._flight = flight
        self._are_marks_refused = False

    @mode.Service.task
    async def _beat(self) -> None:
        while not self.should_stop:
            await self.sleep(BEAT_SECONDS)
            if self.should_stop:
                return
            try:
                await self._beat_once()
            except UnavailableError as error:
                log.warning("worker.heartbeat_failed", error=str(error))
            except NameInUseError:
                # Not survived: two processes under one name would take turns declaring each other dead.
                raise
            except Exception:
                log.exception("worker.heartbeat_failed")

    async def _beat_once(self) -> None:
        started = time.monotonic()
        beat = await self._workers.beat(self.worker)
        if beat is Beat.REPLACED:
            raise NameInUseError(f"another process took over the worker name {self._name!r}")
        if beat is Beat.ALIVE:
            self._beat_at = started
        # A commit without an answer may have made rows ours of which nobody here knows: adoption finds them.
        is_in_doubt = self._has_doubt or self._workers.lost_answers != self._lost_answers
        if beat is Beat.DEAD or is_in_doubt or await self._is_another_redis():
            await self._renew()
        elif self._flight is None:
            await self._open_flight()
        elif not await self._flight.is_open():
            # Forgotten by Redis, or closed by somebody who took us for dead: under this epoch nothing can begin again.
            await self._renew()
        else:
            self._are_marks_refused = False

    async def _is_another_redis(self) -> bool:
        try:
            return await run_id(self._redis) != self.worker.redis_run_id
        except (RedisError, OSError):
            return False

    async def _renew(self) -> None:
        """Begin a new epoch; the old one's rows are adopted like anybody's."""
        log.warning("worker.new_epoch", worker=self._name, ended=self.worker.id)
        self._is_renewing = True
        lost_answers = self._workers.lost_answers
        try:
            if self.quiesce is not None:
                await self.quiesce()
            await self._register()
            self._lost_answers = lost_answers
            self._has_doubt = False
        finally:
            self._is_renewing = False


def _is_gone(worker: Worker) -> bool:
    """Tell whether a registered process certainly no longer runs; of another host nothing is certain."""
    if worker.host != socket.gethostname():
        return False
    if worker.pid == os.getpid():
        return True
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
