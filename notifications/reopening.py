"""Decides about notifications that waited: still wanted? in which words? at which provider? Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from notifications.after import RetryPolicy, after_unknown
from notifications.content import RenderedContent, RequestContent, encode
from notifications.facts import RecipientFacts, RecipientKey, SubtypeSettings, TenantSettings
from notifications.gates import GateInput, Verdict, judge, status_of
from notifications.hashing import milliseconds
from notifications.letter import needs_of, rendered_content
from notifications.mail import Mail
from notifications.outcome import change_after
from notifications.ports import Ledger
from notifications.render import Renderer, RenderingError
from notifications.routing import Route, Routing
from notifications.status import RANK, Reason, Status
from notifications.transition import WORKER_DIED, AttemptRow, Leaves, Opens, Parks, Transition, Waiting
from providers.receipt import Outcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The change to commit, and the mail to send once it is."""

    change: Transition
    mail: Mail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """Decides about taken rows, batch by batch."""

    ledger: Ledger
    renderer: Renderer
    routing: Routing
    retry: RetryPolicy
    service_enabled: bool
    worker: Callable[[], str]
    sender_retry: timedelta = timedelta(minutes=5)

    async def decide(self, waiting: Sequence[Waiting], now: datetime) -> list[Reopened]:
        """Return one change for each row that was taken."""
        facts = await self.ledger.read((), [_key(row) for row in waiting])
        return [
            await self._decide(row, facts.tenants, known, now)
            for row, known in zip(waiting, facts.recipients, strict=True)
        ]

    async def _decide(
        self,
        row: Waiting,
        tenants: Mapping[UUID, TenantSettings],
        recipient: RecipientFacts,
        now: datetime,
    ) -> Reopened:
        tenant = tenants.get(row.origin.event.tenant_id)
        subtype = tenant.subtypes.get(row.origin.subtype) if tenant else None
        if tenant is None or subtype is None:
            return Reopened(change=_orphaned(row))
        if RANK[row.status] > 0:
            return Reopened(change=_ended(row, subtype, row.status, None))
        if row.content is None:
            return Reopened(change=_failed(row, subtype, Reason.CONTENT_GONE))
        if row.taken.reason is Reason.IN_DOUBT or self._has_stale_key(row, now):
            return Reopened(change=self._in_doubt(row, row.content, tenant, now))
        verdict = self._judge(row, row.content, tenant, subtype, recipient, now)
        if verdict.reason is not None:
            return Reopened(change=_stopped(row, subtype, verdict, verdict.reason))
        route = self._route(row, row.content, tenant)
        if route is None:
            return Reopened(change=self._without_sender(row, subtype, now))
        if (wait := route.wait(row.taken.id)) is not None:
            return Reopened(change=_parked(row, *wait))
        return await self._open(row, row.content, tenant, route, now)

    def _has_stale_key(self, row: Waiting, now: datetime) -> bool:
        """Tell whether a repeat could no longer meet its key: then the subtype's policy decides, once."""
        taken = row.taken
        if taken.opened_at is None or taken.provider is None or taken.reason is Reason.UNCONFIRMED:
            return False
        is_old = now - taken.opened_at >= self.retry.key_lifetime
        return taken.is_pinned and is_old and self.routing.is_idempotent(taken.provider) is True

    def _judge(
        self,
        row: Waiting,
        content: RequestContent | RenderedContent,
        tenant: TenantSettings,
        subtype: SubtypeSettings,
        recipient: RecipientFacts,
        now: datetime,
    ) -> Verdict:
        """Ask again what may have changed since the claim: the same gates, with today's facts."""
        return judge(
            GateInput(
                service_enabled=self.service_enabled,
                tenant=tenant,
                subtype=subtype,
                recipient=recipient,
                user_id=row.origin.user_id,
                actor_id=content.addressing.actor_id,
                email=row.origin.recipient,
                expires_at=content.addressing.expires_at,
                now=now,
            )
        )

    def _route(self, row: Waiting, content: RequestContent | RenderedContent, tenant: TenantSettings) -> Route | None:
        """Choose anew what may still go anywhere; the rest stays with its provider.

        That is what is pinned, as that provider may have accepted it, and what has failed over, which never goes back.
        """
        provider = row.taken.provider
        has_failed_over = provider is not None and not row.tried_at <= {provider}
        if not row.taken.is_pinned and not has_failed_over:
            return self.routing.choose(tenant, row.taken.id, needs_of(content.enclosed))
        if provider is None or not self.routing.providers.is_known(provider):
            return None
        return self.routing.at(tenant, provider)

    def _without_sender(self, row: Waiting, subtype: SubtypeSettings, now: datetime) -> Transition:
        age = now - datetime.fromtimestamp(milliseconds(row.taken.id) / 1000, tz=UTC)
        if age > self.retry.max_age:
            return _failed(row, subtype, Reason.EXHAUSTED)
        return _parked(row, Reason.SENDER, now + self.sender_retry)

    def _in_doubt(
        self, row: Waiting, content: RequestContent | RenderedContent, tenant: TenantSettings, now: datetime
    ) -> Transition:
        """Apply the subtype's policy to an attempt that a dead worker had begun and nobody recorded."""
        if not isinstance(content, RenderedContent) or row.taken.opened_at is None or row.taken.provider is None:
            return _parked(row, Reason.HANDED_BACK, now)
        mail = _mail(row, content, tenant, provider=row.taken.provider, mail_from=row.taken.mail_from or "", now=now)
        next_ = after_unknown(mail, now=now, policy=self.retry, is_idempotent=False, jitter=0.5)
        change = change_after(mail, next_, attempt=None)
        if row.taken.reason is not Reason.IN_DOUBT:
            return change
        lost = AttemptRow(
            n=mail.attempt - 1,
            provider=mail.provider,
            mail_from=mail.mail_from,
            outcome=Outcome.UNKNOWN.value,
            error=WORKER_DIED,
            reply=None,
            provider_message_id=None,
            worker=self.worker(),
            started_at=row.taken.opened_at,
            finished_at=now,
        )
        return replace(change, attempt=lost)

    async def _open(
        self,
        row: Waiting,
        content: RequestContent | RenderedContent,
        tenant: TenantSettings,
        route: Route,
        now: datetime,
    ) -> Reopened:
        rendered = content if isinstance(content, RenderedContent) else await self._render(row, content)
        if rendered is None:
            return Reopened(change=_failed(row, tenant.subtypes[row.origin.subtype], Reason.RENDERING))
        keeps_sender = row.taken.provider == route.provider and row.taken.mail_from is not None
        mail_from = row.taken.mail_from if keeps_sender and row.taken.mail_from else route.sender.mail_from
        mail = _mail(row, rendered, tenant, provider=route.provider, mail_from=mail_from, now=now)
        change = Transition(
            id=row.taken.id,
            origin=row.origin,
            fence=row.taken.fence,
            status=Status.SENDING,
            reason=None,
            queue=Opens(
                attempt=mail.attempt, provider=mail.provider, mail_from=mail.mail_from, opened_at=mail.opened_at
            ),
            content=None if rendered is content else encode(rendered),
        )
        return Reopened(change=change, mail=mail)

    async def _render(self, row: Waiting, content: RequestContent) -> RenderedContent | None:
        template = await self.ledger.template(
            row.origin.event.tenant_id, content.template_name, content.template_locale, content.template_version
        )
        try:
            words = self.renderer.render(template, content.data)
        except RenderingError as error:
            log.warning("notification.rendering_failed", notification_id=str(row.taken.id), where=str(error))
            return None
        return rendered_content(content, subject=words.subject, html=words.html, text=words.text)


