"""What a reply means for the mail: one table from (phase, reply code, enhanced code) to an outcome.

Sources: RFC 5321 §4.2 (reply codes), RFC 3463 and its IANA registry (enhanced codes), and the bulk sender rules of
Gmail (5.7.26), Microsoft (5.7.515, 5.7.60) and Yahoo (5.7.9), which refuse a sender domain rather than a mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from providers.receipt import SENDER_REFUSED, Outcome


class Phase(StrEnum):
    """How far a transaction got. Up to DATA nothing was delivered; from DOT until its reply, it may have been."""

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
    DOT = "dot"
    """The content is being written, or was, and its reply is awaited."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer. A code of -1 is an answer that could not be read."""

    code: int
    text: str

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of a reply. `error` is a constant name, None when the mail was accepted."""

    outcome: Outcome
    error: str | None = None
    recipient_refused: bool = False


ACCEPTED: Final = Verdict(Outcome.ACCEPTED)

_POSITIVE: Final = range(200, 300)
_REFUSAL: Final = range(400, 600)
_BEFORE_MAIL: Final = frozenset({Phase.CONNECT, Phase.EHLO, Phase.TLS})
_ENHANCED = re.compile(r"(?:^|(?<=[\s(#]))([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")

_BAD_SENDER: Final = Verdict(Outcome.MISCONFIGURED, SENDER_REFUSED)
_BAD_MAILBOX: Final = Verdict(Outcome.PERMANENT, "recipient_refused", recipient_refused=True)
_BAD_CREDENTIALS: Final = Verdict(Outcome.MISCONFIGURED, "auth_refused")
_TOO_LARGE: Final = Verdict(Outcome.PERMANENT, "too_large")
_GREYLISTED: Final = Verdict(Outcome.TEMPORARY, "greylisted")
_TOO_LARGE_CODE: Final = 552

_BY_CODE: Final[Mapping[int, Verdict]] = {
    421: Verdict(Outcome.NOT_SENT, "service_closing"),
    **dict.fromkeys((530, 534, 535, 538), _BAD_CREDENTIALS),  # RFC 4954 §6
}

_ANYWHERE: Final[Mapping[str, Verdict]] = {
    "5.7.8": _BAD_CREDENTIALS,
    "5.7.26": _BAD_SENDER,
    "5.7.515": _BAD_SENDER,
    "5.7.9": _BAD_SENDER,
    "5.7.60": _BAD_SENDER,
    "5.3.4": _TOO_LARGE,
    "5.2.3": _TOO_LARGE,
    "4.5.3": Verdict(Outcome.TEMPORARY, "too_many_recipients"),
    "4.7.1": _GREYLISTED,
    "4.2.2": Verdict(Outcome.TEMPORARY, "mailbox_full"),
    "5.2.2": Verdict(Outcome.PERMANENT, "mailbox_full"),
}
_AT_MAIL: Final[Mapping[str, Verdict]] = {"5.7.1": _BAD_SENDER, "5.1.7": _BAD_SENDER, "5.1.8": _BAD_SENDER}
# From RCPT on. A transaction of ours has one recipient, so a server that says so only after the content means it too.
_ABOUT_THE_MAILBOX: Final[Mapping[str, Verdict]] = dict.fromkeys(
    ("5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1"), _BAD_MAILBOX
)


def classify(phase: Phase, reply: Reply) -> Verdict:
    """Return what a reply means. Where the two codes disagree about the class, the enhanced one is believed."""
    if phase in _BEFORE_MAIL:
        return Verdict(Outcome.NOT_SENT, f"{phase}_refused")
    if phase is Phase.DOT and reply.is_positive:
        return ACCEPTED
    if not reply.is_refusal:
        return Verdict(Outcome.UNKNOWN if phase is Phase.DOT else Outcome.NOT_SENT, "malformed_reply")
    enhanced = reply.enhanced_status_code
    permanent = (enhanced or str(reply.code)).startswith("5")
    if phase is Phase.AUTH:
        return _BAD_CREDENTIALS if permanent else Verdict(Outcome.NOT_SENT, "auth_unavailable")
    exact = _BY_CODE.get(reply.code) or _exact(phase, enhanced)
    if exact is not None:
        return exact
    return _permanent(reply.code, enhanced) if permanent else _temporary(enhanced)


def _exact(phase: Phase, enhanced: str | None) -> Verdict | None:
    if enhanced is None:
        return None
    by_phase = _AT_MAIL if phase is Phase.MAIL else _ABOUT_THE_MAILBOX
    return by_phase.get(enhanced) or _ANYWHERE.get(enhanced)


def _permanent(reply_code: int, enhanced: str | None) -> Verdict:
    if reply_code == _TOO_LARGE_CODE and enhanced is None:
        return _TOO_LARGE
    return Verdict(Outcome.PERMANENT, "policy" if enhanced is not None and enhanced.startswith("5.7.") else "refused")


def _temporary(enhanced: str | None) -> Verdict:
    if enhanced is not None and enhanced.startswith(("4.3.", "4.4.")):
        return Verdict(Outcome.NOT_SENT, "relay_unavailable")
    return Verdict(Outcome.TEMPORARY, "deferred")
