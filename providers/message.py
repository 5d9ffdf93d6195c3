"""The one message object every provider gets: frozen, and valid from birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from providers.mailbox import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file carried by value. `cid` (RFC 2392, without angle brackets) makes it an inline image."""

    filename: str
    content: bytes
    content_type: str
    cid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """One email to one envelope recipient.

    `to` and `cc` are display only; `rcpt_to` alone decides where it goes; there is no bcc header. `notification_id` gives
    the Message-ID, the MIME boundary, the idempotency key and the correlation tags, so a repeat is the same to the last byte.

    Raises:
        InvalidMessageError: when a field could not be sent unchanged by every provider.
    """

    notification_id: UUID
    tenant_id: UUID
    user_id: str | None
    template_name: str
    category: str
    from_: Mailbox
    mail_from: str
    rcpt_to: str
    to: tuple[Mailbox, ...]
    subject: str
    date: datetime
    html: str | None = None
    text: str | None = None
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: tuple[str, ...] = ()
