"""The one message object every provider gets: frozen, and valid from birth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from events.header_rules import is_allowed_name, is_allowed_value
from providers.attachment import Attachment
from providers.errors import InvalidMessageError
from providers.mailbox import Mailbox, clean_line, is_addr_spec

__all__ = ["MAX_ATTACHMENT_BYTES", "MAX_SUBJECT", "MAX_TAG", "MAX_TAGS", "Attachment", "OutboundMessage"]

MAX_SUBJECT: Final = 400
"""Characters of a subject that are kept; clients show about 100."""
MAX_ATTACHMENT_BYTES: Final = 25 * 1024 * 1024
"""All attachments of a message together; Resend's limit is 40 MB after base64."""
MAX_TAGS: Final = 71
"""Labels of a message: Resend takes 75 tags, and four of them say whose mail it is."""
MAX_TAG: Final = 128
"""Characters of a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """One email to one envelope recipient.

    `to` and `cc` are display only; `rcpt_to` alone decides where it goes; there is no bcc header. `notification_id`
    gives the Message-ID, the MIME boundary, the idempotency key and the correlation tags, so a repeat is the same to
    the last byte.

    The subject is cleaned, not refused: line breaks, control and bidirectional characters become one space, and at most
    400 characters stay. `headers` are from an allow-list (X-*, List-*, In-Reply-To, References, Auto-Submitted,
    Feedback-ID) with printable ASCII values. `tags` are our own labels, as tags.merge_tags returns them: the receipt
    keeps them, a provider that keeps tags gets them beside those that say whose mail it is, and no header shows them.

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

    def __post_init__(self) -> None:
        if not is_addr_spec(self.rcpt_to):
            raise InvalidMessageError("rcpt_to", "is not a plain ASCII addr-spec")
        if not is_addr_spec(self.mail_from):
            raise InvalidMessageError("mail_from", "is not a plain ASCII addr-spec")
        if not self.to:
            raise InvalidMessageError("to", "is empty")
        if self.date.tzinfo is None:
            raise InvalidMessageError("date", "has no time zone")
        if not self.html and not self.text:
            raise InvalidMessageError("html", "and text are both empty")
        _check_body("html", self.html)
        _check_body("text", self.text)
        subject = clean_line(self.subject, MAX_SUBJECT)
        if subject != self.subject:
            object.__setattr__(self, "subject", subject)
        if self.headers:
            _check_headers(self.headers)
            object.__setattr__(self, "headers", dict(self.headers))
        if self.attachments:
            _check_attachments(self.attachments)
        if self.tags:
            _check_tags(self.tags)

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets: the same at every attempt, so that a repeat can be seen as one."""
        return f"<{self.notification_id}@{self.from_.domain}>"


def _check_body(name: str, body: str | None) -> None:
    if body is None:
        return
    if "\x00" in body:
        raise InvalidMessageError(name, "holds a NUL character")
    if not body.isascii():
        try:
            body.encode()
        except UnicodeEncodeError:
            # The cause would carry the whole body into a traceback.
            raise InvalidMessageError(name, "holds a lone surrogate") from None


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not is_allowed_name(name):
            raise InvalidMessageError("headers", "hold a name that is not allowed")
        if not is_allowed_value(value):
            raise InvalidMessageError("headers", f"hold a value that is not plain ASCII words: {name}")
    if len({name.lower() for name in headers}) != len(headers):
        raise InvalidMessageError("headers", "hold a name twice")


def _check_attachments(attachments: tuple[Attachment, ...]) -> None:
    if sum(len(attachment.content) for attachment in attachments) > MAX_ATTACHMENT_BYTES:
        raise InvalidMessageError("attachments", f"are over {MAX_ATTACHMENT_BYTES} bytes together")
    cids = [attachment.cid for attachment in attachments if attachment.cid is not None]
    if len(set(cids)) != len(cids):
        raise InvalidMessageError("attachments", "hold a cid twice")


def _check_tags(tags: tuple[str, ...]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidMessageError("tags", f"are more than {MAX_TAGS}")
    if any(not tag or clean_line(tag, MAX_TAG) != tag for tag in tags):
        raise InvalidMessageError("tags", f"hold one that is empty, over {MAX_TAG} characters or not one clean line")
    if len(set(tags)) != len(tags):
        raise InvalidMessageError("tags", "hold one twice")
