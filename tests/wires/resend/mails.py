"""Mails: what the API refuses of them, what it says of one, and what becomes of it."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from tests.wires.resend.reply import Reply, refusal

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9.-]+")
_MOST_ATTACHMENT_BYTES = 40 * 1024 * 1024
_TYPES = mimetypes.MimeTypes(filenames=())

# https://resend.com/docs/dashboard/emails/send-test-emails: what becomes of a mail to one of these, with any +label.
LIVES: dict[str, tuple[str, ...]] = {
    "delivered": ("email.delivered",),
    "bounced": ("email.bounced",),
    "complained": ("email.delivered", "email.complained"),
    "suppressed": ("email.suppressed",),
}
_DETAILS: dict[str, dict[str, Any]] = {
    "email.bounced": {
        "bounce": {
            "diagnosticCode": ["smtp; 550 5.1.1 user unknown"],
            "message": "The recipient's email provider sent a hard bounce message.",
            "subType": "General",
            "type": "Permanent",
        }
    },
    "email.suppressed": {
        "suppressed": {
            "diagnosticCode": [],
            "message": "Resend has suppressed sending to this address because it is on the suppression list.",
            "reason": "previous_bounce",
            "type": "OnAccountSuppressionList",
        }
    },
    "email.failed": {"failed": {"reason": "reached_daily_quota"}},
    "email.clicked": {
        "click": {"ipAddress": "192.0.2.1", "link": "https://example.com/", "timestamp": "", "userAgent": "a browser"}
    },
}


@dataclass
class Mail:
    """A mail that was accepted. `is_dropped`: the real API answers 200 and then sends nothing, without a word."""

    id: str
    team: str
    created_at: datetime
    content: dict[str, Any]
    last_event: str = "queued"
    is_dropped: bool = False
    history: list[str] = field(default_factory=list)

    @property
    def message_id(self) -> str:
        return f"<{self.id}@mail.resend.example>"

    @property
    def recipients(self) -> list[str]:
        return listed(self.content["to"])

    @property
    def fate(self) -> tuple[str, ...]:
        """What becomes of it by itself: mail to the test addresses lives as documented, other mail as the test says."""
        if self.is_dropped:
            return ()
        local, _, domain = parseaddr(self.recipients[0])[1].lower().partition("@")
        return ("email.sent", *(LIVES.get(local.partition("+")[0], ()) if domain == "resend.dev" else ()))

    def happened(self, kind: str) -> None:
        self.history.append(kind)
        self.last_event = kind.removeprefix("email.")

    def event_data(self, kind: str) -> dict[str, Any]:
        """The `data` of a webhook: tags were sent as a list and come back as an object."""
        data: dict[str, Any] = {
            "email_id": self.id,
            "message_id": self.message_id,
            "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S.000Z}",
            "from": self.content["from"],
            "to": self.recipients,
            "subject": self.content["subject"],
            **_DETAILS.get(kind, {}),
        }
        if "tags" in self.content:
            data["tags"] = {tag["name"]: tag["value"] for tag in self.content["tags"]}
        if kind == "email.clicked":
            data["click"] = data["click"] | {"timestamp": data["created_at"]}
        return data

    def shown(self) -> dict[str, Any]:
        """GET /emails/{id}."""
        return {
            "object": "email",
            "id": self.id,
            "message_id": self.message_id,
            "to": self.recipients,
            "from": self.content["from"],
            "created_at": f"{self.created_at:%Y-%m-%d %H:%M:%S.%f}+00",
            "subject": self.content["subject"],
            **{name: self.content[name] for name in ("html", "text") if name in self.content},
            **{name: listed(self.content.get(name, [])) for name in ("cc", "bcc", "reply_to")},
            "last_event": self.last_event,
        }


def listed(value: Any) -> list[str]:
    """An address list may be one string."""
    return [value] if isinstance(value, str) else list(value)


def recipients(content: dict[str, Any]) -> list[str]:
    """All that a quota counts."""
    return [address for name in ("to", "cc", "bcc") for address in listed(content.get(name, []))]


def from_domain(content: dict[str, Any]) -> str:
    return parseaddr(content["from"])[1].rpartition("@")[2].lower()


def would_be_dropped(content: dict[str, Any]) -> bool:
    """Found by django-anymail: a file without a name, or whose extension contradicts its type, ends the mail."""
    for file in content.get("attachments", []):
        guessed, encoding = _TYPES.guess_type(file.get("filename") or "")
        stated = file.get("content_type", "").partition(";")[0]
        if not file.get("filename") or (stated and guessed and not encoding and guessed != stated):
            return True
    return False


def refused(content: Any) -> Reply | None:
    """What the API says of a body that it does not take."""
    if not isinstance(content, dict):
        return refusal(400, "validation_error", "The body is not an object.")
    missing = [name for name in ("from", "to", "subject") if not content.get(name)]
    if not missing and not any(content.get(name) for name in ("html", "text", "template")):
        missing = ["html` or `text"]
    if missing:
        return refusal(422, "missing_required_field", f"Missing `{missing[0]}` field.")
    if not _ADDRESS.fullmatch(parseaddr(content["from"])[1]):
        return refusal(422, "invalid_from_address", "Invalid `from` field.")
    if not all(_ADDRESS.fullmatch(parseaddr(address)[1]) for address in recipients(content)):
        return refusal(422, "validation_error", "Invalid `to` field.")
    if not all(isinstance(value, str) for value in content.get("headers", {}).values()):
        return refusal(422, "validation_error", "Headers are strings.")
    tags = content.get("tags", [])
    if len(tags) > 75 or not all(_TAG.fullmatch(tag.get(name, "")) for tag in tags for name in ("name", "value")):
        return refusal(
            422, "validation_error", "Tags should only contain ASCII letters, numbers, underscores, or dashes."
        )
    return _refused_files(content.get("attachments", []))


def _refused_files(files: list[dict[str, Any]]) -> Reply | None:
    size = 0
    for file in files:
        try:
            size += len(file.get("content", ""))
            base64.b64decode(file.get("content", ""), validate=True)
        except (TypeError, binascii.Error):
            return refusal(422, "invalid_attachment", "Attachment must have either a `content` or `path`.")
    if size > _MOST_ATTACHMENT_BYTES:
        return refusal(422, "invalid_attachment", "Attachments are over 40 MB after encoding.")
    return None
