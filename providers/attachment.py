"""A file carried by value: what may be attached, and its base64, made once for all who get the same file."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from providers.attachment_types import agreed_type
from providers.errors import InvalidMessageError

MAX_FILENAME: Final = 120
"""Characters of an attachment's file name."""

_UNSAFE_FILENAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff/\\\\]")
_CONTENT_TYPE = re.compile(
    r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}"
    r"(?:; ?(?:charset|method)=[A-Za-z0-9_.-]{1,32}){0,2}"
)
_CID = re.compile(r"[A-Za-z0-9._-]{1,64}(?:@[A-Za-z0-9.-]{1,64})?")
_LINE: Final = 76  # RFC 2045 §6.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file carried by value. `cid` (RFC 2392, without angle brackets) makes it an inline image.

    `content_type` is lower case `type/subtype`, at most with a charset or a calendar method; multipart and message
    types are refused because they may not be written in base64 (RFC 2045 §6.4). It has to agree with the extension of
    `filename` (attachment_types), whose own type it becomes where it is another word for it, or says nothing.

    What may be attached at all is the AttachmentPolicy's to decide, which makes these of what events bring.

    Raises:
        InvalidMessageError: when a field could not be sent unchanged by every provider.
    """

    filename: str
    content: bytes
    content_type: str
    cid: str | None = None
    sha256: bytes = field(init=False, repr=False, compare=False)
    """The hash of the content, taken once: megabytes are not hashed for each of a hundred recipients."""

    def __post_init__(self) -> None:
        name = self.filename
        if not 0 < len(name) <= MAX_FILENAME or name in {".", ".."} or name != name.strip():
            raise InvalidMessageError("attachments", f"file name is empty, padded or over {MAX_FILENAME} characters")
        if _UNSAFE_FILENAME.search(name) is not None:
            raise InvalidMessageError("attachments", "file name holds a path separator or a control character")
        if _CONTENT_TYPE.fullmatch(self.content_type) is None:
            raise InvalidMessageError("attachments", "content type is not type/subtype, or not a leaf type")
        agreed = agreed_type(name, self.content_type)
        if agreed != self.content_type:
            object.__setattr__(self, "content_type", agreed)
        object.__setattr__(self, "sha256", hashlib.sha256(self.content).digest())
        if self.cid is not None and _CID.fullmatch(self.cid) is None:
            raise InvalidMessageError("attachments", "cid holds a character that needs quoting")


class Base64Cache:
    """Keeps the base64 of recently used contents by hash, bounded by bytes: one file for a hundred people.

    `encodings` counts how often a content was encoded, rather than found.
    """

    def __init__(self, max_bytes: int) -> None:
        self.encodings = 0
        self._max_bytes = max_bytes
        self._held = 0
        self._encoded: OrderedDict[bytes, bytes] = OrderedDict()

    def lines(self, attachment: Attachment) -> bytes:
        """Return the content as base64 in CRLF-terminated lines of 76 characters."""
        key = attachment.sha256
        encoded = self._encoded.get(key)
        if encoded is not None:
            self._encoded.move_to_end(key)
            return encoded
        encoded = base64_lines(attachment.content)
        self.encodings += 1
        if len(encoded) <= self._max_bytes:
            self._encoded[key] = encoded
            self._held += len(encoded)
            while self._held > self._max_bytes:
                self._held -= len(self._encoded.popitem(last=False)[1])
        return encoded


def base64_lines(content: bytes) -> bytes:
    """Return base64 in CRLF-terminated lines of 76 characters (RFC 2045 §6.8); empty for empty content."""
    whole = binascii.b2a_base64(content, newline=False)
    return b"".join(whole[start : start + _LINE] + b"\r\n" for start in range(0, len(whole), _LINE))


ENCODED = Base64Cache(max_bytes=32 * 1024 * 1024)
"""The process's cache: both the MIME form and the API form take their base64 from here."""
