"""What each fault of the network comes to: the outcome, the mark, and the mails at the far end; by hand, not computed.

The last figure is the number of mails after the same message was sent once more over a sound network, as the line does
with an unknown outcome: the price of a lost reply is a second mail over SMTP, and none over Resend.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from providers.message import OutboundMessage
from providers.provider import EmailProvider
from providers.receipt import Outcome
from providers.resend import ResendConfig, ResendProvider
from providers.smtp import SmtpConfig, SmtpProvider
from tests.providers.messages import a_message, yes
from tests.wires import proxy as network
from tests.wires.proxy import Drip, Fault, FaultProxy, HalfOpen, Pass, Place, Refuse, Reset, Silence, Slow, fault_proxy
from tests.wires.resend import ResendWire, resend_wire
from tests.wires.smtp import SmtpWire, smtp_wire

ACCEPTED, NOT_SENT, UNKNOWN = Outcome.ACCEPTED, Outcome.NOT_SENT, Outcome.UNKNOWN
MARKED, UNMARKED = True, False
SHORT, LONG = timedelta(milliseconds=300), timedelta(seconds=20)


class Far(Protocol):
    """A far end behind the proxy."""

    mail: Place

    def provider(self, proxy: FaultProxy, patience: timedelta) -> EmailProvider: ...
    def mails(self) -> int: ...


class SmtpFar:
    mail = staticmethod(network.smtp_mail)

    def __init__(self, wire: SmtpWire) -> None:
        self._wire = wire
        self.address = (wire.hostname, wire.port)

    def provider(self, proxy: FaultProxy, patience: timedelta) -> SmtpProvider:
        return SmtpProvider(
            SmtpConfig(
                hostname=proxy.hostname,
                port=proxy.port,
                tls="none",
                connect_timeout=patience,
                command_timeout=patience,
                block_timeout=patience,
                data_timeout=patience,
            )
        )

    def mails(self) -> int:
        return len(self._wire.accepted)


class ResendFar:
    mail = staticmethod(network.http_request)

    def __init__(self, wire: ResendWire) -> None:
        self._wire = wire
        url = urlsplit(wire.base_url)
        self.address = (url.hostname, url.port)

    def provider(self, proxy: FaultProxy, patience: timedelta) -> ResendProvider:
        return ResendProvider(
            ResendConfig(
                api_key="re_test",
                base_url=f"http://{proxy.hostname}:{proxy.port}",
                timeout=patience,
                verified_domains=frozenset({"acme.example.com"}),
            )
        )

    def mails(self) -> int:
        return len(self._wire.accepted)


@asynccontextmanager
async def smtp() -> AsyncIterator[tuple[Far, FaultProxy]]:
    async with smtp_wire() as wire:
        far = SmtpFar(wire)
        async with fault_proxy(*far.address) as proxy:
            yield far, proxy


@asynccontextmanager
async def resend() -> AsyncIterator[tuple[Far, FaultProxy]]:
    async with resend_wire() as wire:
        far = ResendFar(wire)
        async with fault_proxy(*far.address) as proxy:
            yield far, proxy


FarEnd = Callable[[], AbstractAsyncContextManager[tuple[Far, FaultProxy]]]
MAIL_OF: dict[FarEnd, Place] = {smtp: SmtpFar.mail, resend: ResendFar.mail}
BIG = a_message(text="All of this is far more than the kernels on the way hold for us.\n" * 200_000)


async def attempt(
    far: Far, proxy: FaultProxy, fault: Fault, message: OutboundMessage, patience: timedelta
) -> tuple[Outcome, str | None, bool, int, int]:
    """Send through a fault, then once more without it; return what is in the table's columns."""
    marked = False

    async def begin() -> bool:
        nonlocal marked
        marked = True
        return True

    await proxy.use(fault)
    provider = far.provider(proxy, patience)
    async with asyncio.timeout(30):
        receipt = await provider.send(message, begin)
        await proxy.struck.wait()
    mails = far.mails()
    await provider.aclose()
    await proxy.use(Pass())
    second = far.provider(proxy, LONG)
    repeat = await second.send(message, yes)
    await second.aclose()
    assert repeat.outcome is ACCEPTED
    return receipt.outcome, receipt.error, marked, mails, far.mails()


