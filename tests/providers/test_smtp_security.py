"""TLS and passwords: nothing in the clear unless it was asked for."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from providers.receipt import Outcome
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


async def test_a_server_without_auth_is_a_misconfiguration(wire: SmtpWire) -> None:
    wire.at(Step.EHLO, Answer("502 plain old SMTP only"))
    provider = a_provider(wire, username="user", password="pass")

    receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.MISCONFIGURED, "auth_unsupported")
    assert wire.logins == []
