"""Which header fields may be asked for: an allow-list, as one that steers a provider could add recipients."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The X- names that are left out steer a provider; some of them add recipients.
_NAME = re.compile(
    r"x-(?!outbound-|smtpapi|mc-|mailgun-|mailin-|msys-|ses-|sib-|pm-|mj-|resend-)[a-z0-9-]{1,60}"
    r"|list-[a-z0-9-]{1,60}|in-reply-to|references|auto-submitted|feedback-id",
    re.IGNORECASE,
)
# Printable ASCII, at most 900 octets without a space to fold at. An encoded word is refused: a relay that decodes and
# writes it again may make a second header of it (CVE-2024-6923).
_VALUE = re.compile(r"(?!.*=\?)(?=.{1,4000}\Z)[!-~]{1,900}(?: [!-~]{1,900})*")


def is_allowed_name(name: str) -> bool:
    """Tell whether a header field of this name may be set: X-*, List-*, In-Reply-To, References and a few more."""
    return _NAME.fullmatch(name) is not None


def is_allowed_value(value: str) -> bool:
    """Tell whether a value can be written as it is: printable ASCII words, a space between two."""
    return _VALUE.fullmatch(value) is not None


def allowed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those fields that may be set and can be written, each name once whatever its case; the last one holds."""
    kept: dict[str, tuple[str, str]] = {}
    for name, value in headers.items():
        if is_allowed_name(name) and is_allowed_value(value):
            kept[name.lower()] = (name, value)
    return dict(kept.values())
