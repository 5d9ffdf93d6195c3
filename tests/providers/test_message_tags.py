"""Labels: merged, cleaned, and never in the way of the tags that say whose mail it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.message import MAX_TAG, MAX_TAGS
from providers.resend.payload import payload
from providers.tags import labels, merge_tags
from tests.providers.messages import NOTIFICATION, TENANT, a_message, searched


@pytest.mark.parametrize(
    ("tenant", "call", "merged"),
    [
        ((), (), ()),
        (("b", "a"), (), ("b", "a")),
        ((), ("b", "a"), ("b", "a")),
        (("b", "a"), ("c", "a", "d"), ("b", "a", "c", "d")),
        (("a", "a"), ("a",), ("a",)),
        (("Spring",), ("spring",), ("Spring", "spring")),
        ((" a ",), ("a", "\r\n", ""), ("a",)),
        (("a\r\nBcc: e",), ("x\u202ey", "\ud800"), ("a Bcc: e", "x y")),
        (("x" * 500,), (), ("x" * MAX_TAG,)),
    ],
)
def test_the_tenants_labels_come_first_and_each_once(
    tenant: tuple[str, ...], call: tuple[str, ...], merged: tuple[str, ...]
) -> None:
    assert merge_tags(tenant, call) == merged


def test_too_many_labels_are_cut_where_resend_would_refuse() -> None:
    merged = merge_tags(map(str, range(50)), map(str, range(100)))

    assert merged == tuple(map(str, range(71)))
    assert len(payload(a_message(tags=merged))["tags"]) == 75


@searched
@given(tenant=st.lists(st.text(max_size=200)), call=st.lists(st.text(max_size=200)))
def test_merged_labels_fit_a_message_and_merging_again_changes_nothing(tenant: list[str], call: list[str]) -> None:
    merged = merge_tags(tenant, call)

    assert a_message(tags=merged).tags == merged
    assert merge_tags(merged, call) == merged[:MAX_TAGS]
    assert len(merged) <= MAX_TAGS


@searched
@given(
    call=st.lists(st.one_of(st.sampled_from(["tenant", "tenant:x", "notification", "label-1"]), st.text(max_size=200)))
)
def test_at_resend_no_label_takes_the_place_of_a_correlation_tag(call: list[str]) -> None:
    message = a_message(tags=merge_tags((), call), category="tickets & more")

    tags = [(tag["name"], tag["value"]) for tag in payload(message)["tags"]]

    assert tags[:4] == [
        ("tenant", str(TENANT)),
        ("notification", str(NOTIFICATION)),
        ("category", "tickets-more"),
        ("domain", "acme-example-com"),
    ]
    assert len(dict(tags)) == len(tags) == 4 + len(message.tags)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", word) for tag in tags for word in tag)


def test_labels_are_numbered_in_their_order() -> None:
    message = a_message(tags=("campaign:spring", "Größe", "鍵"))

    assert labels(message) == {"label-1": "campaign-spring", "label-2": "Gr-e", "label-3": "none"}
