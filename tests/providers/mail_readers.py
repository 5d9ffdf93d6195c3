"""Three readers that know nothing of how a mail was made: the standard library's two, and mail-parser."""

from __future__ import annotations

import base64
import email.utils
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import compat32, default

import mailparser

Mailboxes = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a reader found. Spaces in names are left out: the readers differ about those between encoded words."""

    header_names: list[str]
    subject: str
    mailboxes: dict[str, Mailboxes]
    files: list[tuple[str, bytes]]


def read_default(content: bytes) -> Read:
    """Read with the structured parser."""
    message = BytesParser(policy=default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return Read(
        header_names=[name.lower() for name in message],
        subject=str(message["subject"]),
        mailboxes={
            name.lower(): [(unspaced(mailbox.display_name), mailbox.addr_spec) for mailbox in value.addresses]
            for name, value in message.items()
            if name.lower() in _ADDRESSES
        },
        files=_files(message),
    )


def read_compat32(content: bytes) -> Read:
    """Read with the old parser, which leaves the decoding to its user."""
    message = BytesParser(policy=compat32).parsebytes(content)
    return Read(
        header_names=[name.lower() for name in message],
        subject=_decoded(message["subject"]),
        mailboxes={
            name.lower(): [
                (unspaced(_decoded(shown)), addr) for shown, addr in email.utils.getaddresses([_unfolded(value)])
            ]
            for name, value in message.items()
            if name.lower() in _ADDRESSES
        },
        files=_files(message),
    )


def read_mailparser(content: bytes) -> Read:
    """Read with mail-parser."""
    message = mailparser.parse_from_bytes(content)
    assert not message.defects
    found = {"from": message.from_, "to": message.to, "cc": message.cc, "reply-to": message.reply_to}
    return Read(
        header_names=[name.lower() for name in message.headers],
        subject=_unfolded(message.subject),
        mailboxes={
            name: [(unspaced(shown), addr) for shown, addr in value]
            for name, value in found.items()
            if name in {key.lower() for key in message.headers}
        },
        files=[
            (file["filename"], base64.b64decode(file["payload"]) if file["binary"] else file["payload"].encode())
            for file in message.attachments
        ],
    )


READERS: list[Callable[[bytes], Read]] = [read_default, read_compat32, read_mailparser]
_ADDRESSES = {"from", "to", "cc", "reply-to", "bcc", "sender"}


def unspaced(name: str | None) -> str:
    return "".join((name or "").split())


def check_lines(content: bytes) -> None:
    """Check what RFC 5322 §2.1.1 and §3.2.2 and RFC 2047 §2 ask of the octets on the wire."""
    assert content.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", content)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    head = content.partition(b"\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[^ \r\n]*", head))
    assert all(line.strip() for line in head.split(b"\r\n"))


def _files(message: Message) -> list[tuple[str, bytes]]:
    return [
        (email.utils.collapse_rfc2231_value(name) if isinstance(name, tuple) else name, part.get_payload(decode=True))
        for part in message.walk()
        if (name := part.get_filename()) is not None
    ]


def _decoded(value: str) -> str:
    return str(make_header(decode_header(_unfolded(value))))


def _unfolded(value: str) -> str:
    return value.replace("\r\n", "")  # RFC 5322 §2.2.3
