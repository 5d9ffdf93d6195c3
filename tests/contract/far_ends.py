"""The far ends of the contract suite, one per registered provider.

A new provider needs no line here: the wire of its name, `tests/wires/<name>.py`, offers `far_end()`, an asynchronous
context manager that yields a `Far`.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

import pytest

from providers.provider import EmailProvider
from providers.receipt import Outcome
from providers.recording import RecordingProvider
from providers.resend import ResendConfig, ResendProvider
from providers.resend.payload import payload
from providers.smtp import SmtpConfig, SmtpProvider
from tests.house.tree import pyproject
from tests.wires import resend as resend_wires
from tests.wires import smtp as smtp_wires

SHORT = timedelta(milliseconds=300)
PROVIDERS = sorted(pyproject()["project"]["entry-points"]["outbound.providers"])
"""Every provider that we register: none is left out of the suite by forgetting it."""


class Far(Protocol):
    """The far end, as the suite needs it."""

    provider: EmailProvider

    def delivered(self) -> list[bytes]:
        """What arrived, as bytes, each mail once per time it would reach the inbox."""

    def refuse_for_good(self) -> None: ...
    def refuse_for_now(self) -> None: ...
    def lose_the_reply(self) -> None: ...
    def hang(self) -> None: ...
    def heal(self) -> None: ...
    def unplugged(self) -> EmailProvider | None:
        """The same provider where nothing listens; None if it needs no network."""


class SmtpFar:
    def __init__(self, wire: smtp_wires.SmtpWire) -> None:
        self.wire = wire
        self.provider = self._provider(wire.port)

    def _provider(self, port: int) -> SmtpProvider:
        return SmtpProvider(
            SmtpConfig(
                hostname="127.0.0.1",
                port=port,
                tls="none",
                connect_timeout=timedelta(seconds=5),
                command_timeout=timedelta(seconds=5),
                data_timeout=SHORT,
            )
        )

    def delivered(self) -> list[bytes]:
        return [received.content for received in self.wire.accepted]

    def refuse_for_good(self) -> None:
        self.wire.at(smtp_wires.Step.RCPT, smtp_wires.Answer("550 5.7.1 not from you"))

    def refuse_for_now(self) -> None:
        self.wire.at(smtp_wires.Step.RCPT, smtp_wires.Answer("450 4.2.0 come back later"))

    def lose_the_reply(self) -> None:
        self.wire.once(smtp_wires.Step.DOT, smtp_wires.Drop(accepted=True))

    def hang(self) -> None:
        self.wire.at(smtp_wires.Step.DOT, smtp_wires.Hang())

    def heal(self) -> None:
        self.wire.heal()

    def unplugged(self) -> EmailProvider:
        return self._provider(free_port())


class ResendFar:
    def __init__(self, wire: resend_wires.ResendWire) -> None:
        self.wire = wire
        self.provider = self._provider(wire.base_url)

    def _provider(self, base_url: str) -> ResendProvider:
        return ResendProvider(
            ResendConfig(
                api_key="re_test", base_url=base_url, timeout=SHORT, verified_domains=frozenset({"acme.example.com"})
            )
        )

    def delivered(self) -> list[bytes]:
        return [received.body for received in self.wire.accepted]

    def refuse_for_good(self) -> None:
        self.wire.always(resend_wires.Refuse(422, "validation_error"))

    def refuse_for_now(self) -> None:
        pytest.skip("Resend takes every valid mail and tries again by itself")

    def lose_the_reply(self) -> None:
        self.wire.once(resend_wires.Drop(accepted=True))

    def hang(self) -> None:
        self.wire.always(resend_wires.Hang())

    def heal(self) -> None:
        self.wire.heal()

    def unplugged(self) -> EmailProvider:
        return self._provider(f"http://127.0.0.1:{free_port()}")


class RecordingFar:
    def __init__(self) -> None:
        self.recorder = RecordingProvider()
        self.provider = self.recorder

    def delivered(self) -> list[bytes]:
        return [repr(payload(message)).encode() for message in self.recorder.accepted]

    def refuse_for_good(self) -> None:
        self.recorder.answer = Outcome.PERMANENT

    def refuse_for_now(self) -> None:
        self.recorder.answer = Outcome.TEMPORARY

    def lose_the_reply(self) -> None:
        pytest.skip("memory does not lose replies")

    def hang(self) -> None:
        pytest.skip("memory does not hang")

    def heal(self) -> None:
        self.recorder.answer = Outcome.ACCEPTED

    def unplugged(self) -> None:
        return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def far_end(name: str) -> AsyncIterator[Far]:
    """Open the far end of a provider, and close the provider afterwards."""
    own: dict[str, Any] = {"smtp": _smtp, "resend": _resend, "recording": _recording}
    opened = own[name]() if name in own else import_module(f"tests.wires.{name}").far_end()
    async with opened as far:
        yield far
        await far.provider.aclose()


@asynccontextmanager
async def _smtp() -> AsyncIterator[Far]:
    async with smtp_wires.smtp_wire() as wire:
        yield SmtpFar(wire)


@asynccontextmanager
async def _resend() -> AsyncIterator[Far]:
    async with resend_wires.resend_wire() as wire:
        yield ResendFar(wire)


@asynccontextmanager
async def _recording() -> AsyncIterator[Far]:
    yield RecordingFar()
