"""The SMTP provider against a real server that fails on demand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trustme

from providers.mailbox import Mailbox
from providers.mime import serialize
from providers.receipt import Outcome
from providers.smtp import SmtpConfig, SmtpProvider
from tests.providers.messages import a_message, yes
from tests.wires.smtp import Answer, Drop, Fault, Hang, SmtpWire, Step, smtp_wire


def a_provider(wire: SmtpWire, *, tls_context: ssl.SSLContext | None = None, **changes: Any) -> SmtpProvider:
    fields: dict[str, Any] = {
        "hostname": wire.hostname,
        "port": wire.port,
        "tls": "none",
        "connect_timeout": timedelta(seconds=5),
        "command_timeout": timedelta(seconds=5),
        "data_timeout": timedelta(seconds=5),
        **changes,
    }
    return SmtpProvider(SmtpConfig(**fields), tls_context=tls_context)


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: SmtpWire) -> AsyncIterator[SmtpProvider]:
    provider = a_provider(wire)
    yield provider
    await provider.aclose()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


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


async def test_a_refusal_keeps_the_connection_for_the_next_mail(wire: SmtpWire, provider: SmtpProvider) -> None:
    for step in (Step.MAIL, Step.RCPT, Step.DATA, Step.DOT):
        wire.once(step, Answer("450 4.2.0 later"))
        assert (await provider.send(a_message(), yes)).outcome is Outcome.TEMPORARY

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    assert wire.connections == 1


async def test_a_connection_that_cannot_be_reset_is_replaced(wire: SmtpWire, provider: SmtpProvider) -> None:
    wire.once(Step.RCPT, Answer("550 5.1.1 nobody"))
    wire.once(Step.RSET, Drop())

    assert (await provider.send(a_message(), yes)).outcome is Outcome.PERMANENT
    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    assert wire.connections == 2


async def test_connections_are_reused_and_never_more_than_the_pool_holds(wire: SmtpWire) -> None:
    provider = a_provider(wire, pool_size=3)

    receipts = await asyncio.gather(*(provider.send(a_message(notification_id=UUID(int=n)), yes) for n in range(1, 31)))
    await provider.aclose()

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len({received.content for received in wire.accepted}) == 30
    assert wire.connections == 3


async def test_a_connection_serves_only_so_many_mails(wire: SmtpWire) -> None:
    provider = a_provider(wire, mails_per_connection=2)

    for _ in range(5):
        await provider.send(a_message(), yes)
    await provider.aclose()

    assert wire.connections == 3


async def test_a_connection_that_was_idle_too_long_is_not_used(wire: SmtpWire) -> None:
    provider = a_provider(wire, max_idle=timedelta(0))

    await provider.send(a_message(), yes)
    await asyncio.sleep(0.01)
    await provider.send(a_message(), yes)
    await provider.aclose()

    assert wire.connections == 2


async def test_a_connection_that_died_while_idle_costs_no_attempt(wire: SmtpWire, provider: SmtpProvider) -> None:
    await provider.send(a_message(), yes)
    wire.drop_all()

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("fault", [Drop(), Answer("421 4.4.2 you were idle")])
async def test_a_connection_found_dead_at_mail_costs_no_attempt(
    wire: SmtpWire, provider: SmtpProvider, fault: Fault
) -> None:
    await provider.send(a_message(), yes)
    wire.once(Step.MAIL, fault)

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    assert wire.connections == 2


async def test_a_second_dead_connection_in_a_row_ends_the_attempt(wire: SmtpWire, provider: SmtpProvider) -> None:
    await provider.send(a_message(), yes)
    wire.at(Step.MAIL, Drop())

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.NOT_SENT, "mail_lost")


async def test_what_is_larger_than_the_server_takes_is_not_sent() -> None:
    async with smtp_wire(size_limit=2000) as wire:
        provider = a_provider(wire)

        large = await provider.send(a_message(text="x\n" * 2000), yes)
        small = await provider.send(a_message(), yes)
        await provider.aclose()

    assert (large.outcome, large.error) == (Outcome.PERMANENT, "too_large")
    assert small.outcome is Outcome.ACCEPTED
    assert wire.steps.count(Step.MAIL) == 1


async def test_a_cancelled_attempt_gives_its_place_in_the_pool_back(wire: SmtpWire) -> None:
    provider = a_provider(wire, pool_size=1)
    wire.once(Step.DATA, Hang())
    marked = asyncio.Event()

    async def begin() -> bool:
        marked.set()
        return True

    attempt = asyncio.create_task(provider.send(a_message(), begin))
    await marked.wait()

    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    await provider.aclose()


async def test_a_mark_that_raises_leaves_the_pool_whole(wire: SmtpWire) -> None:
    provider = a_provider(wire, pool_size=1)

    async def broken() -> bool:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await provider.send(a_message(), broken)

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    assert len(wire.accepted) == 1
    await provider.aclose()


async def test_closing_ends_every_idle_connection(wire: SmtpWire, provider: SmtpProvider) -> None:
    await provider.send(a_message(), yes)
    assert wire.open_connections == 1

    await provider.aclose()

    async with asyncio.timeout(5):
        await wire.everybody_left()


async def test_starttls_protects_the_mail(authority: trustme.CA) -> None:
    async with smtp_wire(starttls=server_context(authority)) as wire:
        wire.credentials = ("user", "pass")
        provider = a_provider(
            wire, tls="starttls", username="user", password="pass", tls_context=client_context(authority)
        )

        receipt = await provider.send(a_message(), yes)
        await provider.aclose()

    assert receipt.outcome is Outcome.ACCEPTED
    assert wire.logins == [("user", "pass")]
    assert wire.steps.index(Step.STARTTLS) < wire.steps.index(Step.AUTH) < wire.steps.index(Step.MAIL)


async def test_a_server_without_starttls_gets_nothing(wire: SmtpWire) -> None:
    provider = a_provider(wire, tls="starttls", username="user", password="pass")

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.NOT_SENT, "tls_unsupported")
    assert (wire.logins, wire.accepted) == ([], [])


async def test_a_certificate_that_nobody_vouches_for_stops_the_mail(authority: trustme.CA) -> None:
    async with smtp_wire(starttls=server_context(authority)) as wire:
        receipt = await a_provider(wire, tls="starttls").send(a_message(), yes)

    assert receipt.outcome is Outcome.NOT_SENT
    assert wire.accepted == []


async def test_implicit_tls_protects_the_mail(authority: trustme.CA) -> None:
    async with smtp_wire(implicit_tls=server_context(authority)) as wire:
        provider = a_provider(wire, tls="implicit", tls_context=client_context(authority))

        receipt = await provider.send(a_message(), yes)
        healthy = await provider.is_healthy()
        await provider.aclose()

    assert receipt.outcome is Outcome.ACCEPTED
    assert healthy


async def test_wrong_credentials_are_a_misconfiguration(wire: SmtpWire) -> None:
    wire.credentials = ("user", "right")
    provider = a_provider(wire, username="user", password="wrong")

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.MISCONFIGURED, "auth_refused")
    assert receipt.reply_code == 535
    assert not await provider.is_healthy()


async def test_a_relay_that_does_not_answer_noop_is_not_healthy(wire: SmtpWire) -> None:
    provider = a_provider(wire, connect_timeout=timedelta(milliseconds=150))
    wire.at(Step.NOOP, Hang())

    assert not await provider.is_healthy()
    wire.heal()
    assert await provider.is_healthy()
    await provider.aclose()
