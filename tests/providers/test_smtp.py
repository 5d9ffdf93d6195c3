"""The SMTP provider against a real server that fails on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from providers.mailbox import Mailbox
from providers.mime import serialize
from providers.receipt import Outcome
from providers.smtp import SmtpProvider
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
    assert wire.steps.count(Step.MAIL) == 1


async def test_a_relay_that_does_not_answer_noop_is_not_healthy(wire: SmtpWire) -> None:
    provider = a_provider(wire, connect_timeout=timedelta(milliseconds=150))
    wire.at(Step.NOOP, Hang())

    assert not await provider.is_healthy()
    wire.heal()
    assert await provider.is_healthy()
    await provider.aclose()
