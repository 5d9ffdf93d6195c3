"""What is stored of a mail: a request to render later, or the rendered words. Its bytes never change once written."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic_core import to_json

from notifications.compression import compress

FORMAT = 2
"""The version of the stored form: 2 has copies and enclosures. A worker takes only rows of a format it knows."""

Kind = Literal["request", "rendered"]


Shown = tuple[str | None, str]
"""A mailbox for display: a name, if there is one, and an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """A file as stored: what it is called, what it is, and the hash that its content is kept under."""

    filename: str
    content_type: str
    cid: str | None
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """What a mail carries beside its words."""

    files: tuple[FileRef, ...] = ()
    tags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """Who it is from and to, fixed at claim; the From address is the queue row's, as it depends on the provider.

    `to` and `cc` are display only; an empty `to` is the recipient.
    """

    to_name: str | None
    from_name: str | None
    reply_to: tuple[str, ...]
    key: str
    """The partition key: sends of one key are chained."""
    expires_at: datetime | None
    """Not sent later than this."""
    actor_id: str | None
    """Whose doing the event was."""
    to: tuple[Shown, ...] = ()
    cc: tuple[Shown, ...] = ()
    timezone: str | None = None
    """The recipient's, as the event told it; the directory's counts where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContent:
    """A mail that waits: what to render, and with which words."""

    addressing: Addressing
    template_name: str
    template_locale: str
    template_version: str
    data: Mapping[str, Any]
    enclosed: Enclosed = field(default_factory=Enclosed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedContent:
    """A mail that can go: every word of it."""

    addressing: Addressing
    subject: str
    html: str
    text: str
    enclosed: Enclosed = field(default_factory=Enclosed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """The bytes of a content as they lie in `message_contents`."""

    kind: Kind
    message: bytes
    sha256: bytes


def encode(content: RequestContent | RenderedContent) -> StoredContent:
    """Turn a content into compressed JSON and its hash."""
    addressing = content.addressing
    body: dict[str, Any] = {
        "format": FORMAT,
        "to_name": addressing.to_name,
        "from_name": addressing.from_name,
        "reply_to": addressing.reply_to,
        "key": addressing.key,
        "expires_at": addressing.expires_at.isoformat() if addressing.expires_at else None,
        "actor_id": addressing.actor_id,
        "to": addressing.to,
        "cc": addressing.cc,
        "timezone": addressing.timezone,
        "tags": content.enclosed.tags,
        "headers": content.enclosed.headers,
        "files": [[file.filename, file.content_type, file.cid, file.sha256] for file in content.enclosed.files],
    }
    kind: Kind
    if isinstance(content, RenderedContent):
        kind = "rendered"
        body |= {"subject": content.subject, "html": content.html, "text": content.text}
    else:
        kind = "request"
        body |= {
            "template": [content.template_name, content.template_locale, content.template_version],
            "data": content.data,
        }
    message = compress(to_json(body))
    return StoredContent(kind=kind, message=message, sha256=hashlib.sha256(message).digest())


def decode(kind: Kind, message: bytes) -> RequestContent | RenderedContent:
    """Read a stored content back.

    Raises:
        ValueError: when it was written by a newer version of outbound.
    """
    body = json.loads(zlib.decompress(message))
    if body["format"] > FORMAT:
        raise ValueError(f"content format {body['format']} is newer than {FORMAT}")
    addressing = Addressing(
        to_name=body["to_name"],
        from_name=body["from_name"],
        reply_to=tuple(body["reply_to"]),
        key=body["key"],
        expires_at=datetime.fromisoformat(body["expires_at"]) if body["expires_at"] else None,
        actor_id=body["actor_id"],
        to=tuple((name, address) for name, address in body.get("to", ())),
        cc=tuple((name, address) for name, address in body.get("cc", ())),
        timezone=body.get("timezone"),
    )
    enclosed = Enclosed(
        files=tuple(
            FileRef(filename=name, content_type=content_type, cid=cid, sha256=digest)
            for name, content_type, cid, digest in body.get("files", ())
        ),
        tags=tuple(body.get("tags", ())),
        headers=body.get("headers", {}),
    )
    if kind == "rendered":
        return RenderedContent(
            addressing=addressing,
            subject=body["subject"],
            html=body["html"],
            text=body["text"],
            enclosed=enclosed,
        )
    name, locale, version = body["template"]
    return RequestContent(
        addressing=addressing,
        template_name=name,
        template_locale=locale,
        template_version=version,
        data=body["data"],
        enclosed=enclosed,
    )
