"""One SMTP connection: the only place that touches aiosmtplib.

aiosmtplib's own `data()` raises the same error whether the connection was lost before the content or after the final
dot, so the transaction is driven one command at a time here. `SMTP.protocol` with its `write` and `read_response` is
public but not documented, which is one reason why the version is pinned exactly.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import Final

import aiosmtplib
from aiosmtplib import SMTPResponse
from aiosmtplib.protocol import SMTPProtocol

from providers.smtp.config import SmtpConfig
from providers.smtp.replies import Phase, Reply

SERVICE_CLOSING: Final = 421
_PERMANENT: Final = range(500, 600)
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 §3
_METHOD_UNKNOWN: Final = 504  # RFC 4954 §4: announced, but not there; it says nothing about the password


class ConnectionLostError(Exception):
    """The connection ended while an answer was awaited."""


class ConnectError(Exception):
    """A connection could not be made. `phase` says how far it got, `reply` holds the refusal if there was one."""

    def __init__(self, phase: Phase, error: str, reply: Reply | None = None) -> None:
        super().__init__(f"{phase}: {error}")
        self.phase = phase
        self.error = error
        self.reply = reply


class Connection:
    """A connection that is ready for MAIL. Used by one attempt at a time; the pool sees to that."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self._smtp = smtp
        self.mails = 0
        """How many attempts it has served."""
        self.idle_since = 0.0
        """When it was last put back, on the loop's clock."""
        size = smtp.esmtp_extensions.get("size", "")
        self.announces_size = smtp.supports_extension("size")
        self.max_size = int(size) if _SIZE.fullmatch(size) is not None else 0
        """The largest message the server takes, in octets (RFC 1870); 0 is no limit."""

    @property
    def is_alive(self) -> bool:
        """Tell whether the transport is open, as far as this side knows."""
        return self._smtp.is_connected

    async def command(self, line: bytes) -> Reply:
        """Send one command and return its answer.

        Raises:
            ConnectionLostError: if the connection ends before the answer.
            ValueError: if it is more than one line.
        """
        if b"\r" in line or b"\n" in line:
            raise ValueError("a command is one line")
        # Not SMTP.execute_command: its lock, checks and layers cost as much as the rest of a command, and the pool
        # already gives a connection to one attempt at a time.
        self._write(line + b"\r\n")
        return await self.content_reply()

    def write_content(self, octets: bytes) -> None:
        """Hand dot-stuffed content, or its last piece, with the final dot to the transport, whole.

        Raises:
            ConnectionLostError: if the connection has ended; nothing was written then.
        """
        self._write(octets)

    async def write_piece(self, octets: bytes) -> None:
        """Write a piece of a large content; return when the far end has taken enough of it for the next one.

        Raises:
            ConnectionLostError: if the connection ends.
        """
        protocol = self._write(octets)
        try:
            # What asyncio.StreamWriter.drain calls; a StreamWriter of our own would close the transport at its end.
            await protocol._drain_helper()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        except OSError as error:
            raise ConnectionLostError from error

    def _write(self, octets: bytes) -> SMTPProtocol:
        protocol = self._smtp.protocol
        if protocol is None:
            raise ConnectionLostError
        try:
            protocol.write(octets)
        except aiosmtplib.SMTPServerDisconnected as error:
            raise ConnectionLostError from error
        return protocol

    async def content_reply(self) -> Reply:
        """Return the answer to what `write_content` wrote, to be awaited at once after it; a 421 closes.

        Raises:
            ConnectionLostError: if the connection ends before the answer.
        """
        protocol = self._smtp.protocol
        if protocol is None:
            raise ConnectionLostError
        try:
            reply = _reply(await protocol.read_response())
        except aiosmtplib.SMTPResponseException as error:
            reply = _reply(error)
        except (aiosmtplib.SMTPServerDisconnected, OSError) as error:
            raise ConnectionLostError from error
        if reply.code == SERVICE_CLOSING:
            self._smtp.close()
        return reply

    def close(self) -> None:
        """Say QUIT if there is still somebody to say it to, and close without waiting for the answer."""
        if self._smtp.protocol is not None and self._smtp.is_connected:
            self._smtp.protocol.write(b"QUIT\r\n")
        self._smtp.close()

    def abort(self) -> None:
        """Close without a word: in the middle of a transaction a QUIT could be read as content."""
        transport = self._smtp.transport
        self._smtp.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


async def open_connection(config: SmtpConfig, tls_context: ssl.SSLContext | None) -> Connection:
    """Connect, secure and authenticate as configured, within `connect_timeout` for all of it together.

    Raises:
        ConnectError: if any of it fails.
    """
    smtp = aiosmtplib.SMTP(
        hostname=config.hostname,
        port=config.port,
        use_tls=config.tls == "implicit",
        start_tls=False,  # done below, so that its failure can be told from others; None would be opportunistic
        tls_context=tls_context,
        local_hostname=config.local_hostname,
        timeout=None,  # the one around everything counts
    )
    phase = Phase.CONNECT
    with contextlib.ExitStack() as undo:
        undo.callback(smtp.close)
        try:
            async with asyncio.timeout(config.connect_timeout.total_seconds()):
                await smtp.connect()
                phase = Phase.EHLO
                await _hello(smtp)
                if config.tls == "starttls":
                    phase = Phase.TLS
                    await smtp.starttls(timeout=None)
                    await _hello(smtp)
                if config.username is not None:
                    phase = Phase.AUTH
                    await _login(smtp, config.username, config.password or "", in_clear=config.tls == "none")
        except TimeoutError as error:
            raise ConnectError(phase, f"{phase}_timeout") from error
        except aiosmtplib.SMTPResponseException as error:
            raise ConnectError(phase, f"{phase}_refused", _reply(error)) from error
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError) as error:
            raise ConnectError(phase, f"{phase}_failed") from error
        except (aiosmtplib.SMTPException, ValueError) as error:
            # No STARTTLS, no AUTH or none of our methods; ValueError: a name with characters the protocol cannot carry.
            raise ConnectError(phase, f"{phase}_unsupported") from error
        undo.pop_all()
    return Connection(smtp)


async def _hello(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo(timeout=None)
    except aiosmtplib.SMTPHeloError as error:
        if error.code not in _PERMANENT:
            raise
        await smtp.helo(timeout=None)  # RFC 5321 §3.2: a server from before ESMTP


async def _login(smtp: aiosmtplib.SMTP, username: str, password: str, *, in_clear: bool) -> None:
    """Log in once. aiosmtplib's own `login` tries a wrong password with every method: three steps to a locked account.

    PLAIN comes first under TLS, as relays that announce CRAM-MD5 seldom keep what it needs; without TLS it comes last.
    """
    methods = {"PLAIN": smtp.auth_plain, "LOGIN": smtp.auth_login, "CRAM-MD5": smtp.auth_crammd5}
    names = sorted(methods) if in_clear else list(methods)
    offered = {name.upper() for name in smtp.server_auth_methods}
    for name in names:
        if name not in offered:
            continue
        try:
            await methods[name](username, password, timeout=None)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != _METHOD_UNKNOWN:
                raise
        else:
            return
    raise aiosmtplib.SMTPNotSupported("none of our methods")


def _reply(response: SMTPResponse | aiosmtplib.SMTPResponseException) -> Reply:
    return Reply.of(response.code, response.message)
