"""Reads the input streams ahead and makes batches of them when the line is free."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, Protocol

import mode
import structlog

from consumers.bus import RedisBus
from consumers.identity import Identity
from consumers.read_ahead import ReadAhead
from consumers.repeating import AWAY_SECONDS, repeat
from consumers.sender import Sender
from notifications.entry import Entry
from notifications.metrics import LineMetrics
from notifications.ports import FencedError, UnavailableError
from notifications.status import Reason
from storage.workers import Workers

log = structlog.get_logger()

MAX_DELIVERIES = 5
_RECOVER_SECONDS = 2.0
_MEASURE_SECONDS = 5.0
_POISON_DELAY = timedelta(seconds=1)
_SET_ASIDE_SECONDS = 30.0


class Line(Protocol):
    """The pipeline, as the source drives it."""

    async def process(self, entries: Sequence[Entry]) -> None:
        """Take a batch from its entries to committed rows, then acknowledge it."""
        ...

    async def give_up(self, entry: Entry, reason: Reason, detail: str) -> None:
        """Dead-letter an entry that cannot be processed, then acknowledge it."""
        ...


class Channel(Protocol):
    """Faust's channel: where batches go to the agent."""

    async def put(self, batch: Sequence[Entry]) -> None:
        """Hand over one batch."""
        ...