def _key(row: Waiting) -> RecipientKey:
    return RecipientKey(
        tenant_id=row.origin.event.tenant_id,
        user_id=row.origin.user_id,
        email=row.origin.recipient,
        subtype=row.origin.subtype,
        category=row.origin.category,
    )


def _mail(
    row: Waiting, content: RenderedContent, tenant: TenantSettings, *, provider: str, mail_from: str, now: datetime
) -> Mail:
    subtype = tenant.subtypes[row.origin.subtype]
    return Mail(
        id=row.taken.id,
        origin=row.origin,
        owner=row.taken.fence.owner,
        attempt=row.taken.fence.attempt,
        tries=row.tries,
        tried_at=row.tried_at,
        provider=provider,
        mail_from=mail_from,
        opened_at=row.taken.opened_at or now.replace(microsecond=0),
        is_pinned=row.taken.is_pinned,
        uncertain_policy=subtype.uncertain_policy,
        is_secret=subtype.is_secret,
        template_name=row.template_name or subtype.slug,
        content=content,
        tenant=tenant,
        span=row.origin.traceparent,
    )


def _orphaned(row: Waiting) -> Transition:
    """Return the change of a mail whose tenant, or kind of mail, is gone."""
    reason = Reason.UNCONFIRMED if row.taken.is_pinned else Reason.TENANT_INACTIVE
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=Status.FAILED,
        reason=reason,
        queue=Leaves(),
        forgets_content=True,
    )


def _stopped(row: Waiting, subtype: SubtypeSettings, verdict: Verdict, reason: Reason) -> Transition:
    """Return the change of a mail that a gate stops now; what may have gone already is not called skipped."""
    if row.taken.is_pinned or reason is Reason.EXPIRED:
        return replace(_failed(row, subtype, reason), verdict=verdict)
    return replace(_ended(row, subtype, status_of(reason), reason), verdict=verdict)


def _failed(row: Waiting, subtype: SubtypeSettings, reason: Reason) -> Transition:
    """Of a pinned mail nobody knows: an earlier attempt may have been accepted."""
    return _ended(row, subtype, Status.FAILED, Reason.UNCONFIRMED if row.taken.is_pinned else reason)


def _ended(row: Waiting, subtype: SubtypeSettings, status: Status, reason: Reason | None) -> Transition:
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=status,
        reason=reason,
        queue=Leaves(),
        forgets_content=subtype.is_secret,
    )


def _parked(row: Waiting, reason: Reason, due_at: datetime) -> Transition:
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=Status.QUEUED,
        reason=reason,
        queue=Parks(due_at=due_at, reason=reason, is_pinned=row.taken.is_pinned),
    )
