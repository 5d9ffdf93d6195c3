"""What an extension says a file is, and whether a content type agrees: Resend drops a mail where the two differ.

The table is our own, because the standard library's depends on the interpreter's version and knows no .docx or .ics
here, and a body that is repeated under one key must be the same to the last byte.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from providers.errors import InvalidMessageError

ANY_TYPE: Final = "application/octet-stream"
"""Says nothing about a file: the extension decides."""

_OOXML: Final = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument"

# Extensions that differ in nothing but the type's subtype.
_FAMILIES: Final = {
    "image": {"avif": "avif", "bmp": "bmp", "gif": "gif", "heic": "heic", "ico": "vnd.microsoft.icon", "jpeg": "jpeg",
              "jpg": "jpeg", "png": "png", "svg": "svg+xml", "tif": "tiff", "tiff": "tiff", "webp": "webp"},
    "text": {"calendar": "calendar", "css": "css", "csv": "csv", "htm": "html", "html": "html", "ics": "calendar",
             "ifb": "calendar", "js": "javascript", "log": "plain", "markdown": "markdown", "md": "markdown",
             "mjs": "javascript", "text": "plain", "tsv": "tab-separated-values", "txt": "plain", "vcf": "vcard",
             "vcs": "calendar", "vtt": "vtt", "xml": "xml"},
    "audio": {"aac": "aac", "flac": "flac", "m4a": "mp4", "mid": "midi", "mp3": "mpeg", "oga": "ogg", "ogg": "ogg",
              "opus": "ogg", "wav": "wav", "weba": "webm"},
    "video": {"avi": "x-msvideo", "m4v": "mp4", "mov": "quicktime", "mp4": "mp4", "mpeg": "mpeg", "mpg": "mpeg",
              "ogv": "ogg", "webm": "webm"},
    "font": {"otf": "otf", "ttf": "ttf", "woff": "woff", "woff2": "woff2"},
    "message": {"eml": "rfc822"},
    "application": {"7z": "x-7z-compressed", "ai": "postscript", "asc": "pgp-signature", "bz2": "x-bzip2",
                    "doc": "msword", "dot": "msword", "epub": "epub+zip", "eps": "postscript",
                    "gpx": "gpx+xml", "gz": "gzip", "json": "json", "msg": "vnd.ms-outlook",
                    "p7m": "pkcs7-mime", "p7s": "pkcs7-signature",
                    "pdf": "pdf", "pkpass": "vnd.apple.pkpass", "pot": "vnd.ms-powerpoint",
                    "pps": "vnd.ms-powerpoint", "ppt": "vnd.ms-powerpoint", "ps": "postscript", "rar": "vnd.rar",
                    "rtf": "rtf", "sql": "sql", "tar": "x-tar", "tgz": "gzip", "xls": "vnd.ms-excel",
                    "xlt": "vnd.ms-excel", "xz": "x-xz", "yaml": "yaml", "yml": "yaml", "zip": "zip"},
    _OOXML: {"docx": "wordprocessingml.document", "dotx": "wordprocessingml.template",
             "potx": "presentationml.template", "ppsx": "presentationml.slideshow",
             "pptx": "presentationml.presentation", "xlsx": "spreadsheetml.sheet", "xltx": "spreadsheetml.template"},
    _OPEN_DOCUMENT: {"odg": "graphics", "odp": "presentation", "ods": "spreadsheet", "odt": "text"},
}  # fmt: skip

# Other names of a type that programs write (old, private, or of the program that opens the file).
_ALSO: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "application/gzip": frozenset({"application/x-gzip", "application/x-compressed-tar", "application/x-tar"}),
        "application/json": frozenset({"text/json", "text/plain"}),
        "application/msword": frozenset({"application/doc", "application/vnd.ms-word"}),
        "application/pdf": frozenset({"application/x-pdf"}),
        "application/pkcs7-mime": frozenset({"application/x-pkcs7-mime"}),
        "application/pkcs7-signature": frozenset({"application/x-pkcs7-signature"}),
        "application/rtf": frozenset({"text/rtf"}),
        "application/sql": frozenset({"text/plain", "text/x-sql"}),
        "application/vnd.ms-excel": frozenset({"application/excel", "application/x-excel"}),
        "application/vnd.ms-powerpoint": frozenset({"application/powerpoint"}),
        "application/vnd.rar": frozenset({"application/x-rar-compressed", "application/x-rar"}),
        "application/x-bzip2": frozenset({"application/x-bzip"}),
        "application/yaml": frozenset({"application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"}),
        "application/zip": frozenset({"application/x-zip-compressed", "application/x-zip"}),
        "audio/mp4": frozenset({"audio/x-m4a"}),
        "audio/mpeg": frozenset({"audio/mp3"}),
        "audio/wav": frozenset({"audio/x-wav", "audio/wave", "audio/vnd.wave"}),
        "image/bmp": frozenset({"image/x-ms-bmp", "image/x-bmp"}),
        "image/jpeg": frozenset({"image/jpg", "image/pjpeg"}),
        "image/png": frozenset({"image/x-png"}),
        "image/vnd.microsoft.icon": frozenset({"image/x-icon"}),
        "text/calendar": frozenset({"application/ics", "text/plain"}),
        # Browsers on Windows take the type of the program that opens the file.
        "text/csv": frozenset({"application/vnd.ms-excel", "application/csv", "text/x-csv", "text/plain"}),
        "text/html": frozenset({"application/xhtml+xml"}),
        "text/javascript": frozenset({"application/javascript", "application/x-javascript", "text/plain"}),
        "text/markdown": frozenset({"text/x-markdown", "text/plain"}),
        "text/tab-separated-values": frozenset({"text/plain"}),
        "text/vcard": frozenset({"text/x-vcard", "text/directory"}),
        "text/xml": frozenset({"application/xml", "text/plain"}),
    }
)


def _by_extension() -> dict[str, str]:
    found: dict[str, str] = {}
    for family, subtypes in _FAMILIES.items():
        separator = "." if "." in family else "/"
        found |= {extension: f"{family}{separator}{subtype}" for extension, subtype in subtypes.items()}
    return found


TYPE_OF: Final[Mapping[str, str]] = MappingProxyType(_by_extension())
"""Content type by extension, without its dot and in lower case."""


def extension_of(filename: str) -> str:
    """Return the extension as the system that opens the file sees it: lower case, no dot; "" if there is none.

    Trailing dots and spaces do not count (Windows drops them), and full-width letters and dots are letters and dots.
    """
    plain = unicodedata.normalize("NFKC", filename).rstrip(" .").casefold()
    _, dot, extension = plain.rpartition(".")
    return extension.strip() if dot else ""


@lru_cache(maxsize=1024)
def agreed_type(filename: str, content_type: str) -> str:
    """Return the one content type that both stand for: the extension's where it is known, with the parameters given.

    Raises:
        InvalidMessageError: when the extension is known and says something else.
    """
    expected = TYPE_OF.get(extension_of(filename))
    base, semicolon, parameters = content_type.partition(";")
    if expected is None or base == expected:
        return content_type
    if base == ANY_TYPE:
        return expected
    if base in _ALSO.get(expected, frozenset()):
        return f"{expected}{semicolon}{parameters}"
    raise InvalidMessageError("attachments", "file name's extension and content type do not agree")
