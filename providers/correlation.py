"""The tags by which a provider's delivery event finds its notification (DESIGN §11)."""

from __future__ import annotations

import re
from typing import Final

from providers.message import OutboundMessage

_NOT_IN_VALUES = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_VALUE: Final = 256


def correlation(message: OutboundMessage) -> dict[str, str]:
    """Return the tags that come back with a provider's delivery events, by name."""
    return {
        "tenant": str(message.tenant_id),
        "notification": str(message.notification_id),
        "category": tag_value(message.category),
        "domain": tag_value(message.from_.domain),
    }


def tag_value(text: str) -> str:
    """Return `text` in the characters that every provider takes in a tag; an empty one is not allowed."""
    return _NOT_IN_VALUES.sub("-", text).strip("-")[:_LONGEST_VALUE] or "none"
