"""What each answer of a relay means: the whole table, its expectations written by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.receipt import QUOTA, SENDER_REFUSED, Outcome
from providers.smtp.replies import Phase, Reply, classify

ACCEPTED, NOT_SENT, TEMPORARY, THROTTLED = Outcome.ACCEPTED, Outcome.NOT_SENT, Outcome.TEMPORARY, Outcome.THROTTLED
PERMANENT, MISCONFIGURED, UNKNOWN = Outcome.PERMANENT, Outcome.MISCONFIGURED, Outcome.UNKNOWN
CONNECT, EHLO, TLS, AUTH = Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH
MAIL, RCPT, DATA, DOT = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT
BOUNCES, KEEPS = True, False
"""Whether the address goes on the suppression list."""


def a_reply(answer: str) -> Reply:
    lines = answer.split("\n")
    return Reply.of(int(lines[-1][:3]), "\n".join(line[4:] for line in lines))


@pytest.mark.parametrize(
    ("phase", "answer", "outcome", "error", "recipient"),
    [
        # before a mail is spoken of, the mail is not to blame
        (CONNECT, "554 5.7.1 no service for you", NOT_SENT, "connect_refused", KEEPS),
        (CONNECT, "554 5.1.1 nobody", NOT_SENT, "connect_refused", KEEPS),
        (CONNECT, "421 too busy", NOT_SENT, "connect_refused", KEEPS),
        (CONNECT, "250 hello", NOT_SENT, "connect_refused", KEEPS),
        (EHLO, "550 bad name", NOT_SENT, "ehlo_refused", KEEPS),
        (EHLO, "421 4.3.2 closing", NOT_SENT, "ehlo_refused", KEEPS),
        (TLS, "454 4.7.0 not now", NOT_SENT, "tls_refused", KEEPS),
        # who we are
        (AUTH, "535 5.7.8 wrong", MISCONFIGURED, "auth_refused", KEEPS),
        (AUTH, "535 wrong", MISCONFIGURED, "auth_refused", KEEPS),
        (AUTH, "534 5.7.9 mechanism too weak", MISCONFIGURED, "auth_refused", KEEPS),
        (AUTH, "454 4.7.0 temporary authentication failure", NOT_SENT, "auth_unavailable", KEEPS),
        (AUTH, "421 4.3.2 closing", NOT_SENT, "auth_unavailable", KEEPS),
        (MAIL, "530 5.7.0 authentication required", MISCONFIGURED, "auth_refused", KEEPS),
        (MAIL, "530 5.7.1 client was not authenticated", MISCONFIGURED, "auth_refused", KEEPS),
        (MAIL, "530 5.7.57 not authenticated to send anonymous mail", MISCONFIGURED, "auth_refused", KEEPS),
        (MAIL, "538 encryption required", MISCONFIGURED, "auth_refused", KEEPS),
        (RCPT, "554 5.7.1 <x@y.example>: Relay access denied", MISCONFIGURED, "relay_denied", KEEPS),
        (RCPT, "454 4.7.1 <x@y.example>: Relay access denied", MISCONFIGURED, "relay_denied", KEEPS),
        (RCPT, "550 5.7.1 Relaying denied", MISCONFIGURED, "relay_denied", KEEPS),
        (RCPT, "550 relay not permitted", MISCONFIGURED, "relay_denied", KEEPS),
        (RCPT, "550 5.7.54 recipient in non-accepted domain", MISCONFIGURED, "relay_denied", KEEPS),
        (DOT, "550 5.7.705 tenant has exceeded threshold", MISCONFIGURED, "account_refused", KEEPS),
        (RCPT, "554 5.7.1 Client host [192.0.2.1] blocked using a list", NOT_SENT, "client_refused", KEEPS),
        (MAIL, "554 5.7.1 <h[192.0.2.1]>: Client host rejected: denied", NOT_SENT, "client_refused", KEEPS),
        # we send too much
        (CONNECT, "421 4.7.0 h Error: too many connections from 192.0.2.1", THROTTLED, "throttled", KEEPS),
        (AUTH, "454 4.7.0 Too many login attempts", THROTTLED, "throttled", KEEPS),
        (MAIL, "421 4.7.0 too many messages", THROTTLED, "throttled", KEEPS),
        (MAIL, "421 too many connections", THROTTLED, "throttled", KEEPS),
        (MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", THROTTLED, "throttled", KEEPS),
        (MAIL, "454 Throttling failure: Maximum sending rate exceeded.", THROTTLED, "throttled", KEEPS),
        (RCPT, "450 4.7.1 Error: too many recipients from 192.0.2.1", THROTTLED, "throttled", KEEPS),
        (RCPT, "432 4.3.2 sender rate exceeded", THROTTLED, "throttled", KEEPS),
        (DOT, "421 4.7.28 unusual rate of mail", THROTTLED, "throttled", KEEPS),
        (DOT, "550 5.7.28 mail flood detected", THROTTLED, "throttled", KEEPS),
        (MAIL, "451 4.7.500 server busy", THROTTLED, "throttled", KEEPS),
        (MAIL, "451 4.7.650 rate limited", THROTTLED, "throttled", KEEPS),
        (CONNECT, "451 4.7.651 limited", THROTTLED, "throttled", KEEPS),
        (MAIL, "421 4.7.0 [TS01] deferred due to unexpected volume", THROTTLED, "throttled", KEEPS),
        (MAIL, "550 5.4.5 Daily user sending limit exceeded", NOT_SENT, QUOTA, KEEPS),
        # the relay is not able to
        (MAIL, "421 4.3.2 shutting down", NOT_SENT, "service_closing", KEEPS),
        (MAIL, "421 4.7.0 try again later, closing connection", NOT_SENT, "service_closing", KEEPS),
        (RCPT, "421 4.7.0 Error: too many errors", NOT_SENT, "service_closing", KEEPS),
        (DATA, "421 4.4.2 timeout", NOT_SENT, "service_closing", KEEPS),
        (DOT, "421 closing", NOT_SENT, "service_closing", KEEPS),
        (MAIL, "452 4.3.1 disk full", NOT_SENT, "relay_unavailable", KEEPS),
        (DOT, "452 disk full", NOT_SENT, "relay_unavailable", KEEPS),
        (DOT, "451 4.4.1 timeout", NOT_SENT, "relay_unavailable", KEEPS),
        (RCPT, "451 4.3.0 lookup failed", NOT_SENT, "relay_unavailable", KEEPS),
        (DATA, "554 5.3.2 not accepting messages", NOT_SENT, "relay_unavailable", KEEPS),
        (MAIL, "503 5.5.1 send HELO first", NOT_SENT, "protocol_error", KEEPS),
        (RCPT, "500 what", NOT_SENT, "protocol_error", KEEPS),
        (MAIL, "501 syntax error in parameters", NOT_SENT, "protocol_error", KEEPS),
        (MAIL, "555 5.5.4 SIZE is not known here", NOT_SENT, "protocol_error", KEEPS),
        # the recipient
        (RCPT, "550 5.1.1 no such user", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550-5.1.1 no such user,\n550-5.1.1 really\n550 5.1.1 none", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 5.1.2 no such domain", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "553 5.1.3 bad syntax", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 5.1.6 has moved", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 5.1.10 null MX", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 5.2.1 disabled", PERMANENT, "recipient_refused", BOUNCES),
        (DATA, "554 5.1.1 no valid recipients", PERMANENT, "recipient_refused", BOUNCES),
        (DOT, "550 5.1.1 no such user", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 no such user", PERMANENT, "refused", KEEPS),
        (RCPT, "551 try somebody else", PERMANENT, "refused", KEEPS),
        (RCPT, "553 no", PERMANENT, "refused", KEEPS),
        (RCPT, "501 bad address", PERMANENT, "refused", KEEPS),
        (RCPT, "550 5.1.0 address rejected", PERMANENT, "refused", KEEPS),
        (RCPT, "550 5.1.4 ambiguous", PERMANENT, "refused", KEEPS),
        (RCPT, "550 5.5.0 mailbox unavailable", PERMANENT, "refused", KEEPS),
        (RCPT, "550 5.4.1 access denied", PERMANENT, "refused", KEEPS),
        (RCPT, "552 5.2.2 over quota", PERMANENT, "mailbox_full", KEEPS),
        (RCPT, "552 storage exceeded", PERMANENT, "mailbox_full", KEEPS),
        (RCPT, "452 4.2.2 over quota", TEMPORARY, "mailbox_full", KEEPS),
        # later, at the same relay
        (RCPT, "450 4.7.1 greylisted", TEMPORARY, "greylisted", KEEPS),
        (RCPT, "451 4.7.1 greylisted", TEMPORARY, "greylisted", KEEPS),
        (DATA, "451 4.7.1 later", TEMPORARY, "greylisted", KEEPS),
        (RCPT, "450 4.2.0 later", TEMPORARY, "deferred", KEEPS),
        (RCPT, "450 4.2.1 receiving mail at a rate that prevents more", TEMPORARY, "deferred", KEEPS),
        (RCPT, "450 4.1.1 unverified", TEMPORARY, "deferred", KEEPS),
        (MAIL, "450 4.1.8 domain not found", TEMPORARY, "deferred", KEEPS),
        (RCPT, "450 4.7.0 later", TEMPORARY, "deferred", KEEPS),
        (RCPT, "450 later", TEMPORARY, "deferred", KEEPS),
        (RCPT, "451 later", TEMPORARY, "deferred", KEEPS),
        (DOT, "451 4.6.0 later", TEMPORARY, "deferred", KEEPS),
        (RCPT, "452 4.5.3 too many recipients", TEMPORARY, "too_many_recipients", KEEPS),
        (RCPT, "452 too many recipients", TEMPORARY, "too_many_recipients", KEEPS),
        # the mail
        (MAIL, "552 too big", PERMANENT, "too_large", KEEPS),
        (DOT, "552 5.3.4 too big", PERMANENT, "too_large", KEEPS),
        (MAIL, "552 5.2.3 too long", PERMANENT, "too_large", KEEPS),
        (DOT, "554 5.7.1 spam", PERMANENT, "policy", KEEPS),
        (RCPT, "550 5.7.1 not from you", PERMANENT, "policy", KEEPS),
        (DOT, "550 5.7.0 too many links", PERMANENT, "policy", KEEPS),
        (DOT, "554 no", PERMANENT, "refused", KEEPS),
        (DOT, "554 5.6.0 bad content", PERMANENT, "refused", KEEPS),
        # the sender and its domain
        (MAIL, "550 5.7.1 sender not authorised", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (MAIL, "550 5.1.1 no such sender", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (MAIL, "553 sender rejected", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (MAIL, "501 5.1.7 bad sender address", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (RCPT, "550 5.1.8 bad sender domain", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "550 5.7.26 unauthenticated", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "421 4.7.26 unauthenticated, so its rate is limited", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "421 4.7.32 From is not aligned", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (RCPT, "550 5.7.23 SPF failed", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "550 5.7.515 access denied", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "554 5.7.9 not accepted for policy reasons", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DATA, "550 5.7.60 not permitted to send as", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        (DOT, "554 Message rejected: Email address is not verified.", MISCONFIGURED, SENDER_REFUSED, KEEPS),
        # the enhanced code is believed where the two disagree, unless it claims a success that was denied
        (RCPT, "550 4.2.1 disabled for now", TEMPORARY, "deferred", KEEPS),
        (RCPT, "450 5.1.1 no such user", PERMANENT, "recipient_refused", BOUNCES),
        (RCPT, "550 4.7.1 greylisted", TEMPORARY, "greylisted", KEEPS),
        (DOT, "451 5.7.1 spam", PERMANENT, "policy", KEEPS),
        (RCPT, "550 2.1.5 ok", PERMANENT, "refused", KEEPS),
        # taken, or no answer at all
        (DOT, "250 2.0.0 queued", ACCEPTED, None, KEEPS),
        (DOT, "251 forwarded", ACCEPTED, None, KEEPS),
        (DOT, "250 5.1.1 is all right", ACCEPTED, None, KEEPS),
        (DOT, "354 go on", UNKNOWN, "malformed_reply", KEEPS),
        (DOT, "650 5.1.1 what", UNKNOWN, "malformed_reply", KEEPS),
        (DATA, "250 what", NOT_SENT, "malformed_reply", KEEPS),
        (MAIL, "354 what", NOT_SENT, "malformed_reply", KEEPS),
        (RCPT, "050 5.1.1 what", NOT_SENT, "malformed_reply", KEEPS),
    ],
)
def test_an_answer_means(phase: Phase, answer: str, outcome: Outcome, error: str | None, recipient: bool) -> None:
    verdict = classify(phase, a_reply(answer))

    assert (verdict.outcome, verdict.error, verdict.recipient_refused) == (outcome, error, recipient)


@given(
    phase=st.sampled_from(Phase),
    code=st.integers(-99, 999) | st.sampled_from([250, 354, 421, 450, 452, 550, 552]),
    words=st.binary() | st.from_regex(rb"[245]\.\d\.\d{1,3} (too many|rate|relay denied)?.*"),
)
def test_whatever_is_answered_means_something_and_nothing_dangerous(phase: Phase, code: int, words: bytes) -> None:
    verdict = classify(phase, Reply.of(code, words.decode("utf-8", "surrogateescape")))

    was_taken = phase is DOT and 200 <= code < 300
    assert (verdict.outcome is ACCEPTED) == was_taken
    assert (verdict.error is None) == was_taken
    assert verdict.outcome is not UNKNOWN or phase is DOT
    assert not verdict.recipient_refused or (
        verdict.outcome is PERMANENT and phase not in {CONNECT, EHLO, TLS, AUTH, MAIL}
    )
    assert (verdict.outcome is THROTTLED) <= (verdict.retry_after is not None)


def test_an_unreadable_answer_to_the_content_is_unknown() -> None:
    assert classify(Phase.DOT, Reply(-1, "Malformed")).outcome is UNKNOWN
    assert classify(Phase.RCPT, Reply(-1, "Malformed")).outcome is NOT_SENT


def test_a_relay_that_throttles_rests_for_a_minute_and_a_greylist_for_five() -> None:
    assert classify(MAIL, a_reply("421 4.7.0 too many connections")).retry_after == timedelta(minutes=1)
    assert classify(RCPT, a_reply("450 4.7.1 greylisted")).retry_after == timedelta(minutes=5)
    assert classify(RCPT, a_reply("450 4.2.0 later")).retry_after is None


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
