"""What a notification becomes as a letter: whom it shows, what goes along, what it needs."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from notifications.content import Enclosed, FileRef, decode, encode
from notifications.draft import Draft
from notifications.facts import RecipientFacts, TenantEmail
from notifications.letter import enclose, find_template, needs_of, request_content
from notifications.request import Extras, NotificationRequest, Recipient
from notifications.status import Reason
from notifications.template import TemplateVersion
from providers.provider import Capability
from tests.notifications.builders import a_draft, a_request, a_template, a_tenant, an_entry, plan_of

PDF = FileRef(filename="a.pdf", content_type="application/pdf", cid=None, sha256="ab" * 32)
LOGO = FileRef(filename="logo.png", content_type="image/png", cid="logo", sha256="cd" * 32)


def planned(request: NotificationRequest) -> list[object]:
    [event] = plan_of(an_entry(), effects=[request]).events
    return list(event.notifications)


def drafts_of(request: NotificationRequest) -> tuple[list[Draft], dict[UUID, Draft]]:
    drafts = []
    for one in planned(request):
        drafted = a_draft(request=replace(one.request, cc=(), bcc=()))
        drafts.append(replace(drafted, planned=one))
    return drafts, {drafted.planned.id: drafted for drafted in drafts}


def with_copies() -> NotificationRequest:
    return replace(
        a_request(email="alice@example.com"),
        cc=(Recipient(email="bob@example.com", name="Bob"),),
        bcc=(Recipient(email="carol@example.com"),),
    )


def test_a_request_with_copies_is_one_notification_for_each_of_them() -> None:
    first, cc, bcc = planned(with_copies())

    assert (first.copies, first.copy_of) == ((cc.id,), None)
    assert (cc.copy_of, bcc.copy_of) == (first.id, first.id)
    assert [one.email for one in (first, cc, bcc)] == ["alice@example.com", "bob@example.com", "carol@example.com"]


def test_a_copy_to_the_recipient_is_none() -> None:
    request = replace(a_request(email="alice@example.com"), cc=(Recipient(user_id="u-1"),))

    [only] = planned(request)

    assert only.copies == ()


def test_everybody_sees_the_first_and_the_visible_copies_and_nobody_the_hidden_one() -> None:
    drafts, batch = drafts_of(with_copies())

    shown = [request_content(drafted, a_template(), None, batch).addressing for drafted in drafts]

    assert [addressing.cc for addressing in shown] == [(("Bob", "bob@example.com"),)] * 3
    assert [[address for _, address in addressing.to] for addressing in shown] == [
        [],
        ["alice@example.com"],
        ["alice@example.com"],
    ]


def test_a_first_one_that_is_not_written_to_is_not_shown() -> None:
    drafts, batch = drafts_of(with_copies())
    drafts[0].fail(Reason.ATTACHMENT)

    addressing = request_content(drafts[1], a_template(), None, batch).addressing

    assert addressing.to == ()


def test_answers_go_where_the_event_says_else_where_the_tenant_says() -> None:
    tenant = a_tenant(email=TenantEmail(reply_to="Desk@Example.com"))
    own = replace(a_request(), extras=Extras(reply_to=("a@example.org", "not an address", "b@example.org")))

    asked = request_content(a_draft(tenant=tenant, request=own), a_template(), None, {})
    plain = request_content(a_draft(tenant=tenant), a_template(), None, {})

    assert asked.addressing.reply_to == ("a@example.org", "b@example.org")
    assert plain.addressing.reply_to == ("desk@example.com",)


def test_labels_and_fields_are_the_tenant_s_and_then_the_event_s() -> None:
    tenant = a_tenant(email=TenantEmail(tags=("gold", "eu"), headers={"X-Team": "a", "Bcc": "eve@example.com"}))
    request = replace(a_request(), extras=Extras(tags=("eu", "monthly"), headers={"x-team": "b", "X-Bad": "a\r\nB: c"}))

    enclosed = enclose(a_draft(tenant=tenant, request=request), (PDF,))

    assert enclosed == Enclosed(files=(PDF,), tags=("gold", "eu", "monthly"), headers={"x-team": "b"})


@pytest.mark.parametrize(
    ("files", "needs"),
    [
        ((), frozenset()),
        ((PDF,), {Capability.ATTACHMENTS}),
        ((PDF, LOGO), {Capability.ATTACHMENTS, Capability.INLINE_IMAGES}),
    ],
)
def test_files_need_a_provider_that_can_carry_them(files: tuple[FileRef, ...], needs: set[Capability]) -> None:
    assert needs_of(Enclosed(files=files)) == needs


def test_what_goes_along_is_stored_with_the_words() -> None:
    drafted = a_draft(facts=RecipientFacts(email="alice@example.com"))
    drafted.enclosed = Enclosed(files=(PDF, LOGO), tags=("gold",), headers={"X-Team": "a"})
    content = request_content(drafted, a_template(), None, {uuid4(): drafted})

    stored = encode(content)

    assert decode(stored.kind, stored.message) == content


class Shipped:
    """The system's templates: one, in every language."""

    def find(self, name: str, locale: str) -> TemplateVersion | None:
        return a_template(name, locale, subject="shipped") if name == "ticket-updated" else None


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ([("ticket-updated", "de")], "own de"),
        ([("ticket-updated", "de"), ("ticket-closed", "pl")], "own de"),
        ([("ticket-updated", "de"), ("ticket-updated", "pl")], "shipped"),
        ([("ticket-updated", "de"), ("ticket-updated", "fr")], "own fr"),
        ([("ticket-closed", "de")], "shipped"),
        ([], "shipped"),
    ],
)
def test_a_tenant_s_only_words_for_a_mail_are_meant_for_everybody(own: list[tuple[str, str]], found: str) -> None:
    templates = {(name, locale): a_template(name, locale, subject=f"own {locale}") for name, locale in own}

    template = find_template("ticket-updated", "fr", templates, Shipped())

    assert template is not None
    assert template.subject == found
