"""One entry of a Redis stream, and what becomes of one that cannot be an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from notifications.status import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What XREADGROUP delivered. `entry_id` is `<milliseconds>-<sequence>`; `deliveries` counts from 1.

    `is_abandoned` marks one that was left by a process that ended: the delivery to us is counted when its work begins.
    """

    stream: str
    entry_id: str
    fields: Mapping[bytes, bytes]
    deliveries: int = 1
    is_abandoned: bool = False

    @property
    def milliseconds(self) -> int:
        """The time part of the entry's id, in milliseconds since 1970."""
        return int(self.entry_id.partition("-")[0])

    @property
    def size(self) -> int:
        """The bytes of all field names and values."""
        return sum(len(name) + len(value) for name, value in self.fields.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry that leads to nothing, with the reason and as much of its identity as could be read."""

    entry: Entry
    reason: Reason
    detail: str
    tenant_id: UUID | None = None
    source: str | None = None
    event_id: str | None = None
    type: str | None = None
    traceparent: str | None = None
