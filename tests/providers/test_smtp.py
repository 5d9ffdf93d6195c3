"""The SMTP provider against a real server that fails on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from providers.errors import InvalidAddressError, InvalidMessageError
from providers.mailbox import Mailbox, parse_address
from providers.mime import serialize
from providers.receipt import Outcome
from providers.smtp import SmtpConfig, SmtpProvider
from tests.providers.messages import a_message, yes
from tests.providers.relay import a_provider
from tests.wires.smtp import Answer, Drop, Fault, Hang, SmtpWire, Step, smtp_wire


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: SmtpWire) -> AsyncIterator[SmtpProvider]:
    provider = a_provider(wire)
    yield provider
    await provider.aclose()


async def test_the_envelope_and_the_content_arrive_as_they_were(wire: SmtpWire, provider: SmtpProvider) -> None:
    message = a_message(to=(Mailbox("Somebody Else", "else@example.org"),), text=".\n..two\n.three\nend")

    receipt = await provider.send(message, yes)

    assert receipt.smtp_response == "250 2.0.0 Ok: queued as 4711"
    assert (receipt.reply_code, receipt.enhanced_status_code) == (250, "2.0.0")
    assert receipt.provider_message_id == message.message_id
    [received] = wire.accepted
    assert (received.mail_from, received.rcpt_to) == ("bounce@acme.example.com", "jane@example.org")
    assert received.content == serialize(message)


@pytest.mark.parametrize(
    ("step", "fault", "outcome", "error"),
    [
        (Step.GREETING, Answer("554 5.3.2 not here"), Outcome.NOT_SENT, "connect_refused"),
        (Step.GREETING, Drop(), Outcome.NOT_SENT, "connect_failed"),
        (Step.GREETING, Hang(), Outcome.NOT_SENT, "connect_timeout"),
        (Step.EHLO, Answer("421 4.3.2 busy"), Outcome.NOT_SENT, "ehlo_refused"),
        (Step.EHLO, Drop(), Outcome.NOT_SENT, "ehlo_failed"),
        (Step.EHLO, Hang(), Outcome.NOT_SENT, "ehlo_timeout"),
        (Step.MAIL, Answer("550 5.7.1 not from there"), Outcome.MISCONFIGURED, "sender_refused"),
        (Step.MAIL, Answer("421 4.3.2 busy"), Outcome.NOT_SENT, "service_closing"),
        (Step.MAIL, Drop(), Outcome.NOT_SENT, "mail_lost"),
        (Step.MAIL, Hang(), Outcome.NOT_SENT, "mail_timeout"),
        (Step.RCPT, Answer("550 5.1.1 nobody"), Outcome.PERMANENT, "recipient_refused"),
        (Step.RCPT, Answer("nonsense"), Outcome.NOT_SENT, "malformed_reply"),
        (Step.RCPT, Drop(), Outcome.NOT_SENT, "rcpt_lost"),
        (Step.RCPT, Hang(), Outcome.NOT_SENT, "rcpt_timeout"),
        (Step.DATA, Answer("451 4.7.1 later"), Outcome.TEMPORARY, "greylisted"),
        (Step.DATA, Drop(), Outcome.NOT_SENT, "data_lost"),
        (Step.DATA, Hang(), Outcome.NOT_SENT, "data_timeout"),
        (Step.DOT, Answer("554 5.7.1 spam"), Outcome.PERMANENT, "policy"),
        (Step.DOT, Answer("nonsense"), Outcome.UNKNOWN, "malformed_reply"),
        (Step.DOT, Drop(), Outcome.UNKNOWN, "dot_lost"),
        (Step.DOT, Drop(accepted=True), Outcome.UNKNOWN, "dot_lost"),
        (Step.DOT, Hang(), Outcome.UNKNOWN, "dot_timeout"),
    ],
)
async def test_a_fault_at_a_step_is_told_by_what_may_have_been_delivered(
    wire: SmtpWire, step: Step, fault: Fault, outcome: Outcome, error: str
) -> None:
    short = timedelta(milliseconds=150 if isinstance(fault, Hang) else 5000)
    provider = a_provider(wire, connect_timeout=short, command_timeout=short, data_timeout=short)
    wire.at(step, fault)

    receipt = await provider.send(a_message(), yes)
    wire.heal()
    following = await provider.send(a_message(), yes)
    await provider.aclose()

    assert (receipt.outcome, receipt.error) == (outcome, error)
    assert receipt.recipient_refused == (error == "recipient_refused")
    assert following.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("step", [Step.GREETING, Step.EHLO, Step.AUTH, Step.MAIL, Step.RCPT, Step.DATA, Step.DOT])
async def test_a_relay_that_closes_at_any_step_has_not_sent_and_the_next_mail_goes_through(
    wire: SmtpWire, step: Step
) -> None:
    wire.credentials = ("user", "pass")
    provider = a_provider(wire, username="user", password="pass")
    wire.once(step, Answer("421 4.3.2 closing"))

    receipt = await provider.send(a_message(), yes)
    following = await provider.send(a_message(), yes)
    await provider.aclose()

    assert (receipt.outcome, receipt.reply_code) == (Outcome.NOT_SENT, 421)
    assert following.outcome is Outcome.ACCEPTED
    assert wire.connections == 2


async def test_a_relay_that_closes_after_a_refusal_costs_the_next_mail_nothing(
    wire: SmtpWire, provider: SmtpProvider
) -> None:
    wire.once(Step.RCPT, Answer("550 5.1.1 nobody"))
    wire.once(Step.RSET, Answer("421 4.7.0 too many errors"))

    refused = await provider.send(a_message(), yes)

    assert refused.error == "recipient_refused"
    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED


async def test_a_relay_that_limits_us_says_how_long_everybody_waits(wire: SmtpWire, provider: SmtpProvider) -> None:
    wire.once(Step.MAIL, Answer("450 4.7.1 Error: too much mail from 192.0.2.1"))

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.retry_after) == (Outcome.THROTTLED, timedelta(minutes=1))


def test_the_time_outs_are_those_of_the_standard() -> None:
    config = SmtpConfig(hostname="mail.example.com", port=25)

    assert config.command_timeout == timedelta(minutes=5)
    assert config.block_timeout == timedelta(minutes=3)
    assert config.data_timeout == timedelta(minutes=10)


def test_an_address_that_needs_smtputf8_is_refused_with_the_reason_before_anything_is_sent() -> None:
    with pytest.raises(InvalidAddressError, match="its local part is not ASCII") as refused:
        parse_address("jürgen@example.org")
    with pytest.raises(InvalidAddressError):
        Mailbox(None, "jürgen@example.org")
    with pytest.raises(InvalidMessageError, match="rcpt_to is not a plain ASCII addr-spec"):
        a_message(rcpt_to="jürgen@example.org")

    assert "jürgen" not in str(refused.value)
    assert parse_address("jane@bücher.example.org") == "jane@xn--bcher-kva.example.org"


async def test_a_large_mail_arrives_whole_in_pieces(wire: SmtpWire, provider: SmtpProvider) -> None:
    message = a_message(html=None, text="".join(f".{number:07}\n" for number in range(40_000)))

    receipt = await provider.send(message, yes)

    assert receipt.outcome is Outcome.ACCEPTED
    [received] = wire.accepted
    assert len(received.content) > 6 * 65_536
    assert received.content == serialize(message)


async def test_a_server_from_before_esmtp_is_greeted_with_helo(wire: SmtpWire, provider: SmtpProvider) -> None:
    wire.at(Step.EHLO, Answer("502 what"))

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED


async def test_the_mark_is_asked_for_after_the_recipient_and_before_the_content(
    wire: SmtpWire, provider: SmtpProvider
) -> None:
    seen: list[list[Step]] = []

    async def begin() -> bool:
        seen.append(list(wire.steps))
        return True

    await provider.send(a_message(), begin)

    [steps] = seen
    assert steps[-2:] == [Step.MAIL, Step.RCPT]
    assert wire.steps[-2:] == [Step.DATA, Step.DOT]


async def test_a_refused_recipient_is_not_marked(wire: SmtpWire, provider: SmtpProvider) -> None:
    asked: list[bool] = []

    async def begin() -> bool:
        asked.append(True)
        return True

    wire.at(Step.RCPT, Answer("550 5.1.1 nobody"))
    await provider.send(a_message(), begin)

    assert asked == []


async def test_what_is_larger_than_the_server_takes_is_not_sent() -> None:
    async with smtp_wire(size_limit=2000) as wire:
        provider = a_provider(wire)

        large = await provider.send(a_message(text="x\n" * 2000), yes)
        small = await provider.send(a_message(), yes)
        await provider.aclose()

    assert (large.outcome, large.error) == (Outcome.PERMANENT, "too_large")
    assert small.outcome is Outcome.ACCEPTED
    assert [wire.steps.count(step) for step in (Step.MAIL, Step.RCPT, Step.DATA)] == [1, 1, 1]


async def test_a_relay_that_does_not_answer_noop_is_not_healthy(wire: SmtpWire) -> None:
    provider = a_provider(wire, connect_timeout=timedelta(milliseconds=150))
    wire.at(Step.NOOP, Hang())

    assert not await provider.is_healthy()
    wire.heal()
    assert await provider.is_healthy()
    await provider.aclose()
