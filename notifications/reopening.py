"""Decides about notifications that waited: still wanted? in which words? at which provider? Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import structlog

from notifications.after import RetryPolicy, after_unknown
from notifications.content import RenderedContent, RequestContent, encode
from notifications.facts import RecipientFacts, SubtypeSettings, TenantSettings
from notifications.hashing import milliseconds
from notifications.letter import needs_of, rendered_content
from notifications.outcome import change_after
from notifications.ports import Facts, Limiter, UnavailableError
from notifications.render import BATCH_SECONDS, Renderer, RenderingError
from notifications.reopened import Reopened, ended, failed, mail_of, orphaned, parked, quiet_until, stopped
from notifications.routing import SENDER_RETRY, Route, Routing
from notifications.slots import RateDefaults, late_slot_wants, spaced
from notifications.status import RANK, Reason, Status
from notifications.still_wanted import judge_again, key_of
from notifications.transition import WORKER_DIED, AttemptRow, Opens, Transition, Waiting
from providers.receipt import Outcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A row that may go now."""

    row: Waiting
    content: RequestContent | RenderedContent
    tenant: TenantSettings
    subtype: SubtypeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """Decides about taken rows, batch by batch."""

    ledger: Facts
    limiter: Limiter
    rate: RateDefaults
    renderer: Renderer
    routing: Routing
    retry: RetryPolicy
    service_enabled: bool
    worker: Callable[[], str]

    async def decide(self, waiting: Sequence[Waiting], now: datetime) -> list[Reopened]:
        """Return one change for each row that was taken."""
        facts = await self.ledger.read((), [key_of(row.origin) for row in waiting])
        decided = [
            self._decide(row, facts.tenants, known, now) for row, known in zip(waiting, facts.recipients, strict=True)
        ]
        slots = await self._reserve([one for one in decided if isinstance(one, _Wanted)], now)
        until = time.perf_counter() + BATCH_SECONDS
        return [
            one if isinstance(one, Reopened) else await self._send(one, slots.get(one.row.taken.id), until, now)
            for one in decided
        ]

    def _decide(
        self, row: Waiting, tenants: Mapping[UUID, TenantSettings], recipient: RecipientFacts, now: datetime
    ) -> Reopened | _Wanted:
        """Say what became of a row meanwhile, or that it is still wanted now."""
        tenant = tenants.get(row.origin.event.tenant_id)
        subtype = tenant.subtypes.get(row.origin.subtype) if tenant else None
        if tenant is None or subtype is None:
            return Reopened(change=orphaned(row))
        if RANK[row.status] > 0:
            return Reopened(change=ended(row, subtype, row.status, None))
        content = row.content
        if content is None:
            return Reopened(change=failed(row, subtype, Reason.CONTENT_GONE))
        if row.taken.reason is Reason.IN_DOUBT or self._has_stale_key(row, now):
            return Reopened(change=self._in_doubt(row, content, tenant, now))
        verdict = judge_again(
            row.origin,
            content.addressing,
            tenant,
            subtype,
            recipient,
            service_enabled=self.service_enabled,
            now=now,
        )
        if verdict.reason is not None:
            return Reopened(change=stopped(row, subtype, verdict, verdict.reason))
        if (until := quiet_until(row, content, subtype, recipient, now)) is not None:
            return Reopened(change=parked(row, Reason.QUIET_HOURS, until))
        return _Wanted(row=row, content=content, tenant=tenant, subtype=subtype)

    async def _reserve(self, wanted: Sequence[_Wanted], now: datetime) -> dict[UUID, datetime]:
        """Take slots for what took none when it was claimed: else a night's mail would all go at seven."""
        wants = late_slot_wants([(one.row.taken, one.tenant) for one in wanted], self.rate)
        try:
            moments = await self.limiter.reserve(list(wants), now)
        except UnavailableError as error:
            log.warning("limiter.unavailable", error=str(error))
            moments = [spaced(want, now) for want in wants]
        return {
            id_: moment
            for ids, slots in zip(wants.values(), moments, strict=True)
            for id_, moment in zip(ids, slots, strict=True)
        }

    async def _send(self, wanted: _Wanted, slot: datetime | None, until: float, now: datetime) -> Reopened:
        """Open what is wanted, unless it has to wait for its slot, its provider or its turn to be rendered."""
        row, content, tenant = wanted.row, wanted.content, wanted.tenant
        if slot is not None and slot > now:
            return Reopened(change=parked(row, Reason.RATE, slot))
        route = self._route(row, content, tenant)
        if route is None:
            return Reopened(change=self._without_sender(row, wanted.subtype, now))
        if (wait := route.wait(row.taken.id)) is not None:
            return Reopened(change=parked(row, *wait))
        if isinstance(content, RequestContent) and time.perf_counter() > until:
            return Reopened(change=parked(row, Reason.RENDERING, now))
        return await self._open(row, content, tenant, route, now)

    def _has_stale_key(self, row: Waiting, now: datetime) -> bool:
        """Tell whether a repeat could no longer meet its key: then the subtype's policy decides, once."""
        taken = row.taken
        if taken.opened_at is None or taken.provider is None or taken.reason is Reason.UNCONFIRMED:
            return False
        is_old = now - taken.opened_at >= self.retry.key_lifetime
        return taken.is_pinned and is_old and self.routing.is_idempotent(taken.provider) is True

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
            return failed(row, subtype, Reason.EXHAUSTED)
        return parked(row, Reason.SENDER, now + SENDER_RETRY)

    def _in_doubt(
        self, row: Waiting, content: RequestContent | RenderedContent, tenant: TenantSettings, now: datetime
    ) -> Transition:
        """Apply the subtype's policy to an attempt that a dead worker had begun and nobody recorded."""
        if not isinstance(content, RenderedContent) or row.taken.opened_at is None or row.taken.provider is None:
            return parked(row, Reason.HANDED_BACK, now)
        mail = mail_of(row, content, tenant, provider=row.taken.provider, mail_from=row.taken.mail_from or "", now=now)
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
            return Reopened(change=failed(row, tenant.subtypes[row.origin.subtype], Reason.RENDERING))
        keeps_sender = row.taken.provider == route.provider and row.taken.mail_from is not None
        mail_from = row.taken.mail_from if keeps_sender and row.taken.mail_from else route.sender.mail_from
        mail = mail_of(row, rendered, tenant, provider=route.provider, mail_from=mail_from, now=now)
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
