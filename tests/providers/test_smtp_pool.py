"""The pool of connections: what is reused, what is replaced, and that its places come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from providers.receipt import Outcome
from providers.smtp import SmtpConfig, SmtpProvider
from providers.smtp.connection import ConnectionLostError, open_connection
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


async def test_a_connection_that_ended_says_that_nothing_was_written(wire: SmtpWire) -> None:
    config = SmtpConfig(hostname=wire.hostname, port=wire.port, tls="none")
    closing, closed = await open_connection(config, None), await open_connection(config, None)
    transport = closing._smtp.transport
    assert transport is not None

    transport.close()
    closed.abort()

    for connection in (closing, closed):
        with pytest.raises(ConnectionLostError):
            connection.write_content(b"x\r\n.\r\n")
    with pytest.raises(ConnectionLostError):
        await closed.content_reply()
