"""The body for Resend: JSON keeps no header safe there, as their own encoder reads what we write."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.mailbox import Mailbox
from providers.resend.payload import payload
from tests.providers.messages import a_message, searched

FIELDS = {"from", "to", "subject", "html", "text", "reply_to", "headers", "tags"}
words = st.one_of(st.text(max_size=150), st.text('=?utf8qbQB_@<>,;:"\\\r\n ', max_size=60))


@searched
@example(words="=?utf-8?q?a=0ABcc=3A_e=40x?=")
@example(words="=?=?utf-8?b?YQ==?=")
@example(words='a" <evil@example.org>, "b')
@example(words="a\\")
@example(words="a@evil.example, pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad")
@given(words=words)
def test_names_and_subjects_hold_no_encoded_word_no_line_break_and_one_mailbox(words: str) -> None:
    box = Mailbox(words, "jane@example.org")

    sent = payload(a_message(subject=words, from_=box, reply_to=(box, box)))

    assert set(sent) == FIELDS
    for shown in (sent["from"], *sent["reply_to"]):
        assert re.fullmatch(r'(?:"(?:[^"\\\r\n]|\\["\\])*" <jane@example\.org>)|jane@example\.org', shown)
    for line in (sent["from"], sent["subject"]):
        assert "=?" not in line
        assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029]", line)
    assert json.loads(json.dumps(sent)) == sent


@pytest.mark.parametrize("field", ["cc", "bcc", "scheduled_at", "reply_to", "attachments", "html"])
def test_what_a_message_does_not_have_is_not_in_the_body(field: str) -> None:
    assert field not in payload(a_message(html=None))


def test_a_message_may_say_how_automatic_it_is() -> None:
    headers = payload(a_message(headers={"auto-submitted": "auto-replied"}))["headers"]

    assert {name.lower(): value for name, value in headers.items()}["auto-submitted"] == "auto-replied"
    assert len(headers) == 2


def test_the_same_message_is_the_same_body() -> None:
    message = a_message(tags=("a", "b"), headers={"X-Note": "a"})

    assert json.dumps(payload(message)) == json.dumps(payload(message))
