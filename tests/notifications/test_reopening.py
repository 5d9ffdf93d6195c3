"""Notifications that waited: still wanted? in which words? at which provider?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.after import RetryPolicy
from notifications.categories import UncertainPolicy
from notifications.content import encode
from notifications.facts import EventKey, RecipientFacts, RecipientKey, Seen, TenantSettings
from notifications.ports import BatchFacts, Claim
from notifications.render import Renderer
from notifications.reopening import Reopened, Reopening
from notifications.sender_address import SenderPolicy
from notifications.senders import Senders
from notifications.status import Reason, Status
from notifications.template import TemplateVersion, pin
from notifications.transition import Fence, Leaves, Opens, Parks, Taken, Waiting
from providers.manager import ProviderManager
from providers.receipt import Outcome
from tests.notifications.builders import (
    ADDRESS,
    ADDRESSING,
    NOTIFICATION,
    NOW,
    RENDERED,
    REQUEST,
    TENANT,
    a_subtype,
    a_template,
    a_tenant,
    an_origin,
    later,
)
from tests.providers.messages import a_message, yes
from tests.providers.scripted import Clock, ScriptedProvider

FENCE = Fence(owner=7, attempt=3)
SECRET_SUBTYPE = a_subtype(is_secret=True)


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

    async def claim(self, claim: Claim) -> Mapping[EventKey, Seen]:
        raise NotImplementedError

    async def template(self, tenant_id: UUID, name: str, locale: str, version: str) -> TemplateVersion:
        self.pinned.append((tenant_id, name, locale, version))
        return self._template


def waiting(
    *, status: Status = Status.QUEUED, content: Any = REQUEST, tries: int = 0, recipient: str = ADDRESS, **taken: Any
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
    return waiting(**fields | changes)


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
    ) -> None:
        self.smtp = ScriptedProvider("smtp", idempotent=idempotent, domains=domains)
        self.providers = ProviderManager({"smtp": self.smtp}, "smtp", now=Clock())
        self.ledger = KnownFacts(tenant or a_tenant(), recipient or RecipientFacts(), template or a_template())
        self.reopening = Reopening(
            ledger=self.ledger,
            renderer=Renderer(),
            senders=Senders(policy=SenderPolicy(email_from="noreply@outbound.example"), providers=self.providers),
            retry=RetryPolicy(max_age=timedelta(hours=24), uncertain_delay=timedelta(minutes=5)),
            service_enabled=service_enabled,
            worker=lambda: "worker:7",
        )

    async def decide(self, row: Waiting, **moment: float) -> Reopened:
        [reopened] = await self.reopening.decide([row], later(**moment))
        assert (reopened.change.id, reopened.change.fence) == (NOTIFICATION, FENCE)
        return reopened


async def test_what_waited_unrendered_is_rendered_stored_and_opened() -> None:
    setting = Setting(template=a_template(subject="Now it goes"))

    reopened = await setting.decide(waiting())

    assert reopened.change.status is Status.SENDING
    assert reopened.change.queue == Opens(
        attempt=3, provider="smtp", mail_from="noreply@outbound.example", opened_at=NOW
    )
    assert reopened.mail is not None
    assert reopened.mail.content.subject == "Now it goes"
    assert reopened.change.content == encode(reopened.mail.content)
    assert (reopened.mail.owner, reopened.mail.attempt, reopened.mail.tries) == (7, 3, 0)
    assert setting.ledger.pinned == [(TENANT, "ticket-updated", "en", REQUEST.template_version)]
    [key] = setting.ledger.asked
    assert (key.email, key.subtype, key.category) == (ADDRESS, "ticket-updated", "tickets")


async def test_a_repeat_keeps_its_words_its_from_and_its_date() -> None:
    reopened = await Setting().decide(retried(is_pinned=True))

    assert reopened.change.content is None
    assert reopened.change.queue == Opens(
        attempt=3, provider="smtp", mail_from="old@outbound.example", opened_at=later(hours=-1)
    )
    assert reopened.mail is not None
    assert (reopened.mail.content, reopened.mail.tries, reopened.mail.is_pinned) == (RENDERED, 1, True)


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.DELIVERED, Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("is_secret", [False, True])
async def test_what_was_settled_meanwhile_only_leaves_the_queue(status: Status, is_secret: bool) -> None:
    setting = Setting(tenant=a_tenant(a_subtype(is_secret=is_secret)))

    reopened = await setting.decide(retried(status=status, is_pinned=True))

    assert (reopened.change.status, reopened.change.queue, reopened.mail) == (status, Leaves(), None)
    assert reopened.change.forgets_content == is_secret


REFUSALS: list[tuple[dict[str, Any], Reason]] = [
    ({"service_enabled": False}, Reason.SERVICE_DISABLED),
    ({"tenant": a_tenant(is_active=False)}, Reason.TENANT_INACTIVE),
    ({"tenant": a_tenant(a_subtype(subtype_enabled=False))}, Reason.SUBTYPE_OFF),
    ({"recipient": RecipientFacts(wants_subtype=False)}, Reason.OPTED_OUT),
    ({"recipient": RecipientFacts(suppressions=frozenset({"complaint"}))}, Reason.SUPPRESSED),
    ({"recipient": RecipientFacts(is_deleted=True)}, Reason.NO_ADDRESS),
]


@pytest.mark.parametrize(("circumstances", "reason"), REFUSALS)
async def test_what_is_no_longer_wanted_is_skipped_and_what_may_have_gone_is_unconfirmed(
    circumstances: dict[str, Any], reason: Reason
) -> None:
    setting = Setting(**circumstances)

    unsent = (await setting.decide(retried())).change
    doubtful = (await setting.decide(retried(is_pinned=True))).change

    status = Status.SUPPRESSED if reason is Reason.SUPPRESSED else Status.SKIPPED
    assert (unsent.status, unsent.reason, unsent.queue) == (status, reason, Leaves())
    assert unsent.verdict is not None
    assert unsent.verdict.reason is reason
    assert (doubtful.status, doubtful.reason, doubtful.queue) == (Status.FAILED, Reason.UNCONFIRMED, Leaves())


async def test_what_expired_while_it_waited_failed() -> None:
    row = waiting(content=replace(REQUEST, addressing=replace(ADDRESSING, expires_at=later(seconds=10))))

    early = await Setting().decide(row, seconds=9)
    late = await Setting().decide(row, seconds=10)

    assert early.change.status is Status.SENDING
    assert (late.change.status, late.change.reason, late.mail) == (Status.FAILED, Reason.EXPIRED, None)


async def test_what_cannot_be_rendered_failed() -> None:
    broken = pin(name="ticket-updated", locale="en", subject="{{ nobody.knows.this }}", html="", text="")

    reopened = await Setting(template=broken).decide(waiting())

    assert (reopened.change.status, reopened.change.reason) == (Status.FAILED, Reason.RENDERING)
    assert (reopened.change.queue, reopened.mail) == (Leaves(), None)


async def test_whose_content_is_gone_failed() -> None:
    reopened = await Setting().decide(waiting(content=None))

    assert (reopened.change.status, reopened.change.reason) == (Status.FAILED, Reason.CONTENT_GONE)
    assert reopened.change.queue == Leaves()


ENDS: list[tuple[dict[str, Any], Waiting]] = [
    ({"service_enabled": False}, waiting()),
    ({"template": pin(name="ticket-updated", locale="en", subject="{{ a.b }}", html="", text="")}, waiting()),
    ({}, waiting(content=replace(REQUEST, addressing=replace(ADDRESSING, expires_at=NOW)))),
    ({"domains": frozenset({"elsewhere.example"})}, waiting(id=UUID(int=0x8 << 76))),
    ({}, retried(status=Status.ACCEPTED)),
]


@pytest.mark.parametrize(("circumstances", "row"), ENDS)
@pytest.mark.parametrize("is_secret", [False, True])
async def test_a_secret_is_forgotten_at_every_end(circumstances: dict[str, Any], row: Waiting, is_secret: bool) -> None:
    setting = Setting(tenant=a_tenant(a_subtype(is_secret=is_secret)), **circumstances)

    [reopened] = await setting.reopening.decide([row], NOW)

    assert reopened.change.queue == Leaves()
    assert reopened.change.forgets_content == is_secret


async def test_without_a_sender_it_waits_and_in_the_end_fails() -> None:
    setting = Setting(domains=frozenset({"elsewhere.example"}))

    young = (await setting.decide(waiting(), hours=24)).change
    old = (await setting.decide(waiting(), hours=25)).change
    doubtful = (await setting.decide(retried(provider="resend", is_pinned=True), hours=25)).change

    assert young.queue == Parks(due_at=later(hours=24, minutes=5), reason=Reason.SENDER, is_pinned=False)
    assert (old.status, old.reason, old.queue) == (Status.FAILED, Reason.EXHAUSTED, Leaves())
    assert (doubtful.status, doubtful.reason) == (Status.FAILED, Reason.UNCONFIRMED)


async def test_what_may_have_been_accepted_waits_for_a_provider_that_is_no_longer_configured() -> None:
    pinned = (await Setting().decide(retried(provider="resend", is_pinned=True))).change
    free = await Setting().decide(retried(provider="resend"))

    assert pinned.queue == Parks(due_at=later(minutes=5), reason=Reason.SENDER, is_pinned=True)
    assert free.mail is not None
    assert (free.mail.provider, free.mail.mail_from) == ("smtp", "noreply@outbound.example")


async def test_while_the_account_rests_it_waits() -> None:
    setting = Setting()
    setting.smtp.answer = {"outcome": Outcome.THROTTLED, "retry_after": timedelta(minutes=3)}
    await setting.providers.send("smtp", a_message(), yes)

    change = (await setting.decide(retried(is_pinned=True))).change

    assert change.queue == Parks(due_at=later(minutes=3), reason=Reason.THROTTLED, is_pinned=True)


IN_DOUBT: dict[str, Any] = {"reason": Reason.IN_DOUBT, "is_pinned": True, "content": RENDERED}


async def test_an_attempt_in_doubt_is_told_as_uncertain_recorded_and_repeated_later() -> None:
    reopened = await Setting().decide(retried(**IN_DOUBT))

    change = reopened.change
    assert reopened.mail is None
    assert change.status is Status.UNCERTAIN
    assert change.queue == Parks(due_at=later(minutes=5), reason=Reason.UNCONFIRMED, is_pinned=True)
    assert change.attempt is not None
    assert (change.attempt.n, change.attempt.outcome, change.attempt.error) == (2, "unknown", "worker_died")
    assert change.attempt.started_at == later(hours=-1)


async def test_at_most_once_gives_an_attempt_in_doubt_up() -> None:
    once = a_subtype(uncertain_policy=UncertainPolicy.AT_MOST_ONCE, is_secret=True)

    change = (await Setting(tenant=a_tenant(once)).decide(retried(**IN_DOUBT))).change

    assert (change.status, change.reason, change.queue) == (Status.FAILED, Reason.UNCONFIRMED, Leaves())
    assert change.forgets_content


async def test_a_repeat_whose_key_is_forgotten_is_in_doubt_once() -> None:
    setting = Setting(idempotent=True)
    row: dict[str, Any] = {"is_pinned": True, "opened_at": later(hours=-23)}

    stale = (await setting.decide(retried(**row))).change
    fresh = await setting.decide(retried(**row | {"opened_at": later(hours=-22)}))
    again = await setting.decide(retried(**row | {"reason": Reason.UNCONFIRMED}))

    assert (stale.status, stale.attempt) == (Status.UNCERTAIN, None)
    assert fresh.mail is not None
    assert again.mail is not None


@pytest.mark.parametrize("missing", [{"content": REQUEST}, {"opened_at": None}, {"provider": None}])
async def test_what_is_in_doubt_without_ever_having_been_opened_is_simply_sent(missing: dict[str, Any]) -> None:
    change = (await Setting().decide(retried(**IN_DOUBT | missing))).change

    assert change.queue == Parks(due_at=NOW, reason=Reason.HANDED_BACK, is_pinned=True)
