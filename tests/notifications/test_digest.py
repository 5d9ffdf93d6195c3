"""What a digest becomes when it closes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from notifications.content import RequestContent, decode
from notifications.digest import Item, OpenDigest, Shown, close
from notifications.report import Reports
from tests.notifications.builders import NOTIFICATION, NOW, REQUEST, SECRET, TENANT, a_template, an_origin

LINE = Shown(title="[42] Printer on fire: updated", url=None, at=NOW)


def gathered(*looks: dict[str, Any]) -> RequestContent:
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
        digest, [LINE] * len(items), a_template("digest"), secret=SECRET, reports=Reports(secret=SECRET), now=NOW
    )
    assert closing.mail is not None
    content = decode(closing.mail.content.kind, closing.mail.content.message)
    assert isinstance(content, RequestContent)
    return content


def test_a_digest_has_the_look_and_the_time_zone_of_the_last_of_its_items() -> None:
    new = {"brand": {"color": "#ffffff"}, "timezone": "Europe/Berlin"}

    data = gathered({"brand": {"color": "#000000"}, "timezone": "UTC"}, new).data

    assert {name: data[name] for name in new} == new
    assert data["digest"] == {"count": 2, "more": 0, "frequency": None, "about": "42"}


@pytest.mark.parametrize("name", ["brand", "timezone"])
def test_a_digest_says_nothing_of_a_look_that_its_items_do_not_have(name: str) -> None:
    assert name not in gathered({}, {}).data
