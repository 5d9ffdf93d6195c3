"""The message of an attempt is a pure function of what is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notifications.mail import compose
from providers.mailbox import Mailbox
from providers.mime import serialize
from tests.notifications.builders import ADDRESS, ADDRESSING, NOTIFICATION, NOW, RENDERED, TENANT, a_mail, addressed_to


def test_a_repeat_is_the_same_to_the_last_byte() -> None:
    first = compose(a_mail(attempt=1, tries=0))
    repeat = compose(a_mail(attempt=9, tries=4, owner=8, is_pinned=True))

    assert serialize(first) == serialize(repeat)


def test_a_message_says_who_it_is_from_and_to() -> None:
    addressing = replace(ADDRESSING, reply_to=("help@acme.example.com",))

    message = compose(a_mail(content=replace(RENDERED, addressing=addressing)))

    assert (message.notification_id, message.tenant_id, message.date) == (NOTIFICATION, TENANT, NOW)
    assert (message.rcpt_to, message.to) == (ADDRESS, (Mailbox("Alice", ADDRESS),))
    assert (message.mail_from, message.from_) == (
        "noreply@acme.example.com",
        Mailbox("Acme", "noreply@acme.example.com"),
    )
    assert message.reply_to == (Mailbox(None, "help@acme.example.com"),)


def test_the_sender_s_domain_is_what_comes_after_the_at() -> None:
    assert a_mail(mail_from="noreply@acme.example.com").from_domain == "acme.example.com"


def test_a_mail_to_nobody_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="recipient"):
        compose(addressed_to(a_mail(), None))
