"""Notifications that waited: still wanted? in which words? at which provider?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.content import Enclosed, FileRef, encode
from notifications.facts import RecipientFacts
from notifications.status import Reason, Status
from notifications.template import pin
from notifications.transition import Leaves, Opens, Parks, Waiting
from providers.provider import Capability
from providers.receipt import Outcome
from tests.notifications.builders import (
    ADDRESS,
    ADDRESSING,
    NOW,
    RENDERED,
    REQUEST,
    TENANT,
    a_subtype,
    a_template,
    a_tenant,
    later,
)
from tests.notifications.waiting import Setting, retried, waiting
from tests.providers.messages import a_message, yes


async def test_what_waited_unrendered_is_rendered_stored_and_opened() -> None:
    setting = Setting(template=a_template(subject="Now it goes"))

    reopened = await setting.decide(waiting())

    assert reopened.change.status is Status.SENDING
    assert reopened.change.queue == Opens(
        attempt=3, provider="smtp", mail_from="noreply@outbound.example", opened_at=NOW
    )
    assert reopened.mail is not None
    assert reopened.mail.content.subject == "[42] Now it goes"
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


async def test_while_its_provider_is_turned_away_from_it_waits_a_little_apart_from_the_others() -> None:
    setting = Setting()
    setting.smtp.answer = {"outcome": Outcome.NOT_SENT, "error": "connect_failed"}
    for _ in range(5):
        await setting.providers.send("smtp", a_message(), yes)

    [first, other] = [(await setting.decide(retried(is_pinned=pinned))).change for pinned in (False, True)]

    assert isinstance(first.queue, Parks)
    assert isinstance(other.queue, Parks)
    assert (first.status, first.reason, first.queue.is_pinned) == (Status.QUEUED, Reason.BREAKER, False)
    assert other.queue.is_pinned
    assert later(seconds=30) <= first.queue.due_at == other.queue.due_at <= later(seconds=45)


async def test_a_file_s_mail_is_opened_only_where_files_can_go() -> None:
    enclosed = Enclosed(files=(FileRef(filename="a.pdf", content_type="application/pdf", cid=None, sha256="ab"),))
    setting = Setting()

    without = (await setting.decide(waiting(content=replace(REQUEST, enclosed=enclosed)))).change
    setting.smtp.capabilities = frozenset({Capability.ATTACHMENTS})
    opened = await setting.decide(waiting(content=replace(REQUEST, enclosed=enclosed)))

    assert (without.status, without.reason) == (Status.QUEUED, Reason.SENDER)
    assert opened.mail is not None
    assert opened.mail.content.enclosed == enclosed
