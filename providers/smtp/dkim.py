"""Our own DKIM signature (RFC 6376), for relays that do not sign: relaxed/relaxed, RSA-SHA256."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import dkim
from dkim.asn1 import ASN1FormatError
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import (
    HASH_ALGORITHMS,
    UnparsableKeyError,
    parse_pem_private_key,
)

from providers.errors import InvalidConfigError
from providers.smtp.config import DKIM_KEY_FILE, DkimConfig

SIGNED: Final = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "in-reply-to",
    "references",
    "list-id",
    "list-unsubscribe",  # RFC 8058 §4: both must be signed, and be named in h=
    "list-unsubscribe-post",
    "feedback-id",
    "x-outbound-id",
)
"""The fields that are signed where they are there."""
OVERSIGNED: Final = frozenset({"from", "to", "cc", "subject", "reply-to"})
"""Named once more than they are there, so that none can be added (RFC 6376 §8.15)."""

_ALGORITHM: Final = b"rsa-sha256"
_LEAST_KEY_BITS: Final = 1024  # RFC 8301 §3.2
_LARGEST_KEY_FILE: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"


class DkimSigner:
    """Signs for one domain with one key. A pure function of content and date: a repeat is the same to the last byte."""

    def __init__(self, domain: str, selector: str, key: Mapping[str, int]) -> None:
        self._domain = domain
        self._selector = selector
        self._key = key

    @classmethod
    def from_config(cls, config: DkimConfig) -> Self:
        """Return a signer, its key read and parsed once.

        Raises:
            InvalidConfigError: if the file cannot be read or holds no usable key. It names the variable, no content.
        """
        return cls(config.domain, config.selector, _read_key(config.key_file))

    def is_for(self, from_domain: str) -> bool:
        """Tell whether a signature of ours is aligned with this From domain: d= itself, or below it."""
        return from_domain == self._domain or from_domain.endswith(f".{self._domain}")

    def signed(self, content: bytes, date: datetime) -> bytes:
        """Return serialized content with its signature on top. Takes some 6 ms, so never on the event loop.

        `date` becomes t=: the message's own, not the clock's, and so the same at every attempt.
        """
        head, _, body = content.partition(_HEAD_END)
        # Not dkim.sign: it takes t= from the clock and parses the key anew for each mail. `gen_header` is what it uses
        # to write the field and its signature. It gets the head alone, so that a large body is not split into lines.
        message = dkim.DKIM(head + _HEAD_END, signature_algorithm=_ALGORITHM)
        message.hasher = HASH_ALGORITHMS[_ALGORITHM]
        policy = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
        names = _names([name.lower().decode("ascii") for name, _ in message.headers])
        fields = [
            (b"v", b"1"),
            (b"a", _ALGORITHM),
            (b"c", policy.to_c_value()),
            (b"d", self._domain.encode("ascii")),
            (b"s", self._selector.encode("ascii")),
            (b"t", b"%d" % int(date.timestamp())),
            (b"h", b" : ".join(names)),
            (b"bh", base64.b64encode(hashlib.sha256(policy.canonicalize_body(body)).digest())),
            (b"b", b"0" * 60),  # gen_header's: the value is folded to a line of its own before it is known
        ]
        value: bytes = message.gen_header(fields, names, policy, b"DKIM-Signature", self._key)
        return b"DKIM-Signature: " + value + content


def _names(present: list[str]) -> list[bytes]:
    """Return the names for h=: each field as often as it is there, and once more where none may be added."""
    return [
        name.encode("ascii") for name in SIGNED for _ in range(present.count(name) + (1 if name in OVERSIGNED else 0))
    ]


def _read_key(path: Path) -> Mapping[str, int]:
    # `from None` throughout: neither the path nor a byte of the file belongs in a traceback.
    try:
        with path.open("rb") as file:
            pem = file.read(_LARGEST_KEY_FILE)
    except OSError:
        raise InvalidConfigError(DKIM_KEY_FILE, "names a file that cannot be read") from None
    try:
        key: Mapping[str, int] = parse_pem_private_key(pem.replace(b"\r\n", b"\n"))
    except (UnparsableKeyError, ASN1FormatError, ValueError, IndexError, TypeError):
        raise InvalidConfigError(DKIM_KEY_FILE, "holds no unencrypted RSA private key in PEM") from None
    if key["modulus"].bit_length() < _LEAST_KEY_BITS or key["prime1"] * key["prime2"] != key["modulus"]:
        raise InvalidConfigError(DKIM_KEY_FILE, f"holds no sound RSA key of at least {_LEAST_KEY_BITS} bits")
    return key
