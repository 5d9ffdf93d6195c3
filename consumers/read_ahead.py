"""Entries that were read and wait for their batch: urgent streams first, then one tenant after the other. No I/O."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from notifications.entry import Entry

_TENANT = re.compile(rb'"tenant_?[iI]d"\s*:\s*"([0-9a-fA-F-]{36})"')
_SEARCHED_BYTES = 4096


class ReadAhead:
    """Holds entries by stream and tenant, each entry once, bounded by count and bytes."""

    def __init__(self, streams: Sequence[str], *, max_entries: int, max_bytes: int) -> None:
        self._waiting: dict[str, dict[bytes, deque[Entry]]] = {stream: {} for stream in streams}
        self._alone: deque[Entry] = deque()
        self._held: set[tuple[str, str]] = set()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queued = 0

    def __len__(self) -> int:
        return self._queued

    @property
    def room(self) -> int:
        """How many more entries may be read; 0 when entries or bytes are at their bound."""
        return max(0, self._max_entries - len(self._held)) if self._bytes < self._max_bytes else 0

    @property
    def bytes_left(self) -> int:
        """How many more bytes may be read."""
        return max(0, self._max_bytes - self._bytes)

    def holds(self, stream: str, entry_id: str) -> bool:
        """Tell whether an entry is waiting or being processed."""
        return (stream, entry_id) in self._held

    def admit(self, entry: Entry) -> None:
        """Let an entry wait, unless it is held already."""
        key = (entry.stream, entry.entry_id)
        if key not in self._held:
            self._held.add(key)
            self._bytes += entry.size
            self.put_back(entry)

    def put_back(self, entry: Entry) -> None:
        """Let a held entry wait again; one that was delivered before waits for a batch of its own."""
        self._queued += 1
        if entry.deliveries > 1:
            self._alone.append(entry)
        else:
            self._waiting[entry.stream].setdefault(tenant_hint(entry), deque()).append(entry)

    def batch(self, size: int) -> list[Entry]:
        """Take the next batch: a repeated delivery alone, else up to `size` entries, urgent first, round robin."""
        if self._alone:
            self._queued -= 1
            return [self._alone.popleft()]
        batch: list[Entry] = []
        for tenants in self._waiting.values():
            while tenants and len(batch) < size:
                tenant, entries = next(iter(tenants.items()))
                del tenants[tenant]
                batch.append(entries.popleft())
                if entries:
                    tenants[tenant] = entries
        self._queued -= len(batch)
        return batch

    def release(self, entry: Entry) -> None:
        """Forget an entry that is settled, or that belongs to somebody else now."""
        key = (entry.stream, entry.entry_id)
        if key in self._held:
            self._held.discard(key)
            self._bytes -= entry.size


def tenant_hint(entry: Entry) -> bytes:
    """Guess whose an entry is without parsing it, for fairness only; nothing is decided by it."""
    named = entry.fields.get(b"ce_tenantid")
    if named is not None:
        return named[:36]
    text = entry.fields.get(b"data") or entry.fields.get(b"event") or b""
    found = _TENANT.search(text[:_SEARCHED_BYTES]) or _TENANT.search(text[-_SEARCHED_BYTES:])
    return found[1] if found else b""
