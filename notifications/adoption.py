"""What to do with the queue rows of a dead worker: send, repeat under the same key, or doubt. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifications.status import Reason
from notifications.transition import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedRow:
    """A row as the dead worker left it. `was_opened` is false where it was taken but not yet opened."""

    id: UUID
    fence: Fence
    provider: str | None
    was_opened: bool
    is_pinned: bool
    reason: Reason | None
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """The row as it goes back into the queue."""

    id: UUID
    due_at: datetime
    reason: Reason
    is_pinned: bool


def adopt(
    rows: Sequence[OwnedRow],
    marks: frozenset[tuple[UUID, int]] | None,
    *,
    now: datetime,
    is_idempotent: Callable[[str], bool | None],
) -> list[Adopted]:
    """Decide for each row; `marks` None means that they are lost, so that every opened attempt may have begun.

    `is_idempotent` None means that the provider is no longer configured: whether it made marks is unknown, so an opened
    attempt may have begun as well.
    """
    return [_adopt(row, marks, now=now, is_idempotent=is_idempotent) for row in rows]


def _adopt(
    row: OwnedRow,
    marks: frozenset[tuple[UUID, int]] | None,
    *,
    now: datetime,
    is_idempotent: Callable[[str], bool | None],
) -> Adopted:
    # `reason` is cleared when an attempt opens: a row that still has one was taken, not opened, since.
    if row.provider is None or not row.was_opened or row.reason is not None:
        return Adopted(id=row.id, due_at=now, reason=row.reason or Reason.HANDED_BACK, is_pinned=row.is_pinned)
    can_repeat = is_idempotent(row.provider)
    if can_repeat:
        # A repeat under the same key is not a second mail; until it is answered, no other provider may have it.
        return Adopted(id=row.id, due_at=now, reason=Reason.HANDED_BACK, is_pinned=True)
    if can_repeat is None or marks is None or (row.id, row.fence.attempt) in marks:
        return Adopted(id=row.id, due_at=now, reason=Reason.IN_DOUBT, is_pinned=True)
    return Adopted(id=row.id, due_at=now, reason=Reason.HANDED_BACK, is_pinned=row.is_pinned)
