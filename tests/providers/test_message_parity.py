"""Every field of a message means the same with SMTP as with Resend: both forms are read back and compared."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.attachment import Attachment, Base64Cache
from providers.attachment_policy import AttachmentPolicy
from providers.mailbox import Mailbox, parse_address
from providers.message import OutboundMessage
from providers.mime import serialize
from providers.resend.payload import payload
from tests.providers.mail_readers import check_lines, unspaced
from tests.providers.messages import a_message, searched

OWN_TO_A_FORM = {
    "date", "from", "to", "cc", "reply-to", "subject", "message-id", "mime-version", "content-type",
    "content-transfer-encoding",
}  # fmt: skip
POLICY = AttachmentPolicy()
LOGO = POLICY.from_bytes("logo.png", b"\x89PNG" * 99, cid="logo.1@acme")
TERMS = POLICY.from_bytes("Geschäfts bedingungen.pdf", b"%PDF" + bytes(range(256)) * 9)
INVITE = POLICY.from_bytes("invite.ics", b"BEGIN:VCALENDAR\r\n", "text/calendar; charset=utf-8; method=REQUEST")
words = st.text(max_size=200)
bodies = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What a reader gets, whichever way it came."""

    subject: str
    from_: tuple[str, str]
    reply_to: list[tuple[str, str]]
    html: str | None
    text: str | None
    headers: dict[str, str]
    files: list[tuple[str, str, bytes, str | None]]
    """File name, content type, content, and the cid of those that the html may show."""


def by_smtp(message: OutboundMessage) -> Mail:
    content = serialize(message)
    check_lines(content)
    read = message_from_bytes(content, policy=default)
    assert isinstance(read, EmailMessage)
    parts = [part for part in read.walk() if not part.is_multipart()]
    texts = {part.get_content_subtype(): body(part) for part in parts if part.get_filename() is None}
    return Mail(
        subject=read["subject"],
        from_=boxes(read["from"])[0],
        reply_to=boxes(read["reply-to"]),
        html=texts.get("html"),
        text=texts.get("plain"),
        headers={name.lower(): value for name, value in read.items() if name.lower() not in OWN_TO_A_FORM},
        files=[
            (
                part.get_filename() or "",
                part["content-type"].replace('"', ""),
                part.get_payload(decode=True),
                part["content-id"][1:-1] if part.get_content_disposition() == "inline" else None,
            )
            for part in parts
            if part.get_filename() is not None
        ],
    )


def by_resend(message: OutboundMessage) -> Mail:
    sent = payload(message)
    return Mail(
        subject=armed(sent["subject"]),
        from_=address(sent["from"]),
        reply_to=[address(value) for value in sent.get("reply_to", ())],
        html=ended(sent.get("html")),
        text=ended(sent.get("text")),
        headers={name.lower(): value for name, value in sent["headers"].items()},
        files=[
            (
                file["filename"],
                file["content_type"],
                base64.b64decode(file["content"], validate=True),
                file.get("content_id"),
            )
            for file in sent.get("attachments", ())
        ],
    )


def boxes(header: Any) -> list[tuple[str, str]]:
    return [(unspaced(box.display_name), box.addr_spec) for box in getattr(header, "addresses", ())]


def body(part: EmailMessage) -> str | None:
    return ended(part.get_payload(decode=True).decode())


def ended(text: str | None) -> str | None:
    """A body with one kind of line end and none at its very end, where MIME may add one."""
    return None if text is None else text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def armed(text: str) -> str:
    """What we write for `=?` to Resend, which encodes by itself, read as what it stands for."""
    return text.replace("=\u200b?", "=?")


def address(text: str) -> tuple[str, str]:
    """A quoted name and an address, taken apart by the rules (RFC 5322 §3.2.4) and nothing else."""
    name, _, spec = text.rpartition(" <")
    if not name:
        return "", text
    assert name[0] == name[-1] == '"'
    assert spec[-1] == ">"
    return unspaced(armed(name[1:-1].replace('\\"', '"').replace("\\\\", "\\"))), spec[:-1]


def both(message: OutboundMessage) -> Mail:
    smtp, resend = by_smtp(message), by_resend(message)
    assert smtp == resend
    return smtp


def test_everything_at_once_is_the_same_with_both() -> None:
    message = a_message(
        from_=Mailbox("Zoë, Support", "noreply@acme.example.com"),
        to=(Mailbox("Jane", "jane@example.org"),),
        cc=(Mailbox(None, "cc@example.org"),),
        reply_to=(Mailbox("Help", "help@acme.example.com"), Mailbox(None, "second@acme.example.com")),
        subject="Größe 🔑",
        attachments=(LOGO, TERMS),
        headers={"References": "<a@example.org> <b@example.org>", "X-Note": "a note"},
    )

    mail = both(message)

    assert mail.subject == "Größe 🔑"
    assert mail.from_ == ("Zoë,Support", "noreply@acme.example.com")
    assert mail.reply_to == [("Help", "help@acme.example.com"), ("", "second@acme.example.com")]
    assert mail.files == [
        ("logo.png", "image/png", LOGO.content, "logo.1@acme"),
        ("Geschäfts bedingungen.pdf", "application/pdf", TERMS.content, None),
    ]
    assert mail.headers == {
        "x-outbound-id": str(message.notification_id),
        "references": "<a@example.org> <b@example.org>",
        "x-note": "a note",
        "auto-submitted": "auto-generated",
    }


