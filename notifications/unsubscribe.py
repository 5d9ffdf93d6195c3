"""The way out that a mail carries: the one-click header pair of RFC 8058, and the token in its link.

A token is 40 characters: a version, the notification's id and a signature, so a link has no room for anybody's address
and fits a header line of 77 characters where the host has at most 24. Whose mail it was, of which kind, and whom it
went to is in the row of that notification, for as long as it is kept; until then a token is good.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from events.header_rules import is_allowed_value

PATH: Final = "/u/"
"""Where the links lead, below OUTBOUND_PUBLIC_URL."""

_VERSION: Final = b"\x01"
_ID_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 13  # 104 bits; 30 octets in all are 40 characters with no bit to spare
# Exactly what we write: a lenient decoder would take several texts for one token.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{40}")


class InvalidTokenError(Exception):
    """It is no token of ours: forged, cut off on its way, or signed with a key that is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeToken:
    """What a token says: the notification in whose mail it was."""

    notification_id: UUID


def unsubscribe_url(public_url: str, keys: Sequence[bytes], notification_id: UUID) -> str:
    """Return the link for a mail: the same for the same notification, for as long as the first key is."""
    body = _VERSION + notification_id.bytes
    return f"{public_url}{PATH}{urlsafe_b64encode(body + _signature(keys[0], body)).decode('ascii')}"


def unsubscribe_headers(public_url: str | None, keys: Sequence[bytes], notification_id: UUID) -> dict[str, str]:
    """Return the two header fields, or none where there is no https address to lead to (RFC 8058 §3.1).

    `keys` are those of OUTBOUND_SECRET_KEY, the one that signs first.
    """
    if public_url is None or not public_url.startswith("https://"):
        return {}
    link = f"<{unsubscribe_url(public_url, keys, notification_id)}>"
    # A link that a line could be folded in is none; half the pair would be worse than nothing.
    if " " in link or not is_allowed_value(link):
        return {}
    return {"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def read_token(token: str, keys: Sequence[bytes]) -> UnsubscribeToken:
    """Return what a token says, if one of the keys has signed it.

    Raises:
        InvalidTokenError: when none has.
    """
    if _TOKEN.fullmatch(token) is None:
        raise InvalidTokenError("not a token")
    octets = urlsafe_b64decode(token)
    body, signature = octets[:-_SIGNATURE_BYTES], octets[-_SIGNATURE_BYTES:]
    if not any(hmac.compare_digest(signature, _signature(key, body)) for key in keys):
        raise InvalidTokenError("not signed by us")
    if body[:1] != _VERSION:
        raise InvalidTokenError("of a version that is not known")
    return UnsubscribeToken(notification_id=UUID(bytes=body[1 : 1 + _ID_BYTES]))


def _signature(key: bytes, body: bytes) -> bytes:
    # The purpose is part of what is signed: nothing else that this key signs can be used as a token.
    return hmac.digest(key, b"outbound unsubscribe\0" + body, "sha256")[:_SIGNATURE_BYTES]
