"""A message as the body of POST /emails: a pure function, because a key repeated with another body is refused (409)."""

from __future__ import annotations

from typing import Any

from providers.attachment import ENCODED, Attachment, Base64Cache
from providers.correlation import correlation
from providers.headers import disarmed, readable_mailbox
from providers.message import OutboundMessage
from providers.tags import labels


def payload(message: OutboundMessage, encoded: Base64Cache = ENCODED) -> dict[str, Any]:
    """Return the request body (https://resend.com/docs/api-reference/emails/send-email).

    One recipient, no cc: webhooks do not say which recipient of several they mean. Date and Message-ID are Resend's.
    `encoded` gives the files' base64.
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
        body["attachments"] = [_attachment(file, encoded, has_html=bool(message.html)) for file in message.attachments]
    tags = correlation(message) | labels(message)
    body["tags"] = [{"name": name, "value": value} for name, value in tags.items()]
    return body


def _headers(message: OutboundMessage) -> dict[str, str]:
    fields = {"X-Outbound-Id": str(message.notification_id), **message.headers}
    if not any(name.lower() == "auto-submitted" for name in message.headers):
        fields["Auto-Submitted"] = "auto-generated"
    return fields


def _attachment(attachment: Attachment, encoded: Base64Cache, *, has_html: bool) -> dict[str, str]:
    # Resend drops a mail without a word when the extension contradicts the content type (found by django-anymail): an
    # Attachment's two agree from birth.
    file = {
        "filename": attachment.filename,
        "content": encoded.lines(attachment).replace(b"\r\n", b"").decode("ascii"),
        "content_type": attachment.content_type,
    }
    # As in MIME: where there is no html to show it, an inline image is a plain attachment.
    if attachment.cid is not None and has_html:
        file["content_id"] = attachment.cid
    return file
