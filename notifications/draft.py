"""A notification on its way through a batch: what was planned, what was found out, what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifications.content import Addressing, RenderedContent, RequestContent
from notifications.facts import RecipientFacts, RecipientKey, SubtypeSettings, TenantSettings
from notifications.gates import GateInput, Verdict, judge, status_of
from notifications.mail import Origin
from notifications.plan import PlannedEvent, PlannedNotification, expires_at
from notifications.ports import SlotWant, Templates
from notifications.sender_address import SenderAddress
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from providers.mailbox import clean_line

DEFAULT_LOCALE = "en"
_MAX_NAME_CHARS = 200
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

    def fail(self, reason: Reason) -> None:
        """Give it up, visibly."""
        self.status, self.reason, self.due_at = Status.FAILED, reason, None


def recipient_key(event: PlannedEvent, planned: PlannedNotification) -> RecipientKey:
    """Say whom to look up for a planned notification."""
    return RecipientKey(
        tenant_id=event.key.tenant_id,
        user_id=planned.request.recipient.user_id,
        email=planned.email,
        subtype=planned.request.subtype,
        category=planned.category,
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
    email = planned.email or facts.email
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
    return drafted


def choose_template(drafted: Draft, system: Templates) -> TemplateVersion | None:
    """Return the tenant's template in the recipient's language, the tenant's, the system's in it, the system's."""
    name = drafted.subtype.slug
    wanted = (drafted.planned.request.recipient.locale or drafted.facts.locale or DEFAULT_LOCALE).replace("_", "-")
    locales = dict.fromkeys((wanted, wanted.partition("-")[0], DEFAULT_LOCALE))
    for locale in locales:
        if (own := drafted.tenant.templates.get((name, locale))) is not None:
            return own
    return next((found for locale in locales if (found := system.find(name, locale)) is not None), None)


def request_content(drafted: Draft, template: TemplateVersion, sender: SenderAddress | None) -> RequestContent:
    """Say what to render and for whom; the directory's name fills in for one the event leaves out."""
    request = drafted.planned.request
    name = clean_line(request.recipient.name or drafted.facts.name or "", _MAX_NAME_CHARS) or None
    person: dict[str, Any] = dict(request.data.get("recipient") or {})
    data = {
        **request.data,
        "recipient": person | {"name": name},
        "tenant": {"name": clean_line(drafted.tenant.name, _MAX_NAME_CHARS), "slug": drafted.tenant.slug},
    }
    return RequestContent(
        addressing=Addressing(
            to_name=name,
            from_name=sender.from_.display_name if sender else drafted.tenant.name,
            reply_to=tuple(mailbox.addr_spec for mailbox in sender.reply_to) if sender else (),
            key=drafted.event.event.key,
            expires_at=drafted.expires_at,
            actor_id=request.actor_id,
        ),
        template_name=template.name,
        template_locale=template.locale,
        template_version=template.version,
        data=data,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDefaults:
    """The limit of a tenant that has none of its own: mails a minute, and as many at once."""

    per_minute: int = 60


def slot_wants(drafts: list[Draft], defaults: RateDefaults) -> dict[SlotWant, list[Draft]]:
    """Group what would go now by tenant and lane, in the order of the batch."""
    groups: dict[tuple[Any, int], list[Draft]] = {}
    for drafted in drafts:
        if drafted.is_open and not drafted.has_slot:
            groups.setdefault((drafted.tenant.id, drafted.lane), []).append(drafted)
    wants: dict[SlotWant, list[Draft]] = {}
    for (tenant_id, lane), members in groups.items():
        per_minute = members[0].tenant.rate_per_minute or defaults.per_minute
        want = SlotWant(
            tenant_id=tenant_id,
            lane=lane,
            per_minute=per_minute,
            burst=members[0].tenant.rate_burst or per_minute,
            count=len(members),
        )
        wants[want] = members
    return wants


def spaced(want: SlotWant, now: datetime) -> list[datetime]:
    """Return moments spaced by the rate, for when the limiter cannot be asked: no batch is over the limit."""
    interval = timedelta(minutes=1) / want.per_minute
    return [now + interval * (position + 1) for position in range(want.count)]


def rendered_content(request: RequestContent, *, subject: str, html: str, text: str) -> RenderedContent:
    """Return the words with the addressing they were asked for with."""
    return RenderedContent(addressing=request.addressing, subject=subject, html=html, text=text)
