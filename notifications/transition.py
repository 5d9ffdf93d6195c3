"""One change of one notification: queue row, status, ledger and delivery event together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifications.content import RenderedContent, RequestContent, StoredContent
from notifications.gates import Verdict
from notifications.mail import Origin
from notifications.status import Reason, Status

WORKER_DIED = "worker_died"
"""`AttemptRow.error` of an attempt nobody recorded; its real outcome, should it come late, takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Whose row it must still be for the change to hold."""

    owner: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """The row leaves the queue: the notification is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parks:
    """The row goes back, to be anybody's at `due_at`."""

    due_at: datetime
    reason: Reason
    is_pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """The row stays mine for one attempt at one provider."""

    attempt: int
    provider: str
    mail_from: str
    opened_at: datetime


QueueChange = Leaves | Parks | Opens


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One line of the ledger of attempts; written also when the row has gone to somebody else meanwhile."""

    n: int
    provider: str
    mail_from: str | None
    outcome: str
    error: str | None
    reply: str | None
    provider_message_id: str | None
    worker: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What becomes of a notification. Where the fence fails, only the ledger and a rise in rank remain of it."""

    id: UUID
    origin: Origin
    fence: Fence
    status: Status
    reason: Reason | None
    queue: QueueChange
    attempt: AttemptRow | None = None
    content: StoredContent | None = None
    forgets_content: bool = False
    suppresses: bool = False
    verdict: Verdict | None = None
    """What the gates said, where they were asked again and stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A queue row the dispatcher has just made its own: ids only."""

    id: UUID
    tenant_id: UUID
    lane: int
    fence: Fence
    reason: Reason | None
    provider: str | None
    mail_from: str | None
    opened_at: datetime | None
    is_pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """All that is stored of a taken notification; content None: it is gone.

    `tries` counts its recorded attempts but those that found a quota used up, `tried_at` names the providers that made
    them, `first_tried` is when the first one began.
    """

    taken: Taken
    origin: Origin
    status: Status
    tries: int
    tried_at: frozenset[str]
    first_tried: datetime | None
    template_name: str | None
    content: RequestContent | RenderedContent | None


class Transitions(Protocol):
    """The record and open transactions."""

    async def waiting(self, taken: Sequence[Taken]) -> Sequence[Waiting]:
        """Read what is stored of taken rows."""
        ...

    async def apply(self, changes: Sequence[Transition]) -> frozenset[UUID]:
        """Write changes in one transaction and return the ids whose fence held."""
        ...
