"""An SMTP server on a random loopback port that does what a test tells it to, phase by phase.

    async with smtp_wire() as wire:
        wire.at(Step.RCPT, Answer("550 5.1.1 no such user"))

A fault set with `at` lasts until `heal`; one set with `once` happens a single time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Step(StrEnum):
    """Where a fault can happen."""

    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    RSET = "rset"
    NOOP = "noop"


@dataclass(frozen=True)
class Answer:
    """Answer this line instead."""

    line: str


@dataclass(frozen=True)
class Raw:
    """Answer these octets, as they are."""

    octets: bytes


@dataclass(frozen=True)
class Drop:
    """Reset the connection instead of answering. At DOT with `accepted`, the mail was taken: the lost reply."""

    accepted: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer."""


Fault = Answer | Raw | Drop | Hang


@dataclass(frozen=True)
class Received:
    """A mail as it arrived, dots unstuffed."""

    mail_from: str
    rcpt_to: str
    content: bytes


class SmtpWire:
    """What the server saw, and what it is to do."""

    hostname = "127.0.0.1"

    def __init__(self) -> None:
        self.port = 0
        self.accepted: list[Received] = []
        self.connections = 0
        self.logins: list[tuple[str, str]] = []
        self.mechanisms: list[str] = []
        self.credentials: tuple[str, str] | None = None
        self.steps: list[Step] = []
        self._lasting: dict[Step, Fault] = {}
        self._single: dict[Step, list[Fault]] = {}
        self._open: set[_Session] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def at(self, step: Step, fault: Fault) -> None:
        """Do this at every `step` from now on."""
        self._lasting[step] = fault

    def once(self, step: Step, fault: Fault) -> None:
        """Do this at the next `step` only."""
        self._single.setdefault(step, []).append(fault)

    def heal(self) -> None:
        """Behave."""
        self._lasting.clear()
        self._single.clear()

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._open)

    def drop_all(self) -> None:
        """Reset every connection, as a restarted server does."""
        for session in list(self._open):
            session.reset()

    def fault(self, step: Step) -> Fault | None:
        """Take note of a step and say what goes wrong there."""
        self.steps.append(step)
        single = self._single.get(step)
        return single.pop(0) if single else self._lasting.get(step)

    def joined(self, session: _Session) -> None:
        """Count a connection."""
        self.connections += 1
        self._open.add(session)
        self._empty.clear()

    def left(self, session: _Session) -> None:
        """Forget a connection."""
        self._open.discard(session)
        if not self._open:
            self._empty.set()

    async def everybody_left(self) -> None:
        """Wait until no client is connected."""
        await self._empty.wait()


class _Handler:
    """aiosmtpd's hook for the end of the content."""

    def __init__(self, wire: SmtpWire) -> None:
        self._wire = wire

    async def handle_DATA(self, server: _Session, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's
        fault = self._wire.fault(Step.DOT)
        if fault is None or (isinstance(fault, Drop) and fault.accepted):
            [rcpt_to] = envelope.rcpt_tos
            self._wire.accepted.append(Received(envelope.mail_from, rcpt_to, bytes(envelope.original_content)))
        if fault is None:
            return "250 2.0.0 Ok: queued as 4711"
        if isinstance(fault, Answer):
            return fault.line
        if isinstance(fault, Raw):
            server.say(fault.octets)
        else:
            await server.fail(fault)
        return ""


class _Session(SMTP):
    """aiosmtpd's protocol with a fault in front of each command."""

    def __init__(self, wire: SmtpWire, tls_context: ssl.SSLContext | None, size_limit: int | None) -> None:
        self._wire = wire
        self._raw: asyncio.BaseTransport | None = None
        super().__init__(
            _Handler(wire),
            hostname="wire.example.org",
            ident="ESMTP",
            loop=asyncio.get_running_loop(),
            tls_context=tls_context,
            data_size_limit=size_limit,
            authenticator=self._authenticate_user,
            auth_require_tls=False,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._raw is None:
            self._raw = transport
            self._wire.joined(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._wire.left(self)
        if self._handler_coroutine is not None:
            # A reset connection ends aiosmtpd's task with an error that nobody would ask for.
            self._handler_coroutine.add_done_callback(lambda task: task.cancelled() or task.exception())
        super().connection_lost(error)

    def reset(self) -> None:
        """Abort the TCP connection. After a failed handshake asyncio does not tell, so the rest is done here."""
        if self._raw is not None:
            self._raw.abort()
        if self._tls_protocol is not None and self._timeout_handle is not None:
            self._timeout_handle.cancel()
            self._handler_coroutine.cancel()
            self._wire.left(self)

    async def fail(self, fault: Fault) -> None:
        """Drop or hang; the task ends with the connection."""
        if isinstance(fault, Drop):
            self.reset()
        await asyncio.get_running_loop().create_future()

    def say(self, octets: bytes) -> None:
        """Write these octets and nothing more."""
        self._writer.write(octets)

    async def push(self, status: str | bytes) -> None:
        """Answer, unless the answer is given already."""
        if status:
            await super().push(status)

    async def _goes_on(self, step: Step) -> bool:
        fault = self._wire.fault(step)
        if fault is None:
            return True
        if isinstance(fault, Raw):
            self.say(fault.octets)
            return False
        if not isinstance(fault, Answer):
            await self.fail(fault)
        await self.push(fault.line)
        if fault.line.startswith("421"):
            self.transport.close()
        return False

    async def _handle_client(self) -> None:
        if await self._goes_on(Step.GREETING):
            await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 -- aiosmtpd finds its commands by these names
        if await self._goes_on(Step.EHLO):
            await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.STARTTLS):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.AUTH):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.MAIL):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.RCPT):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.DATA):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.RSET):
            await super().smtp_RSET(arg)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self._goes_on(Step.NOOP):
            await super().smtp_NOOP(arg)

    def _authenticate_user(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        login = (data.login.decode(), data.password.decode())
        self._wire.logins.append(login)
        self._wire.mechanisms.append(mechanism)
        return AuthResult(success=login == self._wire.credentials, handled=False)


@asynccontextmanager
async def smtp_wire(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit_tls: ssl.SSLContext | None = None,
    size_limit: int | None = None,
    port: int = 0,
) -> AsyncIterator[SmtpWire]:
    """Serve on a random port, with STARTTLS or implicit TLS if a server context is given."""
    wire = SmtpWire()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Session(wire, starttls, size_limit), wire.hostname, port, ssl=implicit_tls
    )
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.drop_all()
        await server.wait_closed()
        await wire.everybody_left()
