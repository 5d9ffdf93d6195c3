"""What the line needs of the outside, as the narrow protocols that `storage` and `consumers` implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from notifications.content import FileRef, StoredContent
from notifications.entry import DeadLetter, Entry
from notifications.facts import EventKey, RecipientFacts, RecipientKey, Seen, TenantSettings
from notifications.mail import Mail
from notifications.request import DirectoryChange, FileRequest
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from providers.attachment import Attachment


class UnavailableError(Exception):
    """Postgres or Redis is away: nothing is wrong with the work, it waits."""


class FencedError(Exception):
    """This worker was declared dead: whatever it holds belongs to somebody else now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """One consistent read for a whole batch. A tenant that is absent from `tenants` is unknown."""

    tenants: Mapping[UUID, TenantSettings]
    seen: Mapping[EventKey, Seen]
    recipients: Sequence[RecipientFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """Where a notification waits or is being sent. `owner` None means anybody's when due."""

    lane: int
    due_at: datetime
    reason: Reason | None
    owner: int | None
    attempt: int
    provider: str | None
    mail_from: str | None
    opened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPlace:
    """A digest by whom it is for and what it is about, and when it closes if it is opened now."""

    reader: str
    about: str
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRow:
    """One notification as the claim writes it.

    `digest` is where a collected one lies; `opens` the window that begins with one that goes at once.
    """

    id: UUID
    event: EventKey
    category: str
    subtype: str
    user_id: str | None
    recipient: str | None
    status: Status
    reason: Reason | None
    template: tuple[str, str, str] | None
    gates: Mapping[str, Any]
    traceparent: str | None
    correlationid: str | None
    content: StoredContent | None = None
    queue: QueueRow | None = None
    digest: DigestPlace | None = None
    opens: DigestPlace | None = None
    delivery_event: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event as the inbox writes it; `body` is None where it must not be kept. `outcome` says what it led to."""

    key: EventKey
    stream: str
    entry_id: str
    type: str
    subject: str | None
    traceparent: str | None
    outcome: str
    body: bytes | None
    changes: tuple[DirectoryChange, ...]
    delivery_event: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRow:
    """An event that came again under another entry."""

    key: EventKey
    stream: str
    entry_id: str
    delivery_event: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Everything one batch writes, all or nothing, once per event."""

    owner: int
    events: Sequence[EventRow]
    notifications: Sequence[NotificationRow]
    repeats: Sequence[RepeatRow] = ()
    dead: Sequence[DeadLetter] = field(default_factory=list[DeadLetter])
    dead_events: Sequence[Mapping[str, Any]] = ()


class Facts(Protocol):
    """What Postgres knows, as decisions need it. Every method raises UnavailableError when it is away."""

    async def read(self, events: Sequence[EventKey], recipients: Sequence[RecipientKey]) -> BatchFacts:
        """Read what a batch needs to know; recipients come back in the order asked."""
        ...

    async def template(self, tenant_id: UUID, name: str, locale: str, version: str) -> TemplateVersion:
        """Return one pinned version, the tenant's or the system's."""
        ...


class Ledger(Facts, Protocol):
    """Postgres, as the pipeline sees it."""

    async def claim(self, claim: Claim) -> Mapping[EventKey, Seen]:
        """Write a batch and return the events that somebody else had claimed meanwhile: nothing was written of those.

        Raises:
            FencedError: when the owner has been declared dead; nothing was written.
        """
        ...


class Templates(Protocol):
    """The system's current templates."""

    def find(self, name: str, locale: str) -> TemplateVersion | None:
        """Return the system's current version, if there is one in that locale."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWant:
    """How many slots of a tenant's rate are wanted, in one lane."""

    tenant_id: UUID
    lane: int
    per_minute: int
    burst: int
    count: int


class Limiter(Protocol):
    """Reserves moments at which a tenant may send."""

    async def reserve(self, wants: Sequence[SlotWant], now: datetime) -> Sequence[Sequence[datetime]]:
        """Return `count` moments for each want, ascending; a moment at or before `now` means at once."""
        ...


class RefusedFileError(Exception):
    """A file may not be sent, or cannot be read; the message is the rule that it breaks, without content."""


class FileIntake(Protocol):
    """Where the files of mails are checked and kept, once per tenant and content."""

    async def keep(self, tenant_id: UUID, files: Sequence[FileRequest]) -> tuple[FileRef, ...]:
        """Check files, store their contents, and return how they are referred to.

        Raises:
            RefusedFileError: when one of them, or all together, may not be sent.
            UnavailableError: when they cannot be stored now.
        """
        ...


class KeptFiles(Protocol):
    """Where the kept files come from again."""

    async def fetch(self, tenant_id: UUID, files: Sequence[FileRef]) -> tuple[Attachment, ...]:
        """Return files with their contents.

        Raises:
            LookupError: when one of them is no longer kept.
            UnavailableError: when they cannot be read now.
        """
        ...


class AccountLimiter(Protocol):
    """Counts the attempts of a provider's whole account, over all processes."""

    async def take(self, provider: str, rate: float, *, line: str, has_waited: bool) -> timedelta | None:
        """Take one attempt: None means go, else it is how long until one is likely to be free.

        `line` names those who wait behind each other; `has_waited` tells that somebody comes at the moment they were
        given.

        Raises:
            UnavailableError: when nobody can tell.
        """
        ...

    async def learn(self, provider: str, rate: float) -> None:
        """Take note of what the provider said of its account's rate, in requests a second.

        Raises:
            UnavailableError: when it cannot be kept.
        """
        ...


class Bus(Protocol):
    """The input stream, as the pipeline sees it."""

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Acknowledge entries whose effects are committed."""
        ...


class SendLane(Protocol):
    """The sender, as the pipeline and the dispatcher see it."""

    def room(self) -> int:
        """Return how many more mails may be handed over now."""
        ...

    def put(self, mails: Sequence[Mail]) -> None:
        """Hand over opened mails; they are sent from memory."""
        ...


class Ownership(Protocol):
    """Who this worker is, and whether it may still act."""

    @property
    def owner(self) -> int:
        """The id of the present epoch, as in `send_queue.owner`."""
        ...

    def is_fresh(self) -> bool:
        """Tell whether the last heartbeat is young enough to start an attempt."""
        ...
