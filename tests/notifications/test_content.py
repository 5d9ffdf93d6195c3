"""What is stored of a mail comes back as it went in."""

from __future__ import annotations

import hashlib
import json
import zlib
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.content import FORMAT, Addressing, RenderedContent, RequestContent, decode, encode
from tests.notifications.builders import RENDERED, REQUEST

# JSON from the wire holds no lone surrogate: the parser refuses it.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MAYBE = st.none() | TEXT
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=10,
)
ADDRESSINGS = st.builds(
    Addressing,
    to_name=MAYBE,
    from_name=MAYBE,
    reply_to=st.lists(TEXT, max_size=2).map(tuple),
    key=TEXT,
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    actor_id=MAYBE,
)
RENDERINGS = st.builds(RenderedContent, addressing=ADDRESSINGS, subject=TEXT, html=TEXT, text=TEXT)
REQUESTS = st.builds(
    RequestContent,
    addressing=ADDRESSINGS,
    template_name=TEXT,
    template_locale=TEXT,
    template_version=TEXT,
    data=st.dictionaries(TEXT, PLAIN, max_size=3),
)


@given(RENDERINGS | REQUESTS)
def test_a_content_comes_back_as_it_went_in(content: RenderedContent | RequestContent) -> None:
    stored = encode(content)

    assert decode(stored.kind, stored.message) == content
    assert stored.sha256 == hashlib.sha256(stored.message).digest()
    assert encode(content) == stored


@pytest.mark.parametrize("content", [RENDERED, REQUEST])
def test_a_newer_format_is_refused_before_anything_of_it_is_read(content: RenderedContent | RequestContent) -> None:
    stored = encode(content)
    newer: dict[str, Any] = {"format": FORMAT + 1}

    with pytest.raises(ValueError, match="newer"):
        decode(stored.kind, zlib.compress(json.dumps(newer).encode()))


def test_the_kind_says_whether_there_is_something_left_to_render() -> None:
    assert (encode(REQUEST).kind, encode(RENDERED).kind) == ("request", "rendered")