@pytest.mark.parametrize(
    ("fault", "patience", "provider", "outcome", "error", "mark", "mails", "after_a_repeat"),
    [
        ("latency", LONG, smtp, ACCEPTED, None, MARKED, 1, 2),
        ("latency", LONG, resend, ACCEPTED, None, UNMARKED, 1, 1),
        ("slow drip", LONG, smtp, ACCEPTED, None, MARKED, 1, 2),
        ("slow drip", LONG, resend, ACCEPTED, None, UNMARKED, 1, 1),
        ("refused", LONG, smtp, NOT_SENT, "connect_failed", UNMARKED, 0, 1),
        ("refused", LONG, resend, NOT_SENT, "connect_failed", UNMARKED, 0, 1),
        ("half-open", SHORT, smtp, NOT_SENT, "connect_timeout", UNMARKED, 0, 1),
        ("half-open", SHORT, resend, UNKNOWN, "timeout", UNMARKED, 0, 1),
        ("reset at the first word", LONG, smtp, NOT_SENT, "ehlo_failed", UNMARKED, 0, 1),
        ("reset at the first word", LONG, resend, UNKNOWN, "lost", UNMARKED, 0, 1),
        ("reset before the end", LONG, smtp, UNKNOWN, "dot_lost", MARKED, 0, 1),
        ("reset before the end", LONG, resend, UNKNOWN, "lost", UNMARKED, 0, 1),
        ("lost reply", LONG, smtp, UNKNOWN, "dot_lost", MARKED, 1, 2),
        ("lost reply", LONG, resend, UNKNOWN, "lost", UNMARKED, 1, 1),
        ("silence before the end", SHORT, smtp, UNKNOWN, "dot_timeout", MARKED, 0, 1),
        ("silence before the end", SHORT, resend, UNKNOWN, "timeout", UNMARKED, 0, 1),
        ("silence after the end", SHORT, smtp, UNKNOWN, "dot_timeout", MARKED, 1, 2),
        ("silence after the end", SHORT, resend, UNKNOWN, "timeout", UNMARKED, 1, 1),
    ],
)
async def test_a_fault_of_the_network_comes_to(
    fault: str,
    patience: timedelta,
    provider: FarEnd,
    outcome: Outcome,
    error: str,
    mark: bool,
    mails: int,
    after_a_repeat: int,
) -> None:
    faults = {
        "latency": Slow(0.01),
        "slow drip": Drip(0.0001),
        "refused": Refuse(),
        "half-open": HalfOpen(),
        "reset at the first word": Reset(network.anything),
        "reset before the end": Reset(MAIL_OF[provider]),
        "lost reply": Reset(MAIL_OF[provider], after=True),
        "silence before the end": Silence(MAIL_OF[provider]),
        "silence after the end": Silence(MAIL_OF[provider], after=True),
    }
    async with provider() as (far, proxy):
        came_to = await attempt(far, proxy, faults[fault], a_message(), patience)

    assert came_to == (outcome, error, mark, mails, after_a_repeat)


@pytest.mark.parametrize(
    ("fault", "message", "patience", "error", "mark"),
    [
        (Reset(network.behind(b"MAIL FROM")), a_message(), LONG, "mail_lost", UNMARKED),
        (Silence(network.behind(b"MAIL FROM")), a_message(), SHORT, "mail_timeout", UNMARKED),
        (Reset(network.behind(b"RCPT TO")), a_message(), LONG, "rcpt_lost", UNMARKED),
        (Silence(network.behind(b"RCPT TO")), a_message(), SHORT, "rcpt_timeout", UNMARKED),
        (Reset(network.behind(b"DATA\r\n")), a_message(), LONG, "data_lost", MARKED),
        (Reset(network.behind(b"DATA\r\n"), after=True), a_message(), LONG, "data_lost", MARKED),
        (Silence(network.behind(b"DATA\r\n")), a_message(), SHORT, "data_timeout", MARKED),
        (Reset(network.behind(b"\r\n\r\n")), BIG, LONG, "content_lost", MARKED),
        (Silence(network.behind(b"\r\n\r\n")), BIG, SHORT, "content_timeout", MARKED),
    ],
)
async def test_what_was_certainly_not_taken_is_told_as_not_sent(
    fault: Fault, message: OutboundMessage, patience: timedelta, error: str, mark: bool
) -> None:
    async with smtp() as (far, proxy):
        came_to = await attempt(far, proxy, fault, message, patience)

    assert came_to == (NOT_SENT, error, mark, 0, 1)


async def test_a_network_that_does_its_work_is_not_noticed() -> None:
    for far_end in (smtp, resend):
        async with far_end() as (far, proxy):
            provider = far.provider(proxy, LONG)
            receipts = [await provider.send(a_message(), yes) for _ in range(2)]
            await provider.aclose()

            assert [receipt.outcome for receipt in receipts] == [ACCEPTED, ACCEPTED]
            assert proxy.connections == 1
