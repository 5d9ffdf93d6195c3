"""A notification on its way through a batch: what was planned, what was found out, what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from notifications.categories import SUBTYPES
from notifications.content import Enclosed, RenderedContent, RequestContent, Shown
from notifications.facts import RecipientFacts, RecipientKey, SubtypeSettings, TenantSettings
from notifications.gates import GateInput, Verdict, judge, status_of
from notifications.mail import Origin
from notifications.plan import PlannedEvent, PlannedNotification, expires_at
from notifications.ports import DigestPlace
from notifications.sender_address import SenderAddress
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from notifications.timing import Frequency, quiet_until, wished_moment, zone_of
from providers.mailbox import clean_line

MAX_NAME_CHARS = 200
URGENT_LANE = 0
NORMAL_LANE = 1


@dataclass(slots=True, kw_only=True)
class Draft:
    """One notification of a batch. Steps fill in what they decide; `status` None means that it goes now."""

    event: PlannedEvent
    planned: PlannedNotification
    tenant: TenantSettings
    subtype: SubtypeSettings
    facts: RecipientFacts
    verdict: Verdict
    origin: Origin
    expires_at: datetime | None
    status: Status | None = None
    reason: Reason | None = None
    due_at: datetime | None = None
    template: TemplateVersion | None = None
    provider: str | None = None
    sender: SenderAddress | None = None
    content: RequestContent | RenderedContent | None = None
    enclosed: Enclosed = field(default_factory=Enclosed)
    detail: str | None = None
    digest: DigestPlace | None = None
    opens: DigestPlace | None = None
    has_slot: bool = False
    is_mine: bool = False

    @property
    def lane(self) -> int:
        """Urgent mail goes first and has a rate limit of its own."""
        return URGENT_LANE if self.subtype.is_urgent else NORMAL_LANE

    @property
    def is_open(self) -> bool:
        """Whether no step has stopped or parked it yet."""
        return self.status is None

    def wait_for(self, slot: datetime, now: datetime) -> None:
        """Take a slot of the tenant's rate, and wait for it if it is still to come."""
        self.has_slot = True
        if slot > now:
            self.park(Reason.RATE, slot)

    def park(self, reason: Reason, due_at: datetime) -> None:
        """Let it wait."""
        self.status, self.reason, self.due_at = Status.QUEUED, reason, due_at

    def collect(self, place: DigestPlace) -> None:
        """Lay it into a digest."""
        self.status, self.reason, self.digest = Status.COLLECTED, Reason.DIGEST, place

    def fail(self, reason: Reason, detail: str | None = None) -> None:
        """Give it up, visibly; `detail` is what `why` adds to the reason."""
        self.status, self.reason, self.due_at, self.detail = Status.FAILED, reason, None, detail

    @property
    def timezone(self) -> str | None:
        """The recipient's time zone, as the event or the directory tells it."""
        return self.planned.request.recipient.timezone or self.facts.timezone

    @property
    def is_wanted(self) -> bool:
        """Whether it goes, now or later, or is told of in a digest."""
        return self.status is None or self.status in {Status.QUEUED, Status.COLLECTED}

    @property
    def name(self) -> str | None:
        """The recipient's name, as the event or the directory tells it."""
        return clean_line(self.planned.request.recipient.name or self.facts.name or "", MAX_NAME_CHARS) or None

    @property
    def shown(self) -> Shown | None:
        """How its recipient is shown to those who get the same words; None where it has no address.

        Not the address that somebody would rather have this mail at: that is between them and us.
        """
        address = self.planned.email or self.facts.email
        if self.origin.recipient is None or address is None:
            return None
        return self.name, address


def recipient_key(event: PlannedEvent, planned: PlannedNotification) -> RecipientKey:
    """Say whom to look up for a planned notification."""
    return RecipientKey(
        tenant_id=event.key.tenant_id,
        user_id=planned.request.recipient.user_id,
        email=planned.email,
        subtype=planned.request.subtype,
        category=planned.category,
        keeps_address=SUBTYPES[planned.request.subtype].is_mandatory,
        reader=planned.request.recipient.user_id or planned.email or "",
        about=f"{planned.category}:{event.event.key.partition('/')[2]}",
    )


def draft(
    event: PlannedEvent,
    planned: PlannedNotification,
    tenant: TenantSettings,
    facts: RecipientFacts,
    *,
    service_enabled: bool,
    traceparent: str | None,
    now: datetime,
) -> Draft:
    """Run the gates over one notification."""
    subtype = tenant.subtypes[planned.request.subtype]
    email = facts.other_email or planned.email or facts.email
    stale_at = expires_at(event.event, event.entry, subtype.expires_after, now)
    verdict = judge(
        GateInput(
            service_enabled=service_enabled,
            tenant=tenant,
            subtype=subtype,
            recipient=facts,
            user_id=planned.request.recipient.user_id,
            actor_id=planned.request.actor_id,
            email=email,
            expires_at=stale_at,
            now=now,
        )
    )
    drafted = Draft(
        event=event,
        planned=planned,
        tenant=tenant,
        subtype=subtype,
        facts=facts,
        verdict=verdict,
        origin=Origin(
            event=event.key,
            traceparent=traceparent,
            correlationid=event.event.correlationid,
            category=subtype.category,
            subtype=subtype.slug,
            user_id=planned.request.recipient.user_id,
            recipient=email,
        ),
        expires_at=stale_at,
    )
    if verdict.reason is not None:
        drafted.status, drafted.reason = status_of(verdict.reason), verdict.reason
    elif (place := belongs_to(drafted, now)) is not None:
        drafted.collect(place)
    elif (wait := waits_for_its_time(drafted, now)) is not None:
        drafted.park(*wait)
    return drafted


def belongs_to(drafted: Draft, now: datetime) -> DigestPlace | None:
    """Return the digest that a wanted notification belongs to, or None where it goes by itself.

    What is urgent or mandatory, asks for a moment of its own or carries files always goes by itself. Of what may be
    gathered within the subtype's window, the first goes at once and opens the window.
    """
    extras = drafted.planned.request.extras
    if drafted.subtype.ignores_quiet_hours or extras.files or extras.send_at is not None:
        return None
    frequency, window = drafted.facts.frequency, drafted.subtype.digest_window
    if frequency is Frequency.REALTIME and window is None:
        return None
    key = recipient_key(drafted.event, drafted.planned)
    if window is None or frequency is not Frequency.REALTIME:
        closes_at = drafted.facts.digest_time.next(frequency, now, zone_of(drafted.timezone))
        return DigestPlace(reader=key.reader, about=frequency.value, closes_at=closes_at)
    place = DigestPlace(reader=key.reader, about=key.about, closes_at=now + window)
    if drafted.facts.open_digest:
        return place
    drafted.opens = place
    return None


def waits_for_its_time(drafted: Draft, now: datetime) -> tuple[Reason, datetime] | None:
    """Return why and until when a wanted notification waits by its recipient's clock, or None."""
    send_at = drafted.planned.request.extras.send_at
    if send_at is not None and (moment := wished_moment(send_at, drafted.timezone)) > now:
        return Reason.SCHEDULED, moment
    if drafted.subtype.ignores_quiet_hours:
        return None
    until = quiet_until(drafted.facts.quiet, drafted.timezone, now)
    return None if until is None else (Reason.QUIET_HOURS, until)