class Source(mode.Service):
    """One reader, one batch in the making at a time; the sends of earlier batches go on meanwhile."""

    def __init__(
        self,
        *,
        bus: RedisBus,
        line: Line,
        channel: Channel,
        identity: Identity,
        workers: Workers,
        sender: Sender,
        read_ahead: ReadAhead,
        metrics: LineMetrics,
        is_storage_up: Callable[[], Any],
        batch_size: int,
        batch_max: int,
        **options: Any,
    ) -> None:
        self._bus = bus
        self._line = line
        self._channel = channel
        self._identity = identity
        self._workers = workers
        self._sender = sender
        self._ahead = read_ahead
        self._metrics = metrics
        self._is_storage_up = is_storage_up
        self._batch_size = batch_size
        self._batch_max = batch_max
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._may_own_unknown = True
        super().__init__(**options)

    @mode.Service.task
    async def _read(self) -> None:
        await repeat(self, "source", self._read_once)

    async def _read_once(self) -> float:
        if not self._ahead.room:
            self._room.clear()
            await self._room.wait()
            return 0
        try:
            await self._take_up_own()
            self._admit(await self._bus.read(self._identity.worker.name, self._ahead.room, self._ahead.bytes_left))
        except UnavailableError:
            # The reply may be lost with the entries already ours: look before the next read.
            self._may_own_unknown = True
            raise
        return 0

    async def _take_up_own(self) -> None:
        """Take up what Redis holds pending for us and we do not know of: from a former run, or a lost reply."""
        if self._may_own_unknown:
            mine = self._identity.worker.name
            self._admit(await self._bus.take_over(mine, mine.__eq__, self._ahead.holds, self._ahead.room))
            self._may_own_unknown = False

    def _admit(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._ahead.admit(entry)
        if entries:
            self._some.set()
            self._metrics.read_ahead.set(len(self._ahead))

    @mode.Service.task
    async def _recover(self) -> None:
        await repeat(self, "recovery", self._take_over)

    async def _take_over(self) -> float:
        """Take over what a worker that is dead had read and not settled."""
        mine = self._identity.worker.name
        living = {mine} | {worker.name for worker in await self._workers.all() if worker.is_alive}
        self._admit(await self._bus.take_over(mine, _not_in(living), self._ahead.holds, self._ahead.room))
        return _RECOVER_SECONDS

    @mode.Service.task
    async def _compose(self) -> None:
        """Make a batch only when the line is free: half the latency of making it before."""
        while not self.should_stop:
            await self._some.wait()
            await self._idle.wait()
            await self._sender.wait_for_room(self._batch_size)
            if self.should_stop:
                return
            is_behind = len(self._ahead) > 2 * self._batch_size
            batch = self._ahead.batch(
                min(self._batch_max, max(self._sender.free(), 1)) if is_behind else self._batch_size
            )
            if not len(self._ahead):
                self._some.clear()
            if batch:
                self._idle.clear()
                await self._channel.put(batch)

    async def agent(self, batches: AsyncIterable[Sequence[Entry]]) -> None:
        """Process batches, for as long as Faust brings them; nothing is ever raised into it."""
        async for batch in batches:
            try:
                await self.run(batch)
            except Exception:
                log.exception("source.batch_set_aside", entries=len(batch))
                asyncio.get_running_loop().call_later(_SET_ASIDE_SECONDS, self._put_back, batch)
            finally:
                self._idle.set()

    async def run(self, batch: Sequence[Entry]) -> None:
        """Process a batch; where that fails for no reason of the outside, entry by entry."""
        if any(entry.is_abandoned for entry in batch):
            if batch[0].deliveries >= MAX_DELIVERIES:
                await self._count_against(batch[0])
                return
            counted = await self._counted(batch)
            if counted is None:
                return
            batch = counted
        if await self._tried(batch):
            return
        if len(batch) > 1:
            log.warning("source.one_by_one", entries=len(batch))
            for entry in batch:
                if not await self._tried([entry]):
                    await self._count_against(entry)
        else:
            await self._count_against(batch[0])

    async def _counted(self, batch: Sequence[Entry]) -> Sequence[Entry] | None:
        """Count the delivery of what others left before its work begins, so that what ends processes is found out.

        What was only read ahead when a process ended is not suspected. None when we are stopping.
        """
        while not self.should_stop:
            try:
                if await self._is_storage_up():
                    return await self._bus.count(self._identity.worker.name, batch)
            except UnavailableError as error:
                log.warning("source.line_waits", error=str(error), entries=len(batch))
            await asyncio.sleep(AWAY_SECONDS)
        return None

    async def _tried(self, batch: Sequence[Entry]) -> bool:
        """Process entries and release them; False when they failed of themselves. While something is away, wait."""
        while True:
            try:
                await self._line.process(batch)
            except (UnavailableError, FencedError) as error:
                log.warning("source.line_waits", error=str(error), entries=len(batch))
                await asyncio.sleep(AWAY_SECONDS)
                if self.should_stop:
                    return True
            except Exception:
                if await self._is_storage_up():
                    log.exception("source.batch_failed", entries=len(batch))
                    return False
                await asyncio.sleep(AWAY_SECONDS)
                if self.should_stop:
                    return True
            else:
                self._release(batch)
                return True

    def _release(self, batch: Sequence[Entry]) -> None:
        for entry in batch:
            self._ahead.release(entry)
        self._room.set()
        self._metrics.read_ahead.set(len(self._ahead))

    async def _count_against(self, entry: Entry) -> None:
        """Try again later, alone, with one delivery more; past the limit it is a dead letter."""
        while not self.should_stop:
            try:
                if entry.deliveries >= MAX_DELIVERIES:
                    await self._line.give_up(entry, Reason.POISON, f"failed {entry.deliveries} deliveries")
                    self._release([entry])
                    return
                again = await self._bus.redeliver(self._identity.worker.name, entry)
            except (UnavailableError, FencedError) as error:
                log.warning("source.line_waits", error=str(error), entries=1)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            if again is None:
                self._release([entry])
                return
            delay = _POISON_DELAY.total_seconds() * 2 ** (entry.deliveries - 1)
            asyncio.get_running_loop().call_later(delay, self._put_back, [again])
            return

    def _put_back(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._ahead.holds(entry.stream, entry.entry_id):
                self._ahead.put_back(entry)
        self._some.set()

    @mode.Service.task
    async def _measure(self) -> None:
        await repeat(self, "stream age", self._measure_once)

    async def _measure_once(self) -> float:
        for stream, age in (await self._bus.oldest_unacknowledged(time.time())).items():
            self._metrics.oldest_unacknowledged_seconds.labels(stream).set(age)
        await self._bus.trim()
        return _MEASURE_SECONDS

    async def on_stop(self) -> None:
        """Let the batch in the making end; what was only read ahead stays pending for whoever comes next."""
        self._some.set()
        self._room.set()
        self._sender.wake()
        await self._idle.wait()


def _not_in(living: Collection[str]) -> Callable[[str], bool]:
    return lambda name: name not in living
