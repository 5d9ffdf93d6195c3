"""The one encoder of header fields: nothing that a person wrote reaches a header by any other way.

Why not the standard library's: with `=?utf-8?q?a=0ABcc=3A_e=40x?=` as a subject, EmailMessage on unpatched interpreters
writes a second header (CVE-2024-6923); folding drops the quotes of a long display name, so that one mailbox becomes two
(gh-80222); and it turns a List-Unsubscribe URL over 77 characters into an encoded word.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from providers.mailbox import Mailbox

_FOLD_AT: Final = 78  # RFC 5322 §2.1.1, without CRLF
_WORD_BYTES: Final = 45  # 60 characters of base64, 72 with `=?utf-8?b?` and `?=`: RFC 2047 §2 allows 75
_LONGEST_PLAIN_WORD: Final = 60
_SEGMENT: Final = 54  # a RFC 2231 continuation `filename*12*=` with it stays below 78

# RFC 5322 atoms and spaces: a phrase that needs no quotes. No dots, which are only obsolete syntax there.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_QUOTED = re.compile(r'(["\\])')
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def fold(name: str, value: str) -> str:
    """Return the header field as lines ending in CRLF, folded only at its spaces; a word is never broken or encoded.

    `value` is printable ASCII without double spaces: what the other functions here return, or an allow-listed value.
    """
    if len(name) + 2 + len(value) <= _FOLD_AT:
        return f"{name}: {value}\r\n"
    lines: list[str] = []
    line = start = f"{name}:"
    for word in value.split(" "):
        # The first word stays beside the name: a field whose first line is blank is obsolete syntax.
        if len(line) + 1 + len(word) > _FOLD_AT and line != start:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def unstructured(text: str) -> str:
    """Return a cleaned line of text (a subject) as header words: itself if it is plain ASCII, else RFC 2047 words."""
    return text if _is_plain(text) else encoded_words(text)


def encoded_words(text: str) -> str:
    """Return `text` as RFC 2047 words in base64, none over 75 characters, none ending inside a character."""
    words: list[str] = []
    chunk = bytearray()
    for character in text:
        octets = character.encode()
        if len(chunk) + len(octets) > _WORD_BYTES:
            words.append(_word(chunk))
            chunk.clear()
        chunk += octets
    words.append(_word(chunk))
    return " ".join(words)


@lru_cache(maxsize=4096)
def mailbox(value: Mailbox) -> str:
    """Return one mailbox for a From, To, Cc or Reply-To field (RFC 5322 §3.4)."""
    name = value.display_name
    if name is None:
        return value.addr_spec
    if not _is_plain(name):
        return f"{encoded_words(name)} <{value.addr_spec}>"
    if _ATOMS.fullmatch(name) is not None:
        return f"{name} <{value.addr_spec}>"
    return f"{quoted_string(name)} <{value.addr_spec}>"


def mailboxes(values: Iterable[Mailbox]) -> str:
    """Return several mailboxes, which fold after their commas."""
    return ", ".join([mailbox(value) for value in values])


def readable_mailbox(value: Mailbox) -> str:
    """Return a mailbox for an API that encodes headers itself: always quoted, letters as they are, no encoded word."""
    if value.display_name is None:
        return value.addr_spec
    return f"{quoted_string(disarmed(value.display_name))} <{value.addr_spec}>"


def disarmed(text: str) -> str:
    """Return `text` with a zero-width space in `=?`, so that no encoder behind an API takes it for an encoded word."""
    return text.replace("=?", "=\u200b?")


def quoted_string(text: str) -> str:
    """Return `text` as a quoted string (RFC 5322 §3.2.4)."""
    return '"' + _QUOTED.sub(r"\\\1", text) + '"'


@lru_cache(maxsize=256)  # whole seconds, and a batch is opened in one
def date(moment: datetime) -> str:
    """Return an aware moment as a Date field's value, in UTC (RFC 5322 §3.3)."""
    utc = moment.astimezone(UTC)
    day, month = _DAYS[utc.weekday()], _MONTHS[utc.month - 1]
    return f"{day}, {utc.day:02d} {month} {utc.year:04d} {utc.hour:02d}:{utc.minute:02d}:{utc.second:02d} +0000"


def with_parameters(name: str, value: str, parameters: Iterable[str]) -> str:
    """Return a Content-* field as lines ending in CRLF, folded only between its parameters.

    A long quoted one stays on its line, up to 998 octets: many readers keep the line break of one that is folded.
    """
    lines: list[str] = []
    line = f"{name}: {value}"
    for parameter in parameters:
        if len(line) + len(parameter) + 3 > _FOLD_AT:
            lines.append(f"{line};")
            line = f" {parameter}"
        else:
            line = f"{line}; {parameter}"
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def parameter(name: str, value: str) -> list[str]:
    """Return `name=value` for a Content-* field: a quoted string, or RFC 2231 segments when that would not do."""
    if value.isascii() and "=?" not in value and "  " not in value:
        return [f"{name}={quoted_string(value)}"]
    segments = [""]
    for character in value:
        encoded = quote(character, safe="")
        if len(segments[-1]) + len(encoded) > _SEGMENT:
            segments.append("")
        segments[-1] += encoded
    if len(segments) == 1:
        return [f"{name}*=utf-8''{segments[0]}"]
    first = f"{name}*0*=utf-8''{segments[0]}"
    return [first, *(f"{name}*{number}*={segment}" for number, segment in enumerate(segments[1:], start=1))]


def _word(octets: bytes | bytearray) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="


def _is_plain(text: str) -> bool:
    if not text.isascii() or "=?" in text:
        return False
    return len(text) <= _LONGEST_PLAIN_WORD or all(len(word) <= _LONGEST_PLAIN_WORD for word in text.split(" "))
