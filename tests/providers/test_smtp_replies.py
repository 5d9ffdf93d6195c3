"""What each answer of a relay means."""

from __future__ import annotations

import pytest

from providers.receipt import Outcome
from providers.smtp.replies import Phase, Reply, classify

ACCEPTED, NOT_SENT, TEMPORARY = Outcome.ACCEPTED, Outcome.NOT_SENT, Outcome.TEMPORARY
PERMANENT, MISCONFIGURED, UNKNOWN = Outcome.PERMANENT, Outcome.MISCONFIGURED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("phase", "answer", "outcome", "error"),
    [
        # before a mail is spoken of, the mail is not to blame
        (Phase.CONNECT, "554 5.7.1 no service for you", NOT_SENT, "connect_refused"),
        (Phase.CONNECT, "421 too busy", NOT_SENT, "connect_refused"),
        (Phase.EHLO, "550 bad name", NOT_SENT, "ehlo_refused"),
        (Phase.TLS, "454 4.7.0 not now", NOT_SENT, "tls_refused"),
        # who we are
        (Phase.AUTH, "535 5.7.8 wrong", MISCONFIGURED, "auth_refused"),
        (Phase.AUTH, "535 wrong", MISCONFIGURED, "auth_refused"),
        (Phase.AUTH, "454 4.7.0 temporary authentication failure", NOT_SENT, "auth_unavailable"),
        (Phase.MAIL, "530 5.7.0 authentication required", MISCONFIGURED, "auth_refused"),
        (Phase.MAIL, "538 encryption required", MISCONFIGURED, "auth_refused"),
        # the relay is not able to
        (Phase.MAIL, "421 4.3.2 shutting down", NOT_SENT, "service_closing"),
        (Phase.RCPT, "421 4.7.0 too many", NOT_SENT, "service_closing"),
        (Phase.DOT, "421 closing", NOT_SENT, "service_closing"),
        (Phase.MAIL, "452 4.3.1 disk full", NOT_SENT, "relay_unavailable"),
        (Phase.DOT, "451 4.4.1 timeout", NOT_SENT, "relay_unavailable"),
        # the recipient
        (Phase.RCPT, "550 5.1.1 no such user", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "550-5.1.1 multi\n550 5.1.1 line", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "550 5.1.2 no such domain", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "553 5.1.3 bad syntax", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "550 5.1.10 null MX", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "550 5.2.1 disabled", PERMANENT, "recipient_refused"),
        (Phase.DOT, "550 5.1.1 no such user", PERMANENT, "recipient_refused"),
        (Phase.RCPT, "550 no", PERMANENT, "refused"),
        (Phase.RCPT, "552 5.2.2 over quota", PERMANENT, "mailbox_full"),
        (Phase.RCPT, "452 4.2.2 over quota", TEMPORARY, "mailbox_full"),
        # later
        (Phase.RCPT, "450 4.7.1 greylisted", TEMPORARY, "greylisted"),
        (Phase.RCPT, "451 4.7.1 greylisted", TEMPORARY, "greylisted"),
        (Phase.RCPT, "450 4.2.0 later", TEMPORARY, "deferred"),
        (Phase.RCPT, "451 later", TEMPORARY, "deferred"),
        (Phase.RCPT, "452 4.5.3 too many recipients", TEMPORARY, "too_many_recipients"),
        (Phase.DATA, "451 4.7.1 later", TEMPORARY, "greylisted"),
        (Phase.DOT, "451 4.6.0 later", TEMPORARY, "deferred"),
        # the mail
        (Phase.MAIL, "552 too big", PERMANENT, "too_large"),
        (Phase.DOT, "552 5.3.4 too big", PERMANENT, "too_large"),
        (Phase.DOT, "554 5.7.1 spam", PERMANENT, "policy"),
        (Phase.RCPT, "550 5.7.1 relaying denied", PERMANENT, "policy"),
        (Phase.DOT, "554 transaction failed", PERMANENT, "refused"),
        (Phase.DATA, "554 no valid recipients", PERMANENT, "refused"),
        # the sender domain
        (Phase.MAIL, "550 5.7.1 sender not authorised", MISCONFIGURED, "sender_refused"),
        (Phase.MAIL, "550 5.1.8 bad sender domain", MISCONFIGURED, "sender_refused"),
        (Phase.DOT, "550 5.7.26 unauthenticated", MISCONFIGURED, "sender_refused"),
        (Phase.DOT, "550 5.7.515 access denied", MISCONFIGURED, "sender_refused"),
        (Phase.DOT, "554 5.7.9 not accepted for policy reasons", MISCONFIGURED, "sender_refused"),
        (Phase.DATA, "550 5.7.60 not permitted to send as", MISCONFIGURED, "sender_refused"),
        # the enhanced code is believed where the two disagree
        (Phase.RCPT, "550 4.2.1 disabled for now", TEMPORARY, "deferred"),
        (Phase.RCPT, "450 5.1.1 no such user", PERMANENT, "recipient_refused"),
        # no answer at all
        (Phase.DOT, "250 2.0.0 queued", ACCEPTED, None),
        (Phase.DOT, "251 forwarded", ACCEPTED, None),
        (Phase.DOT, "354 go on", UNKNOWN, "malformed_reply"),
        (Phase.DATA, "250 what", NOT_SENT, "malformed_reply"),
        (Phase.MAIL, "354 what", NOT_SENT, "malformed_reply"),
    ],
)
def test_an_answer_means(phase: Phase, answer: str, outcome: Outcome, error: str | None) -> None:
    verdict = classify(phase, Reply(int(answer[:3]), answer[4:]))

    assert (verdict.outcome, verdict.error) == (outcome, error)
    assert verdict.recipient_refused == (error == "recipient_refused")


def test_an_unreadable_answer_to_the_content_is_unknown() -> None:
    assert classify(Phase.DOT, Reply(-1, "Malformed")).outcome is UNKNOWN
    assert classify(Phase.RCPT, Reply(-1, "Malformed")).outcome is NOT_SENT


@pytest.mark.parametrize(
    ("text", "enhanced"),
    [
        ("5.1.1 no such user", "5.1.1"),
        ("5.1.10 null MX", "5.1.10"),
        ("<x@example.org>: 4.7.1 greylisted", "4.7.1"),
        ("rejected (#5.7.1)", "5.7.1"),
        ("Our server at 10.5.1.1 is busy", None),
        ("version 15.1.2 says no", None),
        ("no", None),
    ],
)
def test_the_enhanced_code_is_found_and_addresses_are_not_taken_for_one(text: str, enhanced: str | None) -> None:
    assert Reply(550, text).enhanced_status_code == enhanced
