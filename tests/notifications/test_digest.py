"""What a digest becomes when it closes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from notifications.content import RequestContent, decode
from notifications.digest import Item, OpenDigest, Shown, Told, ask_again, close, gathered
from notifications.facts import RecipientFacts, TenantSettings
from notifications.report import Reports
from notifications.status import Reason, Status
from tests.notifications.builders import (
    ADDRESS,
    NOTIFICATION,
    NOW,
    REQUEST,
    SECRET,
    TENANT,
    a_template,
    a_tenant,
    an_origin,
)

LINE = Shown(title="[42] Printer on fire: updated", url=None, at=NOW)


def content_of(*looks: dict[str, Any]) -> RequestContent:
    """Return the content of the digest of items whose mails would look like this."""
    items = [
        Item(
            id=UUID(int=NOTIFICATION.int + number),
            origin=an_origin(),
            content=replace(REQUEST, data={**REQUEST.data, **look}),
        )
        for number, look in enumerate(looks)
    ]
    digest = OpenDigest(id=UUID(int=1), tenant_id=TENANT, reader="u-1", about="ticket/42", items=items)
    closing = close(
        digest,
        (),
        [Told(item=item, content=item.content) for item in items],
        [LINE] * len(items),
        a_template("digest"),
        secret=SECRET,
        reports=Reports(secret=SECRET),
        now=NOW,
    )
    assert closing.mail is not None
    content = decode(closing.mail.content.kind, closing.mail.content.message)
    assert isinstance(content, RequestContent)
    return content


def test_a_digest_has_the_look_and_the_time_zone_of_the_last_of_its_items() -> None:
    new = {"brand": {"color": "#ffffff"}, "timezone": "Europe/Berlin"}

    data = content_of({"brand": {"color": "#000000"}, "timezone": "UTC"}, new).data

    assert {name: data[name] for name in new} == new
    assert data["digest"] == {"count": 2, "more": 0, "frequency": None, "about": "42"}


@pytest.mark.parametrize("name", ["brand", "timezone"])
def test_a_digest_says_nothing_of_a_look_that_its_items_do_not_have(name: str) -> None:
    assert name not in content_of({}, {}).data


def an_item(number: int = 0, *, recipient: str = ADDRESS, **addressing: Any) -> Item:
    return Item(
        id=UUID(int=NOTIFICATION.int + number),
        origin=an_origin(recipient=recipient),
        content=replace(REQUEST, addressing=replace(REQUEST.addressing, **addressing)),
    )


def told(*items: Item) -> list[Told]:
    return [Told(item=item, content=item.content) for item in items]


@pytest.mark.parametrize(
    ("item", "tenant", "recipient", "ended"),
    [
        (an_item(), a_tenant(), RecipientFacts(wants_category=False), (Status.SKIPPED, Reason.OPTED_OUT)),
        (an_item(), a_tenant(), RecipientFacts(is_deleted=True), (Status.SKIPPED, Reason.NO_ADDRESS)),
        (
            an_item(),
            a_tenant(),
            RecipientFacts(suppressions=frozenset({"manual"})),
            (Status.SUPPRESSED, Reason.SUPPRESSED),
        ),
        (an_item(), a_tenant(is_active=False), RecipientFacts(), (Status.SKIPPED, Reason.TENANT_INACTIVE)),
        (an_item(), None, RecipientFacts(), (Status.FAILED, Reason.TENANT_INACTIVE)),
        (an_item(expires_at=NOW), a_tenant(), RecipientFacts(), (Status.FAILED, Reason.EXPIRED)),
        (replace(an_item(), content=None), a_tenant(), RecipientFacts(), (Status.FAILED, Reason.CONTENT_GONE)),
    ],
)
def test_what_is_no_longer_wanted_is_not_told_and_says_why(
    item: Item, tenant: TenantSettings | None, recipient: RecipientFacts, ended: tuple[Status, Reason]
) -> None:
    [stopped], rest = ask_again([item], tenant, [recipient], service_enabled=True, now=NOW)

    assert (stopped.status, stopped.reason) == ended
    assert rest == ()


def test_an_address_is_not_told_what_was_for_another_one() -> None:
    old, first, last = (
        an_item(0, recipient="old@example.com"),
        an_item(1, recipient="new@example.com"),
        an_item(2, recipient="new@example.com"),
    )

    together, apart = gathered(told(old, first, last))

    assert [one.item for one in together] == [first, last]
    assert [one.item for one in apart] == [old]


def test_two_addresses_with_one_item_each_get_a_mail_each() -> None:
    together, apart = gathered(told(an_item(0, recipient="old@example.com"), an_item(1)))

    assert (together, len(apart)) == ((), 2)


def test_without_a_template_for_digests_everything_goes_by_itself() -> None:
    items = (an_item(0), an_item(1))
    digest = OpenDigest(id=UUID(int=1), tenant_id=TENANT, reader="u-1", about="daily", items=items)

    closing = close(digest, (), told(*items), [LINE], None, secret=SECRET, reports=Reports(secret=SECRET), now=NOW)

    assert (closing.alone, closing.told, closing.mail) == (items, (), None)
