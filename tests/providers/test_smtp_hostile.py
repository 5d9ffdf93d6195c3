"""A relay that answers nonsense, on purpose or not: never a crash, never in a log, always something to store."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from providers.receipt import Outcome
from providers.smtp import SmtpConfig
from providers.smtp.connection import open_connection
from providers.smtp.replies import Reply
from tests.providers.messages import a_message, yes
from tests.providers.relay import a_provider
from tests.wires.smtp import Raw, SmtpWire, Step, smtp_wire

CANARY = b"canary@example.org"
REFUSALS = {
    "long line": b"550 5.1.1 " + CANARY + b"x" * 8000 + b"\r\n",
    "many lines": b"".join(b"550-5.1.1 %d\r\n" % number for number in range(500)) + b"550 5.1.1 " + CANARY + b"\r\n",
    "nul": b"550 5.1.1 a\0b " + CANARY + b"\r\n",
    "not utf-8": b"550 5.1.1 \xff\xfe\x80 " + CANARY + b"\r\n",
    "lone surrogate": b"550 5.1.1 \xed\xa0\x80 " + CANARY + b"\r\n",
    "carriage return": b"550 5.1.1 a\rFrom: x\r " + CANARY + b"\r\n",
    "escapes": b"550 5.1.1 \x1b[2J\x07\x08 " + CANARY + b"\r\n",
    "line feed only": b"550 5.1.1 " + CANARY + b"\n",
}
NONSENSE = {
    "no code": b"what? " + CANARY + b"\r\n",
    "too long a line": b"550 5.1.1 " + CANARY + b"x" * 9000 + b"\r\n",
    "too many lines": b"550-5.1.1 more\r\n" * 5000,
    "no line end": CANARY * 4000,
    "empty line": b"\r\n",
    "negative": b"-55 5.1.1 " + CANARY + b"\r\n",
    "underscore": b"5_5 5.1.1 " + CANARY + b"\r\n",
    "short code": b"55 \r\n",
    "other protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46\r\n",
}


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


async def answered(wire: SmtpWire, step: Step, octets: bytes, logs: pytest.LogCaptureFixture) -> tuple[Outcome, str]:
    """Send against this answer; return outcome and error, after what must hold for every answer."""
    wire.credentials = ("user", "pass")
    wire.at(step, Raw(octets))
    provider = a_provider(wire, username="user", password="pass")
    with logs.at_level(logging.DEBUG):
        receipt = await provider.send(a_message(), yes)
    wire.heal()
    following = await provider.send(a_message(), yes)
    await provider.aclose()

    stored = receipt.smtp_response
    assert stored is not None
    assert len(stored.encode("utf-8")) <= 4100
    assert not set(stored) & {"\0", "\r", "\x1b"}
    assert "canary" not in logs.text
    assert following.outcome is Outcome.ACCEPTED
    return receipt.outcome, receipt.error


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize(
    ("step", "outcome", "error"),
    [
        (Step.GREETING, Outcome.NOT_SENT, "connect_refused"),
        (Step.AUTH, Outcome.MISCONFIGURED, "auth_refused"),
        (Step.MAIL, Outcome.MISCONFIGURED, "sender_refused"),
        (Step.RCPT, Outcome.PERMANENT, "recipient_refused"),
        (Step.DATA, Outcome.PERMANENT, "recipient_refused"),
        (Step.DOT, Outcome.PERMANENT, "recipient_refused"),
    ],
)
async def test_a_refusal_with_hostile_words_is_a_refusal(
    wire: SmtpWire, caplog: pytest.LogCaptureFixture, kind: str, step: Step, outcome: Outcome, error: str
) -> None:
    assert await answered(wire, step, REFUSALS[kind], caplog) == (outcome, error)


@pytest.mark.parametrize("kind", NONSENSE)
@pytest.mark.parametrize(
    ("step", "outcome", "error"),
    [
        (Step.GREETING, Outcome.NOT_SENT, "connect_refused"),
        (Step.EHLO, Outcome.NOT_SENT, "ehlo_refused"),
        (Step.AUTH, Outcome.NOT_SENT, "malformed_reply"),
        (Step.MAIL, Outcome.NOT_SENT, "malformed_reply"),
        (Step.RCPT, Outcome.NOT_SENT, "malformed_reply"),
        (Step.DATA, Outcome.NOT_SENT, "malformed_reply"),
        (Step.DOT, Outcome.UNKNOWN, "malformed_reply"),
    ],
)
async def test_nonsense_is_not_sent_and_after_the_content_unknown(
    wire: SmtpWire, caplog: pytest.LogCaptureFixture, kind: str, step: Step, outcome: Outcome, error: str
) -> None:
    assert await answered(wire, step, NONSENSE[kind], caplog) == (outcome, error)


@pytest.mark.parametrize(
    "size", [b"SIZE " + b"9" * 5000, b"SIZE -1", b"SIZE \xd9\xa4", b"SIZE", b"SIZE 1 2", b"SIZE 0x10"]
)
async def test_an_announced_size_that_is_no_number_is_no_limit(wire: SmtpWire, size: bytes) -> None:
    wire.at(Step.EHLO, Raw(b"250-wire\r\n250 " + size + b"\r\n"))
    config = SmtpConfig(hostname=wire.hostname, port=wire.port, tls="none", connect_timeout=timedelta(seconds=5))

    connection = await open_connection(config, None)
    connection.close()

    assert connection.max_size == 0


def test_what_is_kept_of_an_answer_is_short_and_in_one_encoding() -> None:
    reply = Reply.of(550, "5.1.1 \udcff\x00\x1b\r" + "x" * 5000)

    assert reply.text.startswith("5.1.1 \ufffd\ufffd\ufffd\ufffdxx")
    assert len(reply.text) == 1000
    assert Reply.of(550, "5.1.1 two\nlines").text == "5.1.1 two\nlines"
