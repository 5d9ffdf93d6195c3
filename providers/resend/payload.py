"""A message as the body of POST /emails: a pure function, because a key repeated with another body is refused (409)."""

from __future__ import annotations

import mimetypes
import re
from typing import Any, Final

from providers.attachment import ENCODED, Attachment
from providers.headers import disarmed, readable_mailbox
from providers.message import OutboundMessage

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_TAG: Final = 256
# Without the machine's own mime.types, which would make the body depend on the machine.
_TYPES: Final = mimetypes.MimeTypes(filenames=())


def payload(message: OutboundMessage) -> dict[str, Any]:
    """Return the request body (https://resend.com/docs/api-reference/emails/send-email).

    One recipient, no cc: webhooks do not say which recipient of several they mean. Date and Message-ID are Resend's.
    """
    body: dict[str, Any] = {
        "from": readable_mailbox(message.from_),
        "to": [message.rcpt_to],
        "subject": disarmed(message.subject),
    }
    if message.html:
        body["html"] = message.html
    if message.text:
        body["text"] = message.text
    if message.reply_to:
        body["reply_to"] = [readable_mailbox(value) for value in message.reply_to]
    body["headers"] = _headers(message)
    if message.attachments:
        body["attachments"] = [_attachment(attachment) for attachment in message.attachments]
    body["tags"] = [
        {"name": "tenant", "value": str(message.tenant_id)},
        {"name": "notification", "value": str(message.notification_id)},
        {"name": "category", "value": tag_value(message.category)},
        {"name": "domain", "value": tag_value(message.from_.domain)},
    ]
    return body


def tag_value(text: str) -> str:
    """Return `text` in the characters that tags may have; an empty one is not allowed."""
    return _NOT_IN_TAGS.sub("-", text).strip("-")[:_LONGEST_TAG] or "none"


def _headers(message: OutboundMessage) -> dict[str, str]:
    fields = {"X-Outbound-Id": str(message.notification_id), **message.headers}
    if not any(name.lower() == "auto-submitted" for name in message.headers):
        fields["Auto-Submitted"] = "auto-generated"
    return fields


def _attachment(attachment: Attachment) -> dict[str, str]:
    # Resend drops a mail without a word when the extension contradicts the content type (found by django-anymail), so
    # the extension decides where it is known.
    guessed, encoding = _TYPES.guess_type(attachment.filename)
    file = {
        "filename": attachment.filename,
        "content": ENCODED.lines(attachment.content).replace(b"\r\n", b"").decode("ascii"),
        "content_type": guessed if guessed is not None and encoding is None else attachment.content_type,
    }
    if attachment.cid is not None:
        file["content_id"] = attachment.cid
    return file
