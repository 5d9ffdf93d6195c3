"""What a message refuses to be born with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from providers.errors import InvalidMessageError
from providers.message import MAX_ATTACHMENT_BYTES, MAX_SUBJECT, MAX_TAG, MAX_TAGS, Attachment
from tests.providers.messages import NOTIFICATION, a_message


def a_file(**changes: Any) -> Attachment:
    fields: dict[str, Any] = {"filename": "a.pdf", "content": b"%PDF", "content_type": "application/pdf", **changes}
    return Attachment(**fields)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rcpt_to": "jane@example.org>\r\nDATA"}, "rcpt_to"),
        ({"rcpt_to": "jane@example.org> SIZE=1"}, "rcpt_to"),
        ({"rcpt_to": ""}, "rcpt_to"),
        ({"mail_from": "b@example.org\n"}, "mail_from"),
        ({"mail_from": ""}, "mail_from"),
        ({"to": ()}, "to"),
        ({"date": datetime(2026, 11, 24)}, "date"),  # noqa: DTZ001 -- that is the point
        ({"html": None, "text": None}, "html"),
        ({"html": "", "text": ""}, "html"),
        ({"html": "a\x00b"}, "html"),
        ({"text": "\ud800"}, "text"),
        ({"attachments": (a_file(cid="a"), a_file(cid="a"))}, "attachments"),
        ({"attachments": (a_file(content=bytes(MAX_ATTACHMENT_BYTES)), a_file())}, "attachments"),
        ({"tags": ("spring", "spring")}, "tags"),
        ({"tags": ("",)}, "tags"),
        ({"tags": (" padded",)}, "tags"),
        ({"tags": ("two\nlines",)}, "tags"),
        ({"tags": ("x" * (MAX_TAG + 1),)}, "tags"),
        ({"tags": tuple(map(str, range(MAX_TAGS + 1)))}, "tags"),
    ],
)
def test_a_field_that_could_not_be_sent_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMessageError) as refused:
        a_message(**changes)

    assert refused.value.field == field


@pytest.mark.parametrize(
    "name",
    [
        "From", "Sender", "Return-Path", "To", "Cc", "Bcc", "DKIM-Signature", "Content-Type", "Received", "Message-ID",
        "Date", "Subject", "MIME-Version", "Reply-To", "X-Outbound-Id", "X-SMTPAPI", "X-MC-BccAddress", "X-SES-Foo",
        "X-MSYS-API", "X-Mailin-Tag", "X-Mailgun-Variables", "X-PM-Tag", "X-MJ-CustomID", "Resent-To", "Resent-Bcc",
        "X-Foo: a\r\nBcc", "X-Foo\n", "X-", "X Foo", "X-Föö", "", "Resend-Idempotency-Key",
    ],
)  # fmt: skip
def test_a_header_that_is_not_on_the_list_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessageError, match="headers"):
        a_message(headers={name: "value"})


@pytest.mark.parametrize(
    "name",
    [
        "X-Priority", "x-entity-ref-id", "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post",
        "List-Id", "Auto-Submitted", "Feedback-ID",
    ],
)  # fmt: skip
def test_a_header_on_the_list_is_kept(name: str) -> None:
    assert a_message(headers={name: "<value>"}).headers == {name: "<value>"}


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nBcc: e@example.org",
        "a\n",
        "a\x00",
        "zoë",
        "",
        " a",
        "a ",
        "a  b",
        "=?utf-8?q?a=0ABcc=3A_e=40x?=",
        "x" * 901,
    ],
)
def test_a_header_value_that_is_not_plain_ascii_words_is_refused(value: str) -> None:
    with pytest.raises(InvalidMessageError, match="X-Note"):
        a_message(headers={"X-Note": value})


def test_a_header_that_differs_only_in_case_is_there_twice_and_refused() -> None:
    with pytest.raises(InvalidMessageError, match="twice"):
        a_message(headers={"X-Note": "a", "x-note": "b"})


def test_headers_are_the_messages_own_copy() -> None:
    headers = {"X-Note": "a"}
    message = a_message(headers=headers)

    headers["Bcc"] = "eve@example.org"

    assert message.headers == {"X-Note": "a"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ticket 42", "Ticket 42"),
        ("Ticket\r\nBcc: eve@example.org", "Ticket Bcc: eve@example.org"),
        ("  a\x00\u2028b  ", "a b"),
        ("s" * 1000, "s" * MAX_SUBJECT),
        ("", ""),
    ],
)
def test_a_subject_is_cleaned_rather_than_refused(given: str, kept: str) -> None:
    assert a_message(subject=given).subject == kept


@pytest.mark.parametrize(
    "changes",
    [
        {"filename": ""},
        {"filename": ".."},
        {"filename": " a.pdf"},
        {"filename": "../../etc/passwd"},
        {"filename": "a\\b.pdf"},
        {"filename": 'a.pdf"\r\nBcc: e@example.org'},
        {"filename": "fdp\u202e.exe"},
        {"filename": "a" * 121},
        {"content_type": "application"},
        {"content_type": "application/pdf\r\nBcc: e@example.org"},
        {"content_type": "application/pdf; name=x"},
        {"content_type": "multipart/mixed"},
        {"content_type": "message/rfc822"},
        {"content_type": "Application/PDF"},
        {"cid": ""},
        {"cid": "<a>"},
        {"cid": "a b"},
        {"cid": "a\r\n"},
    ],
)
def test_an_attachment_that_needs_care_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessageError, match="attachments"):
        a_file(**changes)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [("invite.ics", "text/calendar; charset=utf-8; method=REQUEST"), ("drawing.svg", "image/svg+xml")],
)
def test_an_attachment_may_say_its_charset_and_method(filename: str, content_type: str) -> None:
    assert a_file(filename=filename, content_type=content_type).content_type == content_type


def test_the_message_id_comes_from_the_notification_and_the_from_domain() -> None:
    assert a_message().message_id == f"<{NOTIFICATION}@acme.example.com>"
