"""What may be attached: how large, how many, which kinds of file, and from where."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from providers.attachment import MAX_FILENAME, Attachment
from providers.attachment_executables import REFUSED_TYPES, is_executable_content, is_refused_extension
from providers.attachment_root import read_below
from providers.attachment_types import ANY_TYPE, TYPE_OF, agreed_type, extension_of
from providers.errors import InvalidMessageError

_MIB: Final = 1024 * 1024
_SEPARATOR = re.compile(r"[/\\]")
_RESERVED = re.compile(r'[<>:"|?*]')  # Windows cannot write them, and `a.exe::$DATA` is another name of a.exe there
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs"})  # controls, marks of direction and joining, lone surrogates
_LONGEST_EXTENSION: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentPolicy:
    """The rules for the files of a mail; everything that makes an Attachment of somebody's data goes through them.

    Many mail servers take 10 MB and no more, encoded, hence the defaults; a message has its own upper bound besides.
    `allow_extensions` are those of the refused kinds (attachment_executables) that are wanted all the same, `root` is
    the one folder that files may be read from; without it none are. All refusals are InvalidMessageError("attachments",
    reason), and no reason holds a name, a path or content.
    """

    max_file_bytes: int = 7 * _MIB
    max_total_bytes: int = 10 * _MIB
    max_count: int = 20
    allow_extensions: frozenset[str] = field(default_factory=frozenset[str])
    root: Path | None = None

    def __post_init__(self) -> None:
        plain = frozenset(extension.strip().lstrip(".").lower() for extension in self.allow_extensions)
        object.__setattr__(self, "allow_extensions", plain)

    def from_bytes(
        self, filename: str, content: bytes, content_type: str | None = None, cid: str | None = None
    ) -> Attachment:
        """Return an attachment of content that is at hand; its name is cleaned, its type the extension's.

        Raises:
            InvalidMessageError: if it is too large, runs when it is opened, or its extension and content type differ.
        """
        if len(content) > self.max_file_bytes:
            raise InvalidMessageError("attachments", f"hold a file of over {self.max_file_bytes} bytes")
        name = clean_filename(filename)
        extension = extension_of(name)
        if content_type is None:
            agreed = TYPE_OF.get(extension, ANY_TYPE)
        else:
            base, semicolon, parameters = content_type.partition(";")
            agreed = agreed_type(name, f"{base.strip().lower()}{semicolon}{parameters}")
        if extension not in self.allow_extensions:
            _refuse_executable(extension, agreed.partition(";")[0], content)
        return Attachment(filename=name, content=content, content_type=agreed, cid=cid)

    def read(self, path: str) -> bytes:
        """Return the content of the file at `path`, relative to `root` or absolute below it. Blocks: use a thread.

        Raises:
            InvalidMessageError: if it is a URL, too large, or not a regular file below `root`.
        """
        return read_below(self.root, path, self.max_file_bytes)

    def check(self, attachments: Iterable[Attachment]) -> None:
        """Look at all files of a mail together.

        Raises:
            InvalidMessageError: if there are too many, one is too large, or all of them are, or two have one cid.
        """
        files = list(attachments)
        names = [attachment.cid for attachment in files if attachment.cid is not None]
        if len(names) > len(set(names)):
            raise InvalidMessageError("attachments", "have one cid twice")
        sizes = [len(attachment.content) for attachment in files]
        if len(sizes) > self.max_count:
            raise InvalidMessageError("attachments", f"are more than {self.max_count}")
        if any(size > self.max_file_bytes for size in sizes):
            raise InvalidMessageError("attachments", f"hold a file of over {self.max_file_bytes} bytes")
        if sum(sizes) > self.max_total_bytes:
            raise InvalidMessageError("attachments", f"are over {self.max_total_bytes} bytes together")


def clean_filename(name: str) -> str:
    """Return the last part of a path of either system as a name that every system can write, its extension kept.

    Controls, bidirectional and other invisible characters go, any white space becomes one space, what Windows reserves
    becomes an underscore, dots and spaces at the end go, and at most 120 characters stay.

    Raises:
        InvalidMessageError: if nothing is left.
    """
    last = _SEPARATOR.split(name)[-1]
    visible = "".join(letter for letter in last if letter.isspace() or unicodedata.category(letter) not in _INVISIBLE)
    plain = _RESERVED.sub("_", " ".join(unicodedata.normalize("NFC", visible).split())).rstrip(" .")
    if len(plain) > MAX_FILENAME:
        stem, dot, extension = plain.rpartition(".")
        if not dot or len(extension) > _LONGEST_EXTENSION:
            stem, dot, extension = plain, "", ""
        plain = f"{stem[: MAX_FILENAME - len(extension) - len(dot)]}{dot}{extension}".rstrip(" .")
    if not plain:
        raise InvalidMessageError("attachments", "file name is empty")
    return plain


def _refuse_executable(extension: str, base_type: str, content: bytes) -> None:
    if is_refused_extension(extension):
        raise InvalidMessageError("attachments", "hold a kind of file that runs when it is opened")
    if base_type in REFUSED_TYPES:
        raise InvalidMessageError("attachments", "hold a content type that runs when it is opened")
    if is_executable_content(content):
        raise InvalidMessageError("attachments", "hold a program under another name")
