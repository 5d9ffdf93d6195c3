"""From decided drafts to the rows one claim writes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.wire import encode
from notifications.compression import compress
from notifications.content import RenderedContent
from notifications.content import encode as encode_content
from notifications.draft import Draft
from notifications.entry import DeadLetter
from notifications.mail import Mail
from notifications.plan import PlannedEvent
from notifications.ports import Claim, EventRow, NotificationRow, QueueRow, RepeatRow
from notifications.report import Reports
from notifications.status import Reason, Status

FIRST_ATTEMPT = 1

OriginTrace = Callable[[PlannedEvent], str | None]
"""Gives the traceparent that is stored with an event's notifications."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBuilder:
    """Builds claims, and the mails that follow from them."""

    reports: Reports

    def build(
        self,
        owner: int,
        events: Sequence[PlannedEvent],
        repeats: Sequence[PlannedEvent],
        dead: Sequence[DeadLetter],
        drafts: Sequence[Draft],
        *,
        now: datetime,
        origin: OriginTrace,
    ) -> Claim:
        """Return everything a batch writes."""
        secret = {drafted.event.key for drafted in drafts if drafted.subtype.is_secret}
        return Claim(
            owner=owner,
            events=[self._event(event, is_secret=event.key in secret, now=now, origin=origin) for event in events],
            notifications=[self._notification(drafted, owner, now) for drafted in drafts],
            repeats=[self._repeat(event, now, origin) for event in repeats],
            dead=dead,
            dead_events=[self.reports.of_dead_letter(letter, now) for letter in dead],
        )

    def mail(self, drafted: Draft, owner: int, now: datetime, span: str | None) -> Mail:
        """Return the first attempt of a draft that goes now.

        Raises:
            ValueError: when the draft does not go now.
        """
        if not isinstance(drafted.content, RenderedContent) or drafted.provider is None or drafted.sender is None:
            raise ValueError("only a rendered draft with a provider can go")
        return Mail(
            id=drafted.planned.id,
            origin=drafted.origin,
            owner=owner,
            attempt=FIRST_ATTEMPT,
            tries=0,
            provider=drafted.provider,
            mail_from=drafted.sender.mail_from,
            opened_at=now.replace(microsecond=0),
            is_pinned=False,
            uncertain_policy=drafted.subtype.uncertain_policy,
            is_secret=drafted.subtype.is_secret,
            template_name=drafted.subtype.slug,
            content=drafted.content,
            tenant=drafted.tenant,
            span=span,
        )

    def _event(self, event: PlannedEvent, *, is_secret: bool, now: datetime, origin: OriginTrace) -> EventRow:
        led_to_nothing = not event.notifications and not event.changes
        outcome = "notifications" if event.notifications else "directory" if event.changes else Reason.NO_RECIPIENTS
        return EventRow(
            key=event.key,
            stream=event.entry.stream,
            entry_id=event.entry.entry_id,
            type=event.event.type,
            subject=event.event.subject,
            traceparent=origin(event),
            outcome=outcome,
            body=None if is_secret else _body(event),
            changes=event.changes,
            delivery_event=self._skipped(event, Reason.NO_RECIPIENTS, now, origin) if led_to_nothing else None,
        )

    def _repeat(self, event: PlannedEvent, now: datetime, origin: OriginTrace) -> RepeatRow:
        return RepeatRow(
            key=event.key,
            stream=event.entry.stream,
            entry_id=event.entry.entry_id,
            delivery_event=self._skipped(event, Reason.DUPLICATE, now, origin),
        )

    def _skipped(self, event: PlannedEvent, reason: Reason, now: datetime, origin: OriginTrace) -> dict[str, Any]:
        return self.reports.of_event(
            event.entry,
            event.key,
            type_=event.event.type,
            reason=reason,
            now=now,
            correlationid=event.event.correlationid,
            traceparent=origin(event),
        )

    def _notification(self, drafted: Draft, owner: int, now: datetime) -> NotificationRow:
        status = drafted.status or Status.SENDING
        template = drafted.template
        return NotificationRow(
            id=drafted.planned.id,
            event=drafted.event.key,
            category=drafted.subtype.category,
            subtype=drafted.subtype.slug,
            user_id=drafted.origin.user_id,
            recipient=drafted.origin.recipient,
            status=status,
            reason=drafted.reason,
            template=(template.name, template.locale, template.version) if template else None,
            gates=drafted.verdict.document(drafted.tenant.version)
            | ({"detail": drafted.detail} if drafted.detail else {}),
            traceparent=drafted.origin.traceparent,
            correlationid=drafted.origin.correlationid,
            content=encode_content(drafted.content) if drafted.content and status is not Status.FAILED else None,
            queue=_queue_row(drafted, owner, now),
            digest=drafted.digest,
            opens=drafted.opens if drafted.is_wanted else None,
            delivery_event=self.reports.of_status(
                drafted.planned.id,
                drafted.origin,
                status=status,
                reason=drafted.reason,
                due_at=drafted.due_at,
                now=now,
            ),
        )


def _queue_row(drafted: Draft, owner: int, now: datetime) -> QueueRow | None:
    if drafted.is_mine and drafted.sender is not None:
        return QueueRow(
            lane=drafted.lane,
            due_at=now,
            reason=None,
            owner=owner,
            attempt=FIRST_ATTEMPT,
            provider=drafted.provider,
            mail_from=drafted.sender.mail_from,
            opened_at=now.replace(microsecond=0),
        )
    if drafted.due_at is None:
        return None
    return QueueRow(
        lane=drafted.lane,
        due_at=drafted.due_at,
        reason=drafted.reason,
        owner=None,
        attempt=0,
        provider=None,
        mail_from=None,
        opened_at=None,
    )


def _body(event: PlannedEvent) -> bytes:
    """Return the event in canonical form, compressed, for replay."""
    fields = event.entry.fields
    is_canonical = b"data" in fields and not any(name.startswith(b"ce_") for name in fields)
    text = fields[b"data"] if is_canonical else encode(event.event.model_dump(mode="json"))["data"].encode()
    return compress(text)
