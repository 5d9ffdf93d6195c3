"""The one form in which addresses are compared, stored and written to."""

from __future__ import annotations

from providers.errors import InvalidAddressError
from providers.mailbox import parse_address

_MAX_CHARS = 320  # RFC 5321 §4.5.3.1: 64 of the local part, @, 255 of the domain


def canonical(address: str | None) -> str | None:
    """Return an address in lower case with its domain as A-labels, or, where it is none, the text as it came.

    What is no address is kept so that the gate can refuse it with its reason, and an operator can see it.
    """
    text = (address or "").strip()
    if not text:
        return None
    try:
        return parse_address(text).lower()
    except InvalidAddressError:
        return text.replace("\0", "").lower()[:_MAX_CHARS]
