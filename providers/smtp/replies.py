"""A relay's reply, and what it means: from (phase, enhanced code, reply code, words) to a verdict, in this order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from providers.receipt import Outcome
from providers.smtp import meanings
from providers.smtp.meanings import Verdict


class Phase(StrEnum):
    """How far a transaction got. Up to CONTENT nothing was delivered; from DOT until its reply, it may have been."""

    CONNECT = "connect"
    """TCP, implicit TLS, the greeting."""
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    BEGIN = "begin"
    """The recipient is accepted; the caller is asked to mark the attempt."""
    DATA = "data"
    CONTENT = "content"
    """Content is being written, its last piece is still here: the relay cannot have taken it."""
    DOT = "dot"
    """The last piece with the final dot is being written, or was, and its reply is awaited."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer; of several lines, the last one's code. A code of -1 is an answer that could not be read."""

    code: int
    text: str

    @classmethod
    def of(cls, code: int, text: str) -> Reply:
        """Return the reply for what came off the wire: its text cut, and made fit to be stored and shown.

        Whatever octets a server sends, what comes out can be written as UTF-8 and holds no control character but the
        line ends between the lines of a reply.
        """
        if text.isascii() and text.isprintable() and len(text) <= _LONGEST_TEXT:
            return cls(code, text)
        octets = text[:_LONGEST_TEXT].encode("utf-8", "surrogateescape")
        return cls(code, _CONTROLS.sub("\ufffd", octets.decode("utf-8", "replace")))

    @property
    def is_positive(self) -> bool:
        """Done: 2yz."""
        return self.code in _POSITIVE

    @property
    def is_refusal(self) -> bool:
        """Not done, for now (4yz) or for good (5yz)."""
        return self.code in _REFUSAL

    @property
    def enhanced_status_code(self) -> str | None:
        """The enhanced code (RFC 3463) in the text, the first if there are several."""
        found = _ENHANCED.search(self.text)
        return None if found is None else found[0]

    @property
    def enhanced_refusal(self) -> str | None:
        """The enhanced code, unless it claims success, which the reply code of a refusal denies."""
        enhanced = self.enhanced_status_code
        return None if enhanced is None or enhanced.startswith("2") else enhanced

    @property
    def is_permanent(self) -> bool:
        """Whether a refusal is for good. Where the two codes disagree, the enhanced one is believed."""
        return (self.enhanced_refusal or str(self.code)).startswith("5")


_LONGEST_TEXT: Final = 1000
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_ENHANCED = re.compile(r"(?:^|(?<=[\s(#]))([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")

_POSITIVE: Final = range(200, 300)
_REFUSAL: Final = range(400, 600)
_BEFORE_MAIL: Final = frozenset({Phase.CONNECT, Phase.EHLO, Phase.TLS})
_RATE_SUBJECTS: Final = ("4.0.", "4.3.", "4.4.", "4.7.")  # not an address, a mailbox, a mail or the protocol
_INSUFFICIENT_STORAGE: Final = 452
_EXCEEDED_STORAGE: Final = 552
_SYNTAX: Final = frozenset({501, 555})


def classify(phase: Phase, reply: Reply) -> Verdict:
    """Return what a reply means for the mail."""
    if phase is Phase.DOT and reply.is_positive:
        return meanings.ACCEPTED
    if not reply.is_refusal and phase not in _BEFORE_MAIL:
        return Verdict(Outcome.UNKNOWN if phase is Phase.DOT else Outcome.NOT_SENT, "malformed_reply")
    if phase in _BEFORE_MAIL:
        # Before a mail is spoken of, no mail is to blame, whatever the codes say.
        return meanings.THROTTLED if _is_about_rate(reply) else Verdict(Outcome.NOT_SENT, f"{phase}_refused")
    if phase is Phase.AUTH:
        return _of_login(reply)
    return _exact(phase, reply.enhanced_refusal) or _by_code(reply) or _by_class(phase, reply)


def _of_login(reply: Reply) -> Verdict:
    if reply.is_permanent:
        return meanings.AUTH_REFUSED
    return meanings.THROTTLED if _is_about_rate(reply) else meanings.AUTH_UNAVAILABLE


def _exact(phase: Phase, enhanced: str | None) -> Verdict | None:
    if enhanced is None or enhanced in meanings.VAGUE:
        return None
    if enhanced in meanings.EXACT_SENDER:
        return meanings.SENDER
    about_the_mailbox = None if phase is Phase.MAIL else meanings.ABOUT_THE_MAILBOX.get(enhanced)
    return about_the_mailbox or meanings.EXACT.get(enhanced)


def _by_code(reply: Reply) -> Verdict | None:
    return meanings.THROTTLED if _is_about_rate(reply) else meanings.BY_CODE.get(reply.code)


def _is_about_rate(reply: Reply) -> bool:
    """Tell whether a refusal is about how much we send. Only a temporary one: a mail can hold "too many links"."""
    enhanced = reply.enhanced_refusal
    if enhanced is not None and meanings.EXACT.get(enhanced) is meanings.THROTTLED:
        return True
    is_open = enhanced is None or enhanced.startswith(_RATE_SUBJECTS)
    return reply.is_refusal and not reply.is_permanent and is_open and meanings.speaks_of_rate(reply.text)


def _by_class(phase: Phase, reply: Reply) -> Verdict:
    enhanced = reply.enhanced_refusal
    in_words = meanings.refusal_in_words(reply.text) if enhanced is None or enhanced[1:].startswith(".7.") else None
    if in_words is not None:
        return in_words
    return _permanent(phase, reply.code, enhanced) if reply.is_permanent else _temporary(phase, reply.code, enhanced)


def _permanent(phase: Phase, code: int, enhanced: str | None) -> Verdict:
    if phase is Phase.MAIL and code in _SYNTAX and (enhanced or "5.5.").startswith("5.5."):
        return meanings.PROTOCOL_ERROR  # it does not like our parameters
    if enhanced is not None:
        if phase is Phase.MAIL and enhanced in meanings.ABOUT_THE_SENDER:
            return meanings.SENDER
        return meanings.POLICY if enhanced.startswith("5.7.") else meanings.REFUSED
    if code == _EXCEEDED_STORAGE:
        return meanings.MAILBOX_FULL if phase is Phase.RCPT else meanings.TOO_LARGE
    return meanings.SENDER if phase is Phase.MAIL else meanings.REFUSED


def _temporary(phase: Phase, code: int, enhanced: str | None) -> Verdict:
    if enhanced is not None:
        if enhanced.startswith(("4.3.", "4.4.")):
            return meanings.RELAY_UNAVAILABLE
        return meanings.EXACT.get(enhanced, meanings.DEFERRED)
    if code == _INSUFFICIENT_STORAGE:
        # RFC 5321 §4.5.3.1.10: at RCPT it says that there are too many of them.
        return meanings.TOO_MANY_RECIPIENTS if phase is Phase.RCPT else meanings.RELAY_UNAVAILABLE
    return meanings.DEFERRED
