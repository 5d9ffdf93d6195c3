"""A person and an address (RFC 5322 §3.4), and the one place where an address is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from providers.errors import InvalidAddressError

MAX_DISPLAY_NAME: Final = 120
"""Characters of a display name that are kept."""

# Dot-atom local part and host name, all ASCII: what RFC 5321 lets through without quoting, so that an address is safe
# in a command line and in a header as it stands.
_ADDR_SPEC = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_MAX_ADDR_SPEC: Final = 254  # RFC 5321 §4.5.3.1.3: a path is 256 octets with its angle brackets
_MAX_LOCAL_PART: Final = 64  # RFC 5321 §4.5.3.1.1

# Controls, line and paragraph separators, bidirectional overrides and isolates (they let a name pose as another one),
# and lone surrogates (which no encoding can write).
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r" {2,}")
_AT_SIGNS: Final = ("@", "\uff20", "\ufe6b")  # the plain one, full width, small


def clean_line(value: str, limit: int) -> str:
    """Return `value` as one line of at most `limit` characters; unwanted characters and runs of spaces become one."""
    if _UNWANTED.search(value) is not None:
        value = _UNWANTED.sub(" ", value)
    if "  " in value:
        value = _SPACES.sub(" ", value)
    return value[:limit].strip()


@lru_cache(maxsize=8192)  # each address is looked at three times on its way into a message
def is_addr_spec(value: str) -> bool:
    """Tell whether `value` is a plain ASCII addr-spec that needs no quoting anywhere. Cheap: no look-up."""
    return (
        len(value) <= _MAX_ADDR_SPEC and _ADDR_SPEC.fullmatch(value) is not None and value.index("@") <= _MAX_LOCAL_PART
    )


@lru_cache(maxsize=8192)  # the validator costs 81 us, and the same people are written to again and again
def parse_address(value: str) -> str:
    """Return the ASCII addr-spec of `value`, its domain in lower case and as A-labels.

    Raises:
        InvalidAddressError: if it is not one address, or could only be written with SMTPUTF8 (RFC 6531), which most
            relays and Resend refuse.
    """
    if _UNWANTED.search(value) is not None:
        raise InvalidAddressError("it contains a control character")
    try:
        ascii_email = validate_email(value, check_deliverability=False, strict=True).ascii_email
    except EmailNotValidError:
        # The library's message quotes the address, so it is not passed on, and neither is the cause.
        raise InvalidAddressError("it does not follow the rules of RFC 5321") from None
    if ascii_email is None:
        raise InvalidAddressError("its local part is not ASCII")
    return ascii_email


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address.

    The name is cleaned at birth: control, line-break and bidirectional characters become spaces, at most 120 characters
    stay, and a name that holds an at sign is dropped altogether (None), because clients show the name and hide the
    address, and a name that is an address is a forgery or a mistake.

    Raises:
        InvalidAddressError: if `addr_spec` is not a plain ASCII addr-spec, as `parse_address` returns it.
    """

    display_name: str | None
    addr_spec: str

    def __post_init__(self) -> None:
        if not is_addr_spec(self.addr_spec):
            raise InvalidAddressError("not a plain ASCII addr-spec")
        if self.display_name is not None:
            name = clean_line(self.display_name, MAX_DISPLAY_NAME)
            if not name or any(sign in name for sign in _AT_SIGNS):
                object.__setattr__(self, "display_name", None)
            elif name != self.display_name:
                object.__setattr__(self, "display_name", name)

    @property
    def local_part(self) -> str:
        """What is before the at sign, as given."""
        return self.addr_spec.partition("@")[0]

    @property
    def domain(self) -> str:
        """What is after the at sign, in lower case."""
        return self.addr_spec.partition("@")[2].lower()
