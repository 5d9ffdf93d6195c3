"""Resend's webhooks: whether one is genuine, and what it tells of a mail.

Signatures: https://resend.com/docs/dashboard/webhooks/verify-webhooks-requests, scheme v1 of
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Payloads:
https://resend.com/docs/dashboard/webhooks/event-types.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from providers.errors import ProviderError
from providers.mailbox import clean_line

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a delivery may be from ours, either way."""

_PREFIX: Final = "whsec_"
# Without a full stop, which is what the signed text is joined with.
_DELIVERY_ID = re.compile(r"[!-\-/-~]{1,256}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURE_CHARACTERS: Final = 4096
_TYPE = re.compile(r"[!-~]{1,128}")
_MOST_CHARACTERS: Final = 1000
_MOST_ITEMS: Final = 100  # Resend takes 50 recipients and 75 tags
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class BadSignatureError(ProviderError):
    """The request is not from Resend, or not from now. The message names the rule that was broken, nothing received."""


class UnreadableReportError(ProviderError):
    """A webhook's body is not an event. The message names the rule that was broken, nothing received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What a webhook tells. Only the type is certain; what is missing or odd is None or empty.

    `type` is as given, also if it is new to us. `tenant_id` and `notification_id` are the tags that we sent: they find
    the notification, whose own row then says whose it is. `message_id` is the mail's Message-ID, `recipients` are as
    given. `diagnostic` is the far end's reply. All texts are one line without control characters.
    """

    type: str
    occurred_at: datetime | None = None
    provider_message_id: str | None = None
    message_id: str | None = None
    notification_id: UUID | None = None
    tenant_id: UUID | None = None
    recipients: tuple[str, ...] = ()
    bounce_type: str | None = None
    bounce_subtype: str | None = None
    diagnostic: tuple[str, ...] = ()
    reason: str | None = None


def is_usable_secret(secret: str) -> bool:
    """Tell whether a signing secret can be read: `whsec_` (which may be left out) and base64, not empty."""
    return _key(secret) is not None


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> str:
    """Return the id of a genuine delivery: the same at every repeat of it, so that repeats can be told.

    Header names are `svix-*` or `webhook-*`, in any case. Any of the `secrets` and any of the signatures will do, as
    while a secret is rotated there are several. A secret that cannot be read signs nothing. `now` has a time zone.

    Raises:
        BadSignatureError: whatever is wrong.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    delivery_id, timestamp, signatures = (
        lowered.get(f"svix-{name}", lowered.get(f"webhook-{name}", "")) for name in ("id", "timestamp", "signature")
    )
    if _DELIVERY_ID.fullmatch(delivery_id) is None:
        raise BadSignatureError("no delivery id")
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise BadSignatureError("no timestamp")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise BadSignatureError("the timestamp is too far from now")
    given = _signatures(signatures)
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = _key(secret)
        if key is None:
            continue
        wanted = hmac.digest(key, signed, hashlib.sha256)
        if any(hmac.compare_digest(wanted, signature) for signature in given):
            return delivery_id
    raise BadSignatureError("no signature is right")


def parse(body: bytes) -> DeliveryReport:
    """Return what a genuine body tells. Lenient: samples, SDK and published document differ in all but the envelope.

    Raises:
        UnreadableReportError: if it is not a JSON object with a `type`, or `data` is not one.
    """
    try:
        event: Any = json.loads(body)
    except (ValueError, RecursionError):
        # ValueError: not UTF-8, not JSON, or a number of too many digits. The cause would carry the body along.
        raise UnreadableReportError("the body is not JSON") from None
    if not isinstance(event, dict):
        raise UnreadableReportError("the body is not an object")
    kind, data = event.get("type"), event.get("data")
    if not isinstance(kind, str) or _TYPE.fullmatch(kind) is None:
        raise UnreadableReportError("the type is not a word")
    if not isinstance(data, dict):
        raise UnreadableReportError("the data is not an object")
    tags, bounce = _tags(data.get("tags")), _object(data.get("bounce"))
    told = bounce or _object(data.get("suppressed")) or _object(data.get("failed"))
    return DeliveryReport(
        type=kind,
        occurred_at=_moment(event.get("created_at")),
        provider_message_id=_text(data.get("email_id")),
        message_id=_text(data.get("message_id")),
        notification_id=_uuid(tags.get("notification")),
        tenant_id=_uuid(tags.get("tenant")),
        recipients=_texts(data.get("to")),
        bounce_type=_text(bounce.get("type")),
        bounce_subtype=_text(bounce.get("subType")),
        diagnostic=_texts(told.get("diagnosticCode")),
        reason=_text(told.get("reason")) or _text(told.get("message")),
    )


def _key(secret: str) -> bytes | None:
    encoded = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or None
    except ValueError:
        return None


def _signatures(header: str) -> list[bytes]:
    """Return the v1 signatures of the header; what is no signature is passed over, other versions are not ours."""
    found: list[bytes] = []
    for part in header[:_MOST_SIGNATURE_CHARACTERS].split(" "):
        version, _, encoded = part.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(encoded, validate=True))
            except ValueError:  # not base64, or not ASCII
                continue
    return found


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _tags(value: Any) -> dict[str, Any]:
    """Return tags by name: they come as an object, though they were sent as a list of name and value."""
    if isinstance(value, list):
        named = (_object(item) for item in value[:_MOST_ITEMS])
        return {item["name"]: item.get("value") for item in named if isinstance(item.get("name"), str)}
    return _object(value)


def _text(value: Any) -> str | None:
    return clean_line(value, _MOST_CHARACTERS) or None if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    values = value[:_MOST_ITEMS] if isinstance(value, list) else [value]
    return tuple(text for text in map(_text, values) if text is not None)


def _uuid(value: Any) -> UUID | None:
    return UUID(value) if isinstance(value, str) and _UUID.fullmatch(value) else None


def _moment(value: Any) -> datetime | None:
    """Read one of the API's three forms of a time; one without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the second: an offset that leads out of the calendar
        return None
