"""Our MIME form, read back with the standard library's parser, which knows nothing of how it was made."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.attachment import Attachment
from providers.mailbox import Mailbox
from providers.mime import serialize
from tests.providers.messages import NOTIFICATION, a_message, searched

ALWAYS = {
    "date", "from", "to", "subject", "message-id", "x-outbound-id", "auto-submitted", "mime-version", "content-type",
}  # fmt: skip
HOSTILE = [
    "=?utf-8?q?a=0ABcc=3A_e=40x?=",
    "=?utf-8?b?YQpCY2M6IGVAeA==?= tail",
    "Ticket\r\nBcc: eve@example.org",
    "Ticket\n\n<script>",
    "nul\x00 and del\x7f",
    "right \u202eto left\u2066",
    "x" * 300,
    "word " * 70,
    "a@evil.example, pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad pad",
    'quote " and \\ backslash',
    "(comment) <angle> [square] ; : , . group: a;",
    "Zoë " * 40,
    "鍵" * 120,
    "🔑" * 60,
    "tab\tand  double  spaces",
    "\ud800 lone",
    ": leading colon",
    "Re: " + "y" * 80,
    ".",
    "-- \r\n.\r\n",
]
texts = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=300)
lines = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200))


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def mailboxes(header: Any) -> list[tuple[str, str]]:
    assert isinstance(header, AddressHeader)
    return [(unspaced(address.display_name), address.addr_spec) for address in header.addresses]


def unspaced(name: str | None) -> str:
    """A name without its spaces, which this parser keeps between encoded words (against RFC 2047 §6.2) and unifies."""
    return "".join((name or "").split())


def unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def body_text(part: EmailMessage) -> str:
    """The text as decoded by the parser, free of its own ideas about line ends."""
    return unified(part.get_payload(decode=True).decode("utf-8"))


def check_lines(content: bytes) -> None:
    assert content.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    head = content.partition(b"\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[^ \r\n]*", head))
    assert all(line.strip() for line in head.split(b"\r\n"))


@searched
@given(subject=lines, name=st.one_of(st.none(), lines), other=lines)
def test_no_subject_and_no_name_can_change_the_set_of_headers(subject: str, name: str | None, other: str) -> None:
    sender, reader = Mailbox(name, "noreply@acme.example.com"), Mailbox(other, "jane@example.org")
    message = a_message(subject=subject, from_=sender, to=(reader,), cc=(sender, reader), reply_to=(sender,))

    content = serialize(message)

    check_lines(content)
    read = parsed(content)
    assert [key.lower() for key in read] == list(dict.fromkeys(key.lower() for key in read))
    assert {key.lower() for key in read} == ALWAYS | {"cc", "reply-to"}
    assert read["subject"] == message.subject
    assert mailboxes(read["from"]) == [(unspaced(sender.display_name), "noreply@acme.example.com")]
    assert mailboxes(read["to"]) == [(unspaced(reader.display_name), "jane@example.org")]
    assert [address for _, address in mailboxes(read["cc"])] == ["noreply@acme.example.com", "jane@example.org"]
    assert [address for _, address in mailboxes(read["reply-to"])] == ["noreply@acme.example.com"]


@searched
@given(html=texts.filter(bool), text=texts.filter(bool))
def test_both_bodies_come_back_as_they_were(html: str, text: str) -> None:
    content = serialize(a_message(html=html, text=text))

    check_lines(content)
    [plain, rich] = parsed(content).iter_parts()
    assert (plain.get_content_type(), body_text(plain)) == ("text/plain", unified(text))
    assert (rich.get_content_type(), body_text(rich)) == ("text/html", unified(html))


@searched
@given(text=texts.filter(bool))
def test_a_single_body_comes_back_as_it_was_with_a_line_end(text: str) -> None:
    content = serialize(a_message(html=None, text=text))

    check_lines(content)
    assert body_text(parsed(content)).rstrip("\n") == unified(text).rstrip("\n")


@searched
@given(
    filename=st.one_of(
        st.sampled_from(
            ["naïve façade.pdf", "鍵" * 100 + ".pdf", "a" * 116 + ".pdf", "qu\"ote'.pdf", "=?utf-8?q?x?=.pdf"]
        ),
        st.sampled_from(["two  spaces.pdf", "semi;colon=.pdf", "per%20cent*.pdf", "a b " * 20 + "c.pdf"]),
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cf"]), min_size=1, max_size=100).map(
            lambda stem: stem.replace("/", "-").replace("\\", "-") + ".pdf"
        ),
    ),
    content=st.binary(max_size=2000),
)
def test_attachments_come_back_as_they_were(filename: str, content: bytes) -> None:
    file = Attachment(filename=filename, content=content, content_type="application/pdf")

    raw = serialize(a_message(attachments=(file,)))

    check_lines(raw)
    [attached] = parsed(raw).iter_attachments()
    assert attached.get_filename() == filename
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_payload(decode=True) == content


def test_inline_images_sit_beside_the_html_and_files_around_both() -> None:
    logo = Attachment(filename="logo.png", content=b"\x89PNG", content_type="image/png", cid="logo.1")
    file = Attachment(filename="terms.pdf", content=b"%PDF", content_type="application/pdf")

    read = parsed(serialize(a_message(attachments=(logo, file))))

    types = [part.get_content_type() for part in read.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    [image] = [part for part in read.walk() if part.get_content_type() == "image/png"]
    assert (image["content-id"], image.get_content_disposition()) == ("<logo.1>", "inline")


def test_an_inline_image_without_html_is_a_plain_attachment() -> None:
    logo = Attachment(filename="logo.png", content=b"\x89PNG", content_type="image/png", cid="logo")

    read = parsed(serialize(a_message(html=None, attachments=(logo,))))

    assert [part.get_content_type() for part in read.walk()] == ["multipart/mixed", "text/plain", "image/png"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\n" * 50, "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("Grüße aus Köln, mit einem sonst gewöhnlichen deutschen Satz\n" * 20, "quoted-printable"),
        ("鍵を開ける" * 50, "base64"),
        ("é", "base64"),
    ],
)
def test_each_body_gets_the_encoding_that_suits_it(text: str, encoding: str) -> None:
    read = parsed(serialize(a_message(html=None, text=text)))

    assert read["content-transfer-encoding"] == encoding


def test_a_body_that_holds_the_boundary_gets_another_one() -> None:
    intruder = f"--=_{NOTIFICATION.hex}.a--\n=_{NOTIFICATION.hex}.1\n"

    read = parsed(serialize(a_message(text=intruder)))

    [plain, _] = read.iter_parts()
    assert body_text(plain) == intruder
    assert read.get_boundary() == f"=_{NOTIFICATION.hex}.2.a"


def test_the_same_message_is_the_same_bytes() -> None:
    file = Attachment(filename="a.pdf", content=b"x" * 100, content_type="application/pdf")

    assert serialize(a_message(attachments=(file,))) == serialize(a_message(attachments=(file,)))


def test_an_unsubscribe_address_is_neither_folded_nor_encoded() -> None:
    url = f"<https://outbound.example.com/u/{'t' * 300}>"
    headers = {"List-Unsubscribe": url, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    content = serialize(a_message(headers=headers))

    assert f"\r\nList-Unsubscribe: {url}\r\n".encode() in content
    check_lines(content)


def test_long_references_are_folded_between_message_ids() -> None:
    references = " ".join(f"<{number:040d}@example.org>" for number in range(10))

    content = serialize(a_message(headers={"References": references}))

    assert parsed(content)["references"] == references
    head = content.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_a_message_may_say_how_automatic_it_is() -> None:
    read = parsed(serialize(a_message(headers={"auto-submitted": "auto-replied"})))

    assert read.get_all("auto-submitted") == ["auto-replied"]


def test_the_header_block_is_the_one_we_mean() -> None:
    head = serialize(a_message(reply_to=(Mailbox("Help, please.", "help@acme.example.com"),))).partition(b"\r\n\r\n")[0]

    assert head.decode().split("\r\n") == [
        "Date: Tue, 24 Nov 2026 02:00:00 +0000",
        "From: Acme Support <noreply@acme.example.com>",
        "To: Jane Doe <jane@example.org>",
        'Reply-To: "Help, please." <help@acme.example.com>',
        "Subject: Ticket 42 was updated",
        f"Message-ID: <{NOTIFICATION}@acme.example.com>",
        f"X-Outbound-Id: {NOTIFICATION}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: multipart/alternative;",
        f' boundary="=_{NOTIFICATION.hex}.a"',
    ]
