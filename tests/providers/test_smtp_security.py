"""TLS and passwords: nothing in the clear unless it was asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from providers.receipt import Outcome
from providers.smtp import SmtpProvider
from tests.providers.messages import a_message, yes
from tests.providers.relay import a_provider
from tests.wires.smtp import Answer, SmtpWire, Step, smtp_wire


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


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


@pytest.mark.parametrize("line", ["454 4.7.0 not now", "421 4.3.2 closing", "502 what"])
async def test_a_server_that_refuses_its_own_starttls_gets_nothing(authority: trustme.CA, line: str) -> None:
    async with smtp_wire(starttls=server_context(authority)) as wire:
        wire.at(Step.STARTTLS, Answer(line))
        provider = a_provider(
            wire, tls="starttls", username="user", password="pass", tls_context=client_context(authority)
        )

        receipt = await provider.send(a_message(), yes)
        await provider.aclose()

    assert (receipt.outcome, receipt.error) == (Outcome.NOT_SENT, "tls_refused")
    assert Step.AUTH not in wire.steps
    assert Step.MAIL not in wire.steps


async def test_all_connections_share_one_tls_context(authority: trustme.CA) -> None:
    async with smtp_wire(starttls=server_context(authority)) as wire:
        context = client_context(authority)
        provider = a_provider(wire, tls="starttls", pool_size=3, tls_context=context)

        await asyncio.gather(*(provider.send(a_message(), yes) for _ in range(12)))
        used = [connection._smtp.transport.get_extra_info("sslcontext") for connection in provider._pool._idle]
        await provider.aclose()

    assert len(used) == 3
    assert all(each is context for each in used)
    assert SmtpProvider.from_config({"EMAIL_HOST": "mail.example.com"})._tls_context.verify_mode is ssl.CERT_REQUIRED


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


async def test_wrong_credentials_are_a_misconfiguration_and_each_attempt_logs_in_once(wire: SmtpWire) -> None:
    wire.credentials = ("user", "right")
    provider = a_provider(wire, username="user", password="wrong")

    receipts = await asyncio.gather(*(provider.send(a_message(), yes) for _ in range(5)))

    assert {(receipt.outcome, receipt.error, receipt.reply_code) for receipt in receipts} == {
        (Outcome.MISCONFIGURED, "auth_refused", 535)
    }
    assert len(wire.logins) == wire.connections == 5
    assert not await provider.is_healthy()
    assert len(wire.logins) == 6
    assert "wrong" not in repr(receipts)


async def test_credentials_that_were_put_right_are_right_at_once(wire: SmtpWire) -> None:
    wire.credentials = ("user", "new")
    provider = a_provider(wire, username="user", password="new")
    wire.once(Step.AUTH, Answer("535 5.7.8 wrong"))

    assert (await provider.send(a_message(), yes)).error == "auth_refused"
    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    await provider.aclose()


async def test_a_method_that_is_announced_but_not_there_is_followed_by_the_next(wire: SmtpWire) -> None:
    wire.credentials = ("user", "pass")
    provider = a_provider(wire, username="user", password="pass")
    wire.once(Step.AUTH, Answer("504 5.5.4 unrecognized authentication type"))

    assert (await provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    await provider.aclose()
    assert wire.mechanisms == ["PLAIN"]


async def test_a_login_that_cannot_be_checked_now_is_not_our_fault(wire: SmtpWire) -> None:
    wire.at(Step.AUTH, Answer("454 4.7.0 Temporary authentication failure"))
    provider = a_provider(wire, username="user", password="pass")

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.NOT_SENT, "auth_unavailable")
    assert wire.steps.count(Step.AUTH) == 1


async def test_a_server_without_auth_is_a_misconfiguration(wire: SmtpWire) -> None:
    wire.at(Step.EHLO, Answer("502 plain old SMTP only"))
    provider = a_provider(wire, username="user", password="pass")

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.MISCONFIGURED, "auth_unsupported")
    assert wire.logins == []
