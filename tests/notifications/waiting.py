"""Rows that waited, and all that a decision about them looks at, as one likes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from notifications.after import RetryPolicy
from notifications.facts import EventKey, RecipientFacts, RecipientKey, TenantSettings
from notifications.ports import BatchFacts, SlotWant
from notifications.render import Renderer
from notifications.reopened import Reopened
from notifications.reopening import Reopening
from notifications.routing import Routing
from notifications.sender_address import SenderPolicy
from notifications.slots import RateDefaults
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from notifications.transition import Fence, Taken, Waiting
from providers.choice import Choice
from providers.manager import ProviderManager
from tests.notifications.builders import (
    ADDRESS,
    NOTIFICATION,
    RENDERED,
    REQUEST,
    TENANT,
    a_template,
    a_tenant,
    an_origin,
    later,
)
from tests.providers.scripted import Clock, ScriptedProvider

FENCE = Fence(owner=7, attempt=3)


class KnownFacts:
    """A ledger that knows one tenant, one recipient and one template."""

    def __init__(self, tenant: TenantSettings, recipient: RecipientFacts, template: TemplateVersion) -> None:
        self._tenant = tenant
        self._recipient = recipient
        self._template = template
        self.asked: list[RecipientKey] = []
        self.pinned: list[tuple[UUID, str, str, str]] = []

    async def read(self, events: Sequence[EventKey], recipients: Sequence[RecipientKey]) -> BatchFacts:
        assert not events
        self.asked += recipients
        return BatchFacts(
            tenants={self._tenant.id: self._tenant}, seen={}, recipients=[self._recipient for _ in recipients]
        )

    async def template(self, tenant_id: UUID, name: str, locale: str, version: str) -> TemplateVersion:
        self.pinned.append((tenant_id, name, locale, version))
        return self._template


def waiting(
    *,
    status: Status = Status.QUEUED,
    content: Any = REQUEST,
    tries: int = 0,
    tried_at: frozenset[str] = frozenset(),
    first_tried: datetime | None = None,
    recipient: str = ADDRESS,
    **taken: Any,
) -> Waiting:
    fields: dict[str, Any] = {
        "id": NOTIFICATION,
        "tenant_id": TENANT,
        "lane": 1,
        "fence": FENCE,
        "reason": Reason.RATE,
        "provider": None,
        "mail_from": None,
        "opened_at": None,
        "is_pinned": False,
    }
    return Waiting(
        taken=Taken(**fields | taken),
        origin=an_origin(recipient=recipient),
        status=status,
        tries=tries,
        tried_at=tried_at,
        first_tried=first_tried,
        template_name="ticket-updated",
        content=content,
    )


def retried(**changes: Any) -> Waiting:
    """One that was sent before: rendered, with its provider, its From and its Date."""
    fields: dict[str, Any] = {
        "content": RENDERED,
        "tries": 1,
        "reason": Reason.RETRY,
        "provider": "smtp",
        "mail_from": "old@outbound.example",
        "opened_at": later(hours=-1),
    }
    fields |= changes
    tried_at = frozenset({fields["provider"]} if fields["provider"] else ())
    return waiting(**{"tried_at": tried_at, "first_tried": fields["opened_at"]} | fields)


class SlotsAt:
    """Gives slots an hour after each other, the first one after `first`."""

    def __init__(self, first: timedelta) -> None:
        self.first = first
        self.wants: list[SlotWant] = []

    async def reserve(self, wants: Sequence[SlotWant], now: datetime) -> Sequence[Sequence[datetime]]:
        self.wants += wants
        return [[now + self.first + timedelta(hours=number) for number in range(want.count)] for want in wants]


class Setting:
    """Everything a decision looks at, as one likes it."""

    def __init__(
        self,
        *,
        tenant: TenantSettings | None = None,
        recipient: RecipientFacts | None = None,
        template: TemplateVersion | None = None,
        service_enabled: bool = True,
        domains: frozenset[str] = frozenset(),
        idempotent: bool = False,
        slot_after: timedelta = timedelta(),
        choice: Choice = Choice("smtp"),  # noqa: B008 - a frozen value
    ) -> None:
        self.smtp = ScriptedProvider("smtp", idempotent=idempotent, domains=domains)
        others = {name: ScriptedProvider(name, idempotent=True) for name in choice.names - {"smtp"}}
        self.providers = ProviderManager({"smtp": self.smtp, **others}, choice, now=Clock())
        self.ledger = KnownFacts(tenant or a_tenant(), recipient or RecipientFacts(), template or a_template())
        self.slots = SlotsAt(slot_after)
        self.reopening = Reopening(
            ledger=self.ledger,
            limiter=self.slots,
            rate=RateDefaults(),
            renderer=Renderer(),
            routing=Routing(policy=SenderPolicy(email_from="noreply@outbound.example"), providers=self.providers),
            retry=RetryPolicy(max_age=timedelta(hours=24), uncertain_delay=timedelta(minutes=5)),
            service_enabled=service_enabled,
            worker=lambda: "worker:7",
        )

    async def decide(self, row: Waiting, **moment: float) -> Reopened:
        [reopened] = await self.reopening.decide([row], later(**moment))
        assert (reopened.change.id, reopened.change.fence) == (NOTIFICATION, FENCE)
        return reopened
