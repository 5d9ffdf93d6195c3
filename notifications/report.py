"""Delivery events out of what the line decides: the one place where a change becomes something the upstream reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from events.delivery import EventReport, delivery_event, email_event, written
from notifications.entry import DeadLetter, Entry
from notifications.facts import EventKey
from notifications.hashing import recipient_hash
from notifications.mail import Origin
from notifications.status import Reason, Status
from notifications.transition import Parks, Transition

_UNPUBLISHED = frozenset({Status.SENDING, Status.COLLECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Builds delivery events. `secret` keys the hash that stands for an address."""

    secret: bytes

    def of_status(
        self,
        notification_id: UUID,
        origin: Origin,
        *,
        status: Status,
        reason: Reason | None,
        due_at: datetime | None,
        now: datetime,
        version: int = 1,
    ) -> dict[str, Any] | None:
        """Return the event of a status that no attempt led to; None for one that is not published."""
        return self._email(
            notification_id,
            origin,
            status=status,
            reason=reason,
            version=version,
            now=now,
            due_at=written(due_at) if due_at else None,
        )

    def of_change(self, change: Transition, version: int, now: datetime) -> dict[str, Any] | None:
        """Return the event of a later status; None for one that is not published."""
        attempt = change.attempt
        return self._email(
            change.id,
            change.origin,
            status=change.status,
            reason=change.reason,
            version=version,
            now=now,
            due_at=written(change.queue.due_at) if isinstance(change.queue, Parks) else None,
            attempt=attempt.n if attempt else None,
            provider=attempt.provider if attempt else None,
            provider_message_id=attempt.provider_message_id if attempt else None,
        )

    def _email(
        self,
        notification_id: UUID,
        origin: Origin,
        *,
        status: Status,
        reason: Reason | None,
        version: int,
        now: datetime,
        **known: Any,
    ) -> dict[str, Any] | None:
        if status in _UNPUBLISHED:
            return None
        return email_event(
            {
                "notification_id": str(notification_id),
                "version": version,
                "status": status.value,
                "reason": reason.value if reason else None,
                **known,
                "category": origin.category,
                "subtype": origin.subtype,
                "user_id": origin.user_id,
                "recipient_hash": recipient_hash(self.secret, origin.recipient) if origin.recipient else None,
            },
            time=now,
            tenantid=origin.event.tenant_id,
            causationid=origin.event.event_id,
            correlationid=origin.correlationid,
            traceparent=origin.traceparent,
        )

    def of_event(
        self,
        entry: Entry,
        key: EventKey,
        *,
        type_: str,
        reason: Reason,
        now: datetime,
        correlationid: str | None,
        traceparent: str | None,
    ) -> dict[str, Any]:
        """Return the event of an event that leads to no notification: a repeat, or nobody to tell."""
        report = EventReport(
            stream=entry.stream,
            entry_id=entry.entry_id,
            status="skipped",
            reason=reason.value,
            event_id=key.event_id,
            event_type=type_,
            event_source=key.source,
        )
        return delivery_event(
            report,
            time=now,
            tenantid=key.tenant_id,
            causationid=key.event_id,
            correlationid=correlationid,
            traceparent=traceparent,
        )

    def of_dead_letter(self, letter: DeadLetter, now: datetime) -> dict[str, Any]:
        """Return the event of an entry that was dead-lettered, with as much of its identity as could be read."""
        report = EventReport(
            stream=letter.entry.stream,
            entry_id=letter.entry.entry_id,
            status="dead_lettered",
            reason=letter.reason.value,
            detail=letter.detail,
            event_id=letter.event_id,
            event_type=letter.type,
            event_source=letter.source,
        )
        return delivery_event(
            report,
            time=now,
            tenantid=letter.tenant_id,
            causationid=letter.event_id,
            traceparent=letter.traceparent,
        )