@pytest.mark.parametrize(
    ("changes", "html", "text"),
    [
        ({"text": None}, "<p>Hello Jane</p>", None),
        ({"html": None}, None, "Hello Jane"),
        ({"html": "", "text": "only"}, None, "only"),
        ({"html": "<p>鍵</p>", "text": "x" * 2000}, "<p>鍵</p>", "x" * 2000),
    ],
)
def test_one_body_is_as_good_as_two(changes: dict[str, Any], html: str | None, text: str | None) -> None:
    mail = both(a_message(**changes))

    assert (mail.html, mail.text) == (html, text)


def test_without_html_an_inline_image_is_a_plain_attachment_with_both() -> None:
    mail = both(a_message(html=None, attachments=(LOGO,)))

    assert mail.files == [("logo.png", "image/png", LOGO.content, None)]


def test_a_calendar_invitation_keeps_its_method_with_both() -> None:
    mail = both(a_message(attachments=(INVITE,)))

    assert mail.files == [("invite.ics", "text/calendar; charset=utf-8; method=REQUEST", INVITE.content, None)]


def test_an_international_domain_is_ascii_with_both() -> None:
    reader = parse_address("jane@bücher.example.org")
    sender = Mailbox("Bücher", parse_address("noreply@bücher.example.org"))
    message = a_message(from_=sender, rcpt_to=reader, to=(Mailbox(None, reader),), reply_to=(sender,))

    mail = both(message)

    assert reader == "jane@xn--bcher-kva.example.org"
    assert mail.from_ == ("Bücher", "noreply@xn--bcher-kva.example.org")
    assert payload(message)["to"] == [reader]
    assert b"To: jane@xn--bcher-kva.example.org\r\n" in serialize(message)


def test_an_unsubscribe_address_of_nine_hundred_characters_is_the_same_with_both() -> None:
    url = f"<https://outbound.example/u/{'t' * 871}>"

    mail = both(a_message(headers={"List-Unsubscribe": url, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}))

    assert len(url) == 900
    assert mail.headers["list-unsubscribe"] == url
    assert mail.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"


def test_a_copy_is_a_mail_of_its_own_to_whom_it_is_for() -> None:
    copy = a_message(rcpt_to="joe@example.org", cc=(Mailbox("Joe", "joe@example.org"),))

    sent = payload(copy)

    assert sent["to"] == ["joe@example.org"]
    assert {"cc", "bcc"}.isdisjoint(sent)
    assert b"\r\nTo: Jane Doe <jane@example.org>\r\nCc: Joe <joe@example.org>\r\n" in serialize(copy)


def test_a_blind_copy_shows_nowhere() -> None:
    blind = a_message(rcpt_to="hidden@example.org")

    assert payload(blind)["to"] == ["hidden@example.org"]
    assert b"hidden" not in serialize(blind)


@searched
@given(subject=words, name=words, html=bodies, text=bodies, stem=words, content=st.binary(max_size=500))
def test_whatever_is_written_is_the_same_with_both(
    subject: str, name: str, html: str, text: str, stem: str, content: bytes
) -> None:
    message = a_message(
        subject=subject,
        from_=Mailbox(name, "noreply@acme.example.com"),
        reply_to=(Mailbox(name, "help@acme.example.com"),),
        html=html,
        text=text,
        attachments=(
            Attachment(
                filename=POLICY.from_bytes(f"{stem}.pdf", b"").filename, content=content, content_type="application/pdf"
            ),
        ),
    )

    mail = both(message)

    assert mail.files[0][2] == content


def test_two_hundred_kilobytes_for_a_hundred_people_are_encoded_once() -> None:
    cache, content = Base64Cache(max_bytes=1024 * 1024), bytes(range(256)) * 800

    for number in range(100):
        reader = f"person{number}@example.org"
        # Each mail is made of its own copy of the octets, as when each was read from a database.
        file = POLICY.from_bytes("terms.pdf", bytes(bytearray(content)))
        message = a_message(rcpt_to=reader, to=(Mailbox(None, reader),), attachments=(file,))
        assert base64.b64encode(content)[:60] in serialize(message, cache)
        assert base64.b64decode(payload(message, cache)["attachments"][0]["content"]) == content

    assert len(content) == 200 * 1024
    assert cache.encodings == 1
