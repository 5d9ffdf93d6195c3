"""From entries to what they ask for: the first, pure step of the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from events.envelope import CloudEvent
from events.wire import UnreadableEventError, decode
from notifications.address import canonical
from notifications.categories import SUBTYPES
from notifications.entry import DeadLetter, Entry
from notifications.facts import EventKey
from notifications.hashing import notification_id
from notifications.request import DirectoryChange, NotificationRequest, Recipient, Routes
from notifications.status import Reason

MAX_NOTIFICATIONS = 256
"""A batch is cut once it asks for this many: an event may concern 500 people, and a batch must not hold up the rest."""

MAX_CLOCK_SKEW = timedelta(days=1)
"""An entry id further from the clock than this does not give its time to ids, which choose their partition by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNotification:
    """A request with its id; `email` is the event's own address, in canonical form.

    A copy names the notification it is a copy of; that one names its visible copies.
    """

    id: UUID
    request: NotificationRequest
    category: str
    email: str | None
    copy_of: UUID | None = None
    copies: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    """One event and everything its handler asked for."""

    entry: Entry
    key: EventKey
    event: CloudEvent[Any]
    notifications: tuple[PlannedNotification, ...]
    changes: tuple[DirectoryChange, ...]

    @property
    def registers_tenant(self) -> bool:
        """Whether it makes its own tenant known."""
        return any(change.kind == "tenant_register" for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a batch amounts to. `rest` was cut off, behind a directory change or enough work, and is planned after."""

    events: list[PlannedEvent] = field(default_factory=list[PlannedEvent])
    repeats: list[PlannedEvent] = field(default_factory=list[PlannedEvent])
    dead: list[DeadLetter] = field(default_factory=list[DeadLetter])
    rest: Sequence[Entry] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Reads entries by the routes it was given. `secret` keys the ids, so that nobody can guess them."""

    routes: Routes
    secret: bytes
    max_entry_bytes: int

    def plan(self, entries: Sequence[Entry], now: datetime) -> Plan:
        """Read a batch: events, the same event met twice in it, and dead letters with their reason."""
        plan = Plan()
        known: set[EventKey] = set()
        asked = 0
        for position, entry in enumerate(entries):
            try:
                event = decode(entry.fields, max_bytes=self.max_entry_bytes)
            except UnreadableEventError as error:
                plan.dead.append(_dead_letter(entry, error))
                continue
            planned = self._planned(entry, event, now)
            if planned.key in known:
                plan.repeats.append(planned)
                continue
            known.add(planned.key)
            plan.events.append(planned)
            asked += len(planned.notifications)
            if planned.changes or asked >= MAX_NOTIFICATIONS:
                return Plan(events=plan.events, repeats=plan.repeats, dead=plan.dead, rest=entries[position + 1 :])
        return plan

    def _planned(self, entry: Entry, event: CloudEvent[Any], now: datetime) -> PlannedEvent:
        key = EventKey(tenant_id=event.tenantid, source=event.source, event_id=event.id)
        effects = self.routes[event.type](event)
        notifications: dict[UUID, PlannedNotification] = {}
        for request in effects:
            if isinstance(request, NotificationRequest):
                for planned in self._expanded(key, request, _milliseconds(entry, now), notifications):
                    notifications.setdefault(planned.id, planned)
        return PlannedEvent(
            entry=entry,
            key=key,
            event=event,
            notifications=tuple(notifications.values()),
            changes=tuple(effect for effect in effects if isinstance(effect, DirectoryChange)),
        )

    def _expanded(
        self, key: EventKey, request: NotificationRequest, milliseconds: int, known: Mapping[UUID, PlannedNotification]
    ) -> list[PlannedNotification]:
        """Return the notification of a request and one for each copy of it that is not planned yet.

        Of one event many people get the same copies: those are made once, as copies of the first one's.
        """
        planned = self._notification(key, request, milliseconds)
        if not request.cc and not request.bcc:
            return [planned]
        cc = [self._id(key, request.subtype, recipient, milliseconds) for recipient in request.cc]
        bcc = [self._id(key, request.subtype, recipient, milliseconds) for recipient in request.bcc]
        copies = [
            replace(self._notification(key, _copy(request, recipient), milliseconds), copy_of=planned.id)
            for id_, recipient in zip((*cc, *bcc), (*request.cc, *request.bcc), strict=True)
            if id_ not in known
        ]
        return [replace(planned, copies=tuple(id_ for id_ in cc if id_ != planned.id)), *copies]

    def _notification(self, key: EventKey, request: NotificationRequest, milliseconds: int) -> PlannedNotification:
        return PlannedNotification(
            id=self._id(key, request.subtype, request.recipient, milliseconds),
            request=request,
            category=SUBTYPES[request.subtype].category,
            email=canonical(request.recipient.email),
        )

    def _id(self, key: EventKey, subtype: str, recipient: Recipient, milliseconds: int) -> UUID:
        who = f"user:{recipient.user_id}" if recipient.user_id else f"mailto:{canonical(recipient.email)}"
        return notification_id(self.secret, milliseconds, key.tenant_id, key.source, key.event_id, subtype, who)


def _copy(request: NotificationRequest, recipient: Recipient) -> NotificationRequest:
    data = dict(request.data)
    if "recipient" in data:
        data["recipient"] = {**data["recipient"], "name": recipient.name}
    return replace(request, recipient=recipient, data=data, cc=(), bcc=())


def _milliseconds(entry: Entry, now: datetime) -> int:
    ours = int(now.timestamp() * 1000)
    theirs = entry.milliseconds
    return theirs if abs(theirs - ours) <= MAX_CLOCK_SKEW / timedelta(milliseconds=1) else ours


def _dead_letter(entry: Entry, error: UnreadableEventError) -> DeadLetter:
    return DeadLetter(
        entry=entry,
        reason=Reason(error.reason),
        detail=error.detail,
        tenant_id=error.tenantid,
        source=error.source,
        event_id=error.event_id,
        type=error.event_type,
        traceparent=error.traceparent,
    )


def unprocessable(entry: Entry, reason: Reason, detail: str, *, max_bytes: int) -> DeadLetter:
    """Return the dead letter of an entry that failed later than reading, with its identity where it can be read."""
    try:
        event = decode(entry.fields, max_bytes=max_bytes)
    except UnreadableEventError as error:
        return _dead_letter(entry, error)
    return DeadLetter(
        entry=entry,
        reason=reason,
        detail=detail,
        tenant_id=event.tenantid,
        source=event.source,
        event_id=event.id,
        type=event.type,
        traceparent=event.traceparent,
    )


def expires_at(event: CloudEvent[Any], entry: Entry, expires_after: timedelta | None, now: datetime) -> datetime | None:
    """Return the moment after which the mail is stale: the event's own `expirytime`, or the subtype's age limit."""
    if event.expirytime is not None:
        return event.expirytime
    if expires_after is None:
        return None
    began = event.time or datetime.fromtimestamp(_milliseconds(entry, now) / 1000, tz=UTC)
    return began + expires_after
