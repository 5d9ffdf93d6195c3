"""The input streams: read, take over, settle, trim. Only commands that Redis 6.2, Redis 7 and Valkey share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from notifications.entry import Entry
from storage.redis_errors import redis_away

BLOCK_MS = 500
"""Well below the reader's socket time-out: redis-py otherwise repeats the command in silence."""
_READ_COUNT = 1000
_LOOK_AT_GROUPS_SECONDS = 10.0
_PENDING_PAGE = 200
_LIKELY_BYTES = 65_536
"""What an entry is taken to weigh at least when deciding how many to ask for: the next may be larger than the last."""


class RedisBus:
    """One consumer group over several streams, urgent ones first. `reader` is a connection of its own: it blocks."""

    def __init__(self, redis: Redis, reader: Redis, streams: Sequence[str], group: str) -> None:
        self._redis = redis
        self._reader = reader
        self._streams = list(streams)
        self._group = group
        self._average_bytes = 16_384.0
        self._others: dict[str, bool] = {}
        self._looked_at = float("-inf")

    async def ensure_groups(self) -> None:
        """Create streams and groups that are missing; a new group begins with what is already there."""
        for stream in self._streams:
            with redis_away():
                if await self._has_group(stream):
                    continue
                try:
                    await self._redis.xgroup_create(stream, self._group, id="0", mkstream=True)
                except ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    async def _has_group(self, stream: str) -> bool:
        """Ask before creating: a Redis that is full refuses that even where there is nothing to create."""
        try:
            groups = await self._redis.xinfo_groups(stream)
        except ResponseError:
            return False
        return any(group["name"].decode() == self._group for group in groups)

    async def read(self, consumer: str, room: int, bytes_left: int) -> list[Entry]:
        """Read new entries, at most `room` and about `bytes_left`; waits half a second for the first.

        Raises:
            UnavailableError: when Redis is away, or had lost the group (which is made again).
        """
        # COUNT is for each stream, and of each one it is at least one.
        count = max(
            1, min(_READ_COUNT, room, int(bytes_left / max(self._average_bytes, _LIKELY_BYTES))) // len(self._streams)
        )
        with redis_away():
            try:
                reply = await self._reader.xreadgroup(
                    self._group, consumer, dict.fromkeys(self._streams, ">"), count=count, block=BLOCK_MS
                )
            except ResponseError as error:
                if "NOGROUP" in str(error):
                    await self.ensure_groups()
                raise
        entries = [
            Entry(stream=stream.decode(), entry_id=entry_id.decode(), fields=fields)
            for stream, found in _streams_of(reply)
            for entry_id, fields in found
        ]
        if entries:
            seen = sum(entry.size for entry in entries) / len(entries)
            self._average_bytes = max(256.0, (self._average_bytes + seen) / 2)
        return entries

    async def take_over(
        self, consumer: str, is_abandoned: Callable[[str], bool], is_held: Callable[[str, str], bool], room: int
    ) -> list[Entry]:
        """Take over what is pending for consumers that will not settle it, and that we do not hold already.

        Raises:
            UnavailableError: when Redis is away.
        """
        taken: list[Entry] = []
        with redis_away():
            for stream in self._streams:
                for owner in await self._redis.xinfo_consumers(stream, self._group):
                    name = owner["name"].decode()
                    if owner["pending"] and is_abandoned(name):
                        taken += await self._take_from(stream, name, consumer, is_held, room - len(taken))
        return taken

    async def _take_from(
        self, stream: str, owner: str, consumer: str, is_held: Callable[[str, str], bool], room: int
    ) -> list[Entry]:
        taken: list[Entry] = []
        start = "-"
        while len(taken) < room:
            page: Any = await self._redis.xpending_range(
                stream, self._group, start, "+", _PENDING_PAGE, consumername=owner
            )
            wanted = {
                item["message_id"]: item["times_delivered"]
                for item in page
                if not is_held(stream, item["message_id"].decode())
            }
            if wanted:
                ids = list(wanted)[: room - len(taken)]
                taken += await self._claim_uncounted(stream, consumer, {entry_id: wanted[entry_id] for entry_id in ids})
            if len(page) < _PENDING_PAGE:
                break
            start = f"({page[-1]['message_id'].decode()}"
        return taken

    async def _claim_uncounted(self, stream: str, consumer: str, deliveries: Mapping[bytes, int]) -> list[Entry]:
        """Take entries with their counts as they are: most were only read ahead, and have done no harm to anybody."""
        taken: list[Entry] = []
        for count in sorted(set(deliveries.values())):
            ids: list[Any] = [entry_id for entry_id, delivered in deliveries.items() if delivered == count]
            # Min-idle 0 is safe, as the owner's life has ended.
            claimed: Any = await self._redis.xclaim(stream, self._group, consumer, 0, ids, retrycount=count)
            taken += [
                Entry(stream=stream, entry_id=entry_id.decode(), fields=fields, deliveries=count, is_abandoned=True)
                for entry_id, fields in claimed
                if fields is not None
            ]
        return taken

    async def count(self, consumer: str, entries: Sequence[Entry]) -> list[Entry]:
        """Count the delivery of abandoned entries whose work is about to begin, and return all as they are then.

        Raises:
            UnavailableError: when Redis is away; to count again is harmless.
        """
        counted = [
            replace(entry, deliveries=entry.deliveries + 1, is_abandoned=False) if entry.is_abandoned else entry
            for entry in entries
        ]
        groups: dict[tuple[str, int], list[Any]] = {}
        for before, entry in zip(entries, counted, strict=True):
            if before.is_abandoned:
                groups.setdefault((entry.stream, entry.deliveries), []).append(entry.entry_id)
        with redis_away():
            for (stream, deliveries), ids in groups.items():
                await self._redis.xclaim(stream, self._group, consumer, 0, ids, retrycount=deliveries, justid=True)
        return counted

    async def redeliver(self, consumer: str, entry: Entry) -> Entry | None:
        """Count one more delivery against an entry; None when it is gone from the stream.

        Raises:
            UnavailableError: when Redis is away.
        """
        with redis_away():
            claimed: Any = await self._redis.xclaim(entry.stream, self._group, consumer, 0, [entry.entry_id])
        if not claimed:
            return None
        return Entry(stream=entry.stream, entry_id=entry.entry_id, fields=entry.fields, deliveries=entry.deliveries + 1)

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries whose effects are committed, and delete them where no other group reads the stream.

        Raises:
            UnavailableError: when Redis is away; to settle again is harmless.
        """
        by_stream: dict[str, list[str]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry.entry_id)
        with redis_away():
            await self._look_at_groups()
            async with self._redis.pipeline(transaction=True) as pipe:
                for stream, ids in by_stream.items():
                    pipe.xack(stream, self._group, *ids)
                    if not self._others.get(stream, True):
                        pipe.xdel(stream, *ids)
                await pipe.execute()

    async def _look_at_groups(self) -> None:
        if time.monotonic() - self._looked_at < _LOOK_AT_GROUPS_SECONDS:
            return
        for stream in self._streams:
            groups = await self._redis.xinfo_groups(stream)
            self._others[stream] = any(group["name"].decode() != self._group for group in groups)
        self._looked_at = time.monotonic()

    async def trim(self) -> None:
        """Trim streams that other groups read too, below what every group has settled; never by length.

        Raises:
            UnavailableError: when Redis is away.
        """
        with redis_away():
            for stream, has_others in self._others.items():
                if has_others:
                    await self._redis.xtrim(stream, minid=await self._settled_below(stream), approximate=True)

    async def _settled_below(self, stream: str) -> str:
        lowest: list[tuple[int, int]] = []
        for group in await self._redis.xinfo_groups(stream):
            name = group["name"].decode()
            pending = await self._redis.xpending(stream, name)
            first = pending["min"] if pending["pending"] else group["last-delivered-id"]
            lowest.append(_id(first))
        return "{}-{}".format(*min(lowest))

    async def oldest_unacknowledged(self, now: float) -> Mapping[str, float]:
        """Return the age in seconds of each stream's oldest entry that we have not settled; 0 where there is none.

        Redis's own `lag` is nil once entries were deleted out of order, so it is not asked.

        Raises:
            UnavailableError: when Redis is away.
        """
        ages: dict[str, float] = {}
        with redis_away():
            for stream in self._streams:
                ages[stream] = await self._oldest(stream, now)
        return ages

    async def _oldest(self, stream: str, now: float) -> float:
        pending = await self._redis.xpending(stream, self._group)
        if pending["pending"]:
            return max(0.0, now - _id(pending["min"])[0] / 1000)
        groups = {group["name"].decode(): group for group in await self._redis.xinfo_groups(stream)}
        delivered = groups[self._group]["last-delivered-id"] if self._group in groups else b"0-0"
        unread: Any = await self._redis.xrange(stream, min=f"({_text(delivered)}", count=1)
        return max(0.0, now - _id(unread[0][0])[0] / 1000) if unread else 0.0


def _streams_of(reply: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """Read both shapes of reply that redis-py gives, by protocol."""
    if not reply:
        return []
    if isinstance(reply, dict):
        return [(stream, [tuple(entry) for part in parts for entry in part]) for stream, parts in reply.items()]
    return [(stream, entries) for stream, entries in reply]


def _text(entry_id: bytes | str) -> str:
    return entry_id.decode() if isinstance(entry_id, bytes) else entry_id


def _id(entry_id: bytes | str) -> tuple[int, int]:
    milliseconds, _, sequence = _text(entry_id).partition("-")
    return int(milliseconds), int(sequence or 0)
