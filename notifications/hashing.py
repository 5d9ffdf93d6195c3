"""Keyed hashes: the name of a recipient where no address may stand, and the id of a notification."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

_HASH_HEX_DIGITS = 32
_MILLISECOND_BITS = 48
_VERSION_8 = 0x8 << 76
_VARIANT_RFC_9562 = 0b10 << 62
_RANDOM_A_BITS = 12
_RANDOM_B_BITS = 62


def recipient_hash(secret: bytes, address: str) -> str:
    """Return the 32 hex digits that stand for an address on the bus, in logs and in spans, whatever its letter case."""
    return hmac.new(secret, address.lower().encode(), hashlib.sha256).hexdigest()[:_HASH_HEX_DIGITS]


def notification_id(
    secret: bytes, ms: int, tenant_id: UUID, source: str, event_id: str, subtype: str, recipient: str
) -> UUID:
    """Return the UUIDv8 (RFC 9562 §5.8) of a notification: the same parts always give the same id.

    The first 48 bits are `ms`, the milliseconds since 1970 of the event's first stream entry, so that a month is a
    range of ids; the rest is a keyed hash of the other parts, so that an id tells nothing and cannot be guessed.

    Raises:
        ValueError: when `ms` is negative or needs more than 48 bits.
    """
    if not 0 <= ms < 1 << _MILLISECOND_BITS:
        raise ValueError("a notification id holds milliseconds since 1970 in 48 bits")
    parts = (
        tenant_id.bytes,
        *(part.encode("utf-8", "surrogatepass") for part in (source, event_id, subtype, recipient)),
    )
    # Each part carries its length: without it ("a", "bc") and ("ab", "c") would be one notification.
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    digest = int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:10], "big")
    random_b = digest & ((1 << _RANDOM_B_BITS) - 1)
    random_a = (digest >> _RANDOM_B_BITS) & ((1 << _RANDOM_A_BITS) - 1)
    return UUID(int=ms << 80 | _VERSION_8 | random_a << 64 | _VARIANT_RFC_9562 | random_b)


def milliseconds(id_: UUID) -> int:
    """Return the milliseconds since 1970 that a notification id begins with."""
    return id_.int >> 80
