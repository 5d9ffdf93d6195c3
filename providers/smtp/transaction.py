"""One mail on one connection, phase by phase (RFC 5321 §3.3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from providers.message import OutboundMessage
from providers.provider import Begin
from providers.receipt import NOT_BEGUN, Outcome
from providers.smtp.config import SmtpConfig
from providers.smtp.connection import SERVICE_CLOSING, Connection, ConnectionLostError
from providers.smtp.meanings import Verdict
from providers.smtp.replies import Phase, Reply, classify

_RESET_TIMEOUT_SECONDS: Final = 10.0
_START_MAIL_INPUT: Final = 354  # RFC 5321 §4.2.3
_PIECE_BYTES: Final = 64 * 1024


class StaleConnectionError(Exception):
    """A reused connection turned out to be dead or closing at MAIL."""


class Transaction:
    """One mail on one connection. After `run`, `reply` is the answer that decided and `connection_is_clean` its use."""

    def __init__(self, message: OutboundMessage, content: bytes, config: SmtpConfig, begin: Begin) -> None:
        self.content = content
        self.reply: Reply | None = None
        self.connection_is_clean = False
        self._message = message
        self._config = config
        self._begin = begin
        self._phase = Phase.MAIL

    async def run(self, connection: Connection) -> Verdict:
        """Take the mail through its phases and return what came of it."""
        if 0 < connection.max_size < len(self.content):
            self.connection_is_clean = True
            return Verdict(Outcome.PERMANENT, "too_large")
        reused = connection.mails > 1
        try:
            # One timer for all commands: aiosmtplib's own, one per reply, are measurable at this rate.
            async with asyncio.timeout(self._config.command_timeout.total_seconds()) as timer:
                refusal = await self._envelope(connection, reused=reused)
                if refusal is None:
                    self._phase = Phase.BEGIN
                    timer.reschedule(None)  # how long `begin` takes is its caller's affair
                    if not await self._begin():
                        refusal = Verdict(Outcome.NOT_SENT, NOT_BEGUN)
                    else:
                        return await self._data(connection, timer)
        except ConnectionLostError:
            return self._interrupted("lost")
        except TimeoutError:
            return self._interrupted("timeout")
        await self._reset(connection)
        return refusal

    async def _envelope(self, connection: Connection, *, reused: bool) -> Verdict | None:
        """Send MAIL and RCPT; return the refusal, if one of them is refused."""
        size = b" SIZE=%d" % len(self.content) if connection.announces_size else b""
        try:
            reply = await connection.command(b"MAIL FROM:<%s>%s" % (self._message.mail_from.encode("ascii"), size))
        except ConnectionLostError as error:
            if reused:
                raise StaleConnectionError from error
            raise
        if reused and reply.code == SERVICE_CLOSING:
            raise StaleConnectionError
        if not reply.is_positive:
            return self._refused(reply)
        self._phase = Phase.RCPT
        reply = await connection.command(b"RCPT TO:<%s>" % self._message.rcpt_to.encode("ascii"))
        return None if reply.is_positive else self._refused(reply)

    async def _data(self, connection: Connection, timer: asyncio.Timeout) -> Verdict:
        self._phase = Phase.DATA
        _restart(timer, self._config.command_timeout)
        reply = await connection.command(b"DATA")
        if reply.code != _START_MAIL_INPUT:
            verdict = self._refused(reply)
            await self._reset(connection)
            return verdict
        last = await self._most_of_content(connection, timer)
        _restart(timer, self._config.data_timeout)
        connection.write_content(last)
        # From here on the server may have everything: the write is one call, and we cannot know what the kernel sent.
        self._phase = Phase.DOT
        self.reply = await connection.content_reply()
        verdict = classify(self._phase, self.reply)
        self.connection_is_clean = verdict.outcome is not Outcome.UNKNOWN
        return verdict

    async def _most_of_content(self, connection: Connection, timer: asyncio.Timeout) -> bytes:
        """Write all pieces of a large content but the last, and return that: until it is written, nothing is sent."""
        content = dot_stuffed(self.content)
        if len(content) <= _PIECE_BYTES:
            return content
        self._phase = Phase.CONTENT
        start = 0
        while len(content) - start > _PIECE_BYTES:
            _restart(timer, self._config.block_timeout)
            await connection.write_piece(content[start : start + _PIECE_BYTES])
            start += _PIECE_BYTES
        return content[start:]

    def _refused(self, reply: Reply) -> Verdict:
        self.reply = reply
        return classify(self._phase, reply)

    def _interrupted(self, how: str) -> Verdict:
        outcome = Outcome.UNKNOWN if self._phase is Phase.DOT else Outcome.NOT_SENT
        return Verdict(outcome, f"{self._phase}_{how}")

    async def _reset(self, connection: Connection) -> None:
        """End the transaction without a mail, so that the connection can serve the next one."""
        if self.reply is not None and not self.reply.is_refusal:  # not an answer: out of step
            return
        try:
            async with asyncio.timeout(_RESET_TIMEOUT_SECONDS):
                self.connection_is_clean = (await connection.command(b"RSET")).is_positive
        except (ConnectionLostError, TimeoutError):
            self.connection_is_clean = False


def _restart(timer: asyncio.Timeout, span: timedelta) -> None:
    timer.reschedule(asyncio.get_running_loop().time() + span.total_seconds())


def dot_stuffed(content: bytes) -> bytes:
    """Return serialized content as DATA carries it (RFC 5321 §4.5.2), the final dot included."""
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + b".\r\n"
