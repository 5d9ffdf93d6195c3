"""The SMTP provider: one transaction per mail, its phase always known."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from providers.errors import InvalidConfigError
from providers.message import OutboundMessage
from providers.mime import serialize
from providers.provider import Begin, Capability
from providers.receipt import Outcome, SendReceipt
from providers.smtp.config import DkimConfig, SmtpConfig
from providers.smtp.connection import ConnectError, Connection, ConnectionLostError, open_connection
from providers.smtp.meanings import Verdict
from providers.smtp.pool import ConnectionPool
from providers.smtp.replies import Phase, Reply, classify
from providers.smtp.transaction import StaleConnectionError, Transaction

if TYPE_CHECKING:
    from providers.smtp.dkim import DkimSigner


class SmtpProvider:
    """Sends through one relay over pooled connections. Without idempotency, so `begin` is awaited before DATA.

    Raises:
        InvalidConfigError: if there is a key to sign with that cannot be read.
    """

    def __init__(
        self,
        config: SmtpConfig,
        *,
        tls_context: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._now = now
        # One context for all connections: making one costs milliseconds and reads the certificate store.
        self._tls_context = tls_context
        if tls_context is None and config.tls != "none":
            self._tls_context = ssl.create_default_context()
        self._signer = None if config.dkim is None else _signer(config.dkim)
        self._pool = ConnectionPool(
            self._connect,
            size=config.pool_size,
            max_idle=config.max_idle,
            mails_per_connection=config.mails_per_connection,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> Self:
        """Return a provider configured by EMAIL_*, OUTBOUND_SMTP_* and OUTBOUND_DKIM_* (see SmtpConfig.from_mapping).

        Raises:
            InvalidConfigError: if one of them cannot be read.
        """
        return cls(SmtpConfig.from_mapping(config))

    @property
    def name(self) -> str:
        """The registered name."""
        return "smtp"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """MIME carries everything; but a repeat is a second mail, and the relay reports nothing afterwards."""
        return frozenset({Capability.ATTACHMENTS, Capability.INLINE_IMAGES})

    @property
    def account_rate(self) -> float | None:
        """No limit is known: a relay that has one says 421 or 4.7.x."""
        return None

    def validate_config(self) -> list[str]:
        """Return what is missing or wrong in the configuration, one sentence each; the key file as it is now."""
        problems = self._config.problems()
        if self._config.dkim is not None:
            try:
                _signer(self._config.dkim)
            except InvalidConfigError as error:
                problems.append(f"{error}.")
        return problems

    def may_send_from(self, domain: str) -> bool:
        """Tell whether the relay may be used for this From domain; all are allowed if none was configured."""
        return not self._config.domains or domain.lower() in self._config.domains

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt. A loss before the content is sent is `not_sent`, from then to its reply `unknown`."""
        transaction = Transaction(message, await self._content(message), self._config, begin)
        try:
            connection = await self._pool.acquire()
            try:
                verdict = await self._run(transaction, connection)
            except StaleConnectionError:
                # It died while idle, before anything was asked of it: that must not cost the mail an attempt.
                transaction = Transaction(message, transaction.content, self._config, begin)
                verdict = await self._run(transaction, await self._pool.acquire(fresh=True))
        except ConnectError as error:
            return self._receipt(message, _connect_verdict(error), error.reply)
        return self._receipt(message, verdict, transaction.reply)

    async def is_healthy(self) -> bool:
        """Tell whether the relay lets us in, on a new connection, and answers NOOP."""
        try:
            async with asyncio.timeout(self._config.connect_timeout.total_seconds()):
                connection = await self._pool.acquire(fresh=True)
                healthy = False
                try:
                    healthy = (await connection.command(b"NOOP")).is_positive
                finally:
                    self._give_back(connection, clean=healthy)
        except (ConnectError, ConnectionLostError, TimeoutError):
            return False
        return healthy

    async def aclose(self) -> None:
        """Close the connections; those in use when their attempt ends."""
        self._pool.close()

    async def _content(self, message: OutboundMessage) -> bytes:
        content = serialize(message)
        if self._signer is None or not self._signer.is_for(message.from_.domain):
            return content
        # Milliseconds of arithmetic: in a thread, where it takes turns with the loop.
        return await asyncio.to_thread(self._signer.signed, content, message.date)

    async def _connect(self) -> Connection:
        return await open_connection(self._config, self._tls_context)

    async def _run(self, transaction: Transaction, connection: Connection) -> Verdict:
        clean = False
        try:
            verdict = await transaction.run(connection)
            clean = transaction.connection_is_clean
        finally:
            self._give_back(connection, clean=clean)
        return verdict

    def _give_back(self, connection: Connection, *, clean: bool) -> None:
        if clean:
            self._pool.release(connection)
        else:
            self._pool.discard(connection)

    def _receipt(self, message: OutboundMessage, verdict: Verdict, reply: Reply | None) -> SendReceipt:
        accepted = verdict.outcome is Outcome.ACCEPTED
        return SendReceipt(
            provider=self.name,
            outcome=verdict.outcome,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            provider_message_id=message.message_id if accepted else None,
            smtp_response=None if reply is None else f"{reply.code} {reply.text}",
            reply_code=None if reply is None else reply.code,
            enhanced_status_code=None if reply is None else reply.enhanced_status_code,
            error=verdict.error,
            retry_after=verdict.retry_after,
            recipient_refused=verdict.recipient_refused,
            tags=message.tags,
        )


def _signer(config: DkimConfig) -> DkimSigner:
    from providers.smtp.dkim import DkimSigner  # noqa: PLC0415 - dkimpy takes a DNS client along: 0.1 s, for few

    return DkimSigner.from_config(config)


def _connect_verdict(error: ConnectError) -> Verdict:
    if error.reply is not None:
        return classify(error.phase, error.reply)
    if error.phase is Phase.AUTH and error.error.endswith("_unsupported"):
        return Verdict(Outcome.MISCONFIGURED, error.error)
    return Verdict(Outcome.NOT_SENT, error.error)
