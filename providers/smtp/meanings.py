"""What enhanced codes, reply codes and wordings mean for a mail: the tables that `classify` looks into.

Sources: RFC 5321 §4.2 (reply codes), RFC 3463 and IANA's registry of enhanced codes, RFC 4954 §6 (AUTH), and what the
large ones publish: Google "SMTP errors and codes", Microsoft "NDR error codes", Yahoo "SMTP error codes", Amazon SES
"SMTP response codes", and the texts in Postfix's and Exim's source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from providers.receipt import QUOTA, SENDER_REFUSED, Outcome

_THROTTLE_PAUSE: Final = timedelta(seconds=60)
"""A relay does not say how long; its windows are a minute (Postfix's anvil) or more."""
_GREYLIST_PAUSE: Final = timedelta(minutes=5)
"""What most greylists ask for; an earlier repeat is refused again, and costs a try."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of a reply. `error` is a constant name, None when the mail was accepted."""

    outcome: Outcome
    error: str | None = None
    recipient_refused: bool = False
    retry_after: timedelta | None = None


ACCEPTED: Final = Verdict(Outcome.ACCEPTED)
AUTH_REFUSED: Final = Verdict(Outcome.MISCONFIGURED, "auth_refused")
AUTH_UNAVAILABLE: Final = Verdict(Outcome.NOT_SENT, "auth_unavailable")
THROTTLED: Final = Verdict(Outcome.THROTTLED, "throttled", retry_after=_THROTTLE_PAUSE)
SENDER: Final = Verdict(Outcome.MISCONFIGURED, SENDER_REFUSED)
RELAY_UNAVAILABLE: Final = Verdict(Outcome.NOT_SENT, "relay_unavailable")
PROTOCOL_ERROR: Final = Verdict(Outcome.NOT_SENT, "protocol_error")
MAILBOX_FULL: Final = Verdict(Outcome.PERMANENT, "mailbox_full")
TOO_LARGE: Final = Verdict(Outcome.PERMANENT, "too_large")
TOO_MANY_RECIPIENTS: Final = Verdict(Outcome.TEMPORARY, "too_many_recipients")
REFUSED: Final = Verdict(Outcome.PERMANENT, "refused")
POLICY: Final = Verdict(Outcome.PERMANENT, "policy")
DEFERRED: Final = Verdict(Outcome.TEMPORARY, "deferred")

_MAILBOX: Final = Verdict(Outcome.PERMANENT, "recipient_refused", recipient_refused=True)
_RELAY_DENIED: Final = Verdict(Outcome.MISCONFIGURED, "relay_denied")
_ACCOUNT_REFUSED: Final = Verdict(Outcome.MISCONFIGURED, "account_refused")
_CLIENT_REFUSED: Final = Verdict(Outcome.NOT_SENT, "client_refused")

EXACT: Final[Mapping[str, Verdict]] = {
    "4.7.1": Verdict(Outcome.TEMPORARY, "greylisted", retry_after=_GREYLIST_PAUSE),
    "4.2.2": Verdict(Outcome.TEMPORARY, "mailbox_full"),
    "5.2.2": MAILBOX_FULL,
    "5.2.3": TOO_LARGE,
    "5.3.4": TOO_LARGE,
    "4.5.3": TOO_MANY_RECIPIENTS,
    **dict.fromkeys(("5.3.1", "5.3.2", "5.3.3", "5.3.5"), RELAY_UNAVAILABLE),
    **dict.fromkeys(("5.7.8", "5.7.57"), AUTH_REFUSED),
    **dict.fromkeys(("5.7.54", "5.7.64"), _RELAY_DENIED),
    **dict.fromkeys(("5.7.705", "5.7.708"), _ACCOUNT_REFUSED),
    **dict.fromkeys(("5.1.7", "5.1.8", "5.2.252"), SENDER),
    **dict.fromkeys(("4.7.28", "5.7.28", "4.7.500", "4.7.650", "4.7.651", "4.7.652"), THROTTLED),
    "5.4.5": Verdict(Outcome.NOT_SENT, QUOTA),  # Gmail: "Daily user sending limit exceeded"
}
"""Codes that mean one thing wherever they come."""
VAGUE: Final = frozenset({"4.7.1"})
"""In EXACT, but shared by greylists, limits and relays that do not know us: code and words are looked at first."""

_SENDER_POLICY: Final = ("7.9", "7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.27", "7.30", "7.32", "7.40")
EXACT_SENDER: Final = frozenset(
    {f"{class_}.{detail}" for class_ in "45" for detail in _SENDER_POLICY} | {"5.7.60", "5.7.515"}
)
"""The sender's domain does not prove itself (SPF, DKIM, DMARC, alignment) or may not be used by this account. The
bulk sender rules say it with 4yz first and 5yz later; time alone cures neither."""

ABOUT_THE_SENDER: Final = frozenset({"5.7.0", "5.7.1", "5.1.0", "5.1.1", "5.1.2", "5.1.3"})
"""At MAIL the sender's is the only address the relay knows yet."""
ABOUT_THE_MAILBOX: Final[Mapping[str, Verdict]] = dict.fromkeys(
    ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"), _MAILBOX
)
"""From RCPT on. A transaction of ours has one recipient, so a relay that says so only after the content means it too.
Only these put an address on the suppression list: a bare 550, 551 or 553 at RCPT ends the mail but may be about policy,
so the next mail to that person is tried again."""

BY_CODE: Final[Mapping[int, Verdict]] = {
    421: Verdict(Outcome.NOT_SENT, "service_closing"),
    **dict.fromkeys((530, 534, 535, 538), AUTH_REFUSED),
    # The relay and we do not understand each other; the mail is not to blame.
    **dict.fromkeys((500, 502, 503, 504), PROTOCOL_ERROR),
}

# Words are looked at only where codes leave the meaning open, and never make an address suppressed.
_RATE: Final = re.compile(
    r"(?i)\btoo (?:many|much|fast)\b(?! (?:errors|recipients\b(?! from)))|\brate\b|\bthrottl|\bslow down\b|\bvolume\b"
)
_REFUSALS: Final[tuple[tuple[re.Pattern[str], Verdict], ...]] = (
    (re.compile(r"(?is)\bclient host\b.{0,300}\b(?:blocked|rejected|denied)\b"), _CLIENT_REFUSED),
    (re.compile(r"(?i)\brelay(?:ing)?\b.{0,40}\b(?:denied|prohibited|not (?:permitted|allowed))\b"), _RELAY_DENIED),
    (re.compile(r"(?i)\bunable to relay\b"), _RELAY_DENIED),
    # Amazon SES; SendGrid
    (re.compile(r"(?i)\baddress is not verified\b|\bverified sender identity\b"), SENDER),
)


def speaks_of_rate(text: str) -> bool:
    """Tell whether the words of a temporary refusal are about how much or how fast we send."""
    return _RATE.search(text) is not None


def refusal_in_words(text: str) -> Verdict | None:
    """Return what a refusal's words say about us rather than about the mail, or None."""
    return next((verdict for pattern, verdict in _REFUSALS if pattern.search(text) is not None), None)
