"""Which provider a mail goes to, and one attempt at it. Going on elsewhere is the caller's committed decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from opentelemetry import trace

from providers.health import Health
from providers.message import OutboundMessage
from providers.provider import Begin, Capability, EmailProvider
from providers.receipt import Outcome, SendReceipt

_LOG: Final = structlog.stdlib.get_logger("providers.manager")

ATTEMPT_TIMEOUT: Final = timedelta(minutes=20)
"""The end of any attempt: more than the wait for a connection and an SMTP transaction with all its own time-outs."""


class _Mark:
    """Passes `begin` on and remembers whether the provider was allowed past its point of no return."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.passed = False

    async def __call__(self) -> bool:
        self.passed = await self._begin()
        return self.passed


@dataclass(frozen=True, slots=True)
class Choice:
    """The providers in use."""

    primary: str
    fallback: str | None


class ProviderManager:
    """Holds the configured providers, chooses between them, makes attempts. One per process, safe under concurrency."""

    def __init__(
        self,
        providers: Mapping[str, EmailProvider],
        primary: str,
        fallback: str | None = None,
        *,
        attempt_timeout: timedelta = ATTEMPT_TIMEOUT,
        breaker_threshold: int = 5,
        breaker_pause: timedelta = timedelta(seconds=30),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tracer: trace.Tracer | None = None,
    ) -> None:
        self._providers = dict(providers)
        self._tracer = tracer
        self._now = now
        self._attempt_timeout_seconds = attempt_timeout.total_seconds()
        self._health = {name: Health(threshold=breaker_threshold, pause=breaker_pause) for name in self._providers}
        self._choice = self._checked(primary, fallback)

    @property
    def choice(self) -> Choice:
        """The names in use now."""
        return self._choice

    def switch(self, primary: str, fallback: str | None) -> None:
        """Use other providers from the next choice on; attempts that are open end where they are.

        Raises:
            KeyError: if one of them is not configured; nothing is changed then.
        """
        self._choice = self._checked(primary, fallback)

    def get(self, name: str) -> EmailProvider:
        """Return a configured provider.

        Raises:
            KeyError: if it is not configured.
        """
        return self._providers[name]

    def is_known(self, name: str) -> bool:
        """Tell whether a provider of this name is configured."""
        return name in self._providers

    def is_idempotent(self, name: str) -> bool:
        """Tell whether a repeat at this provider is safe."""
        return Capability.IDEMPOTENCY in self._providers[name].capabilities

    def choose(self, *, from_domain: str, fallback_domain: str | None = None) -> str:
        """Return the provider of a first attempt: the primary, unless only the fallback can take the mail now.

        `fallback_domain` is the sender's domain at the fallback, where it is another. If neither can take it, it is the
        primary: its answer is the reason that the caller records.
        """
        primary, fallback = self._choice.primary, self._choice.fallback
        if fallback is None or self._is_usable(primary, from_domain):
            return primary
        return fallback if self._is_usable(fallback, fallback_domain or from_domain) else primary

    def other(self, name: str, from_domain: str) -> str | None:
        """Return where a mail that `name` certainly did not take may go on, or None."""
        for candidate in (self._choice.primary, self._choice.fallback):
            if candidate is not None and candidate != name and self._is_usable(candidate, from_domain):
                return candidate
        return None

    def paused_until(self, name: str) -> datetime | None:
        """Return until when the provider's account is over its rate, or None."""
        return self._health[name].paused_until(self._now())

    async def send(self, name: str, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt at one provider, in a span where there is a tracer. Never raises for what the provider does.

        A time-out or an error of the provider's code is `unknown` where the mail may have left, else `not_sent`.
        """
        if self._tracer is None:
            return await self._attempt(name, message, begin)
        # Exceptions are not recorded by the span: their messages may hold an address.
        with self._tracer.start_as_current_span(
            f"send {name}",
            kind=trace.SpanKind.CLIENT,
            attributes={"outbound.provider": name, "outbound.notification_id": str(message.notification_id)},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            receipt = await self._attempt(name, message, begin)
            span.set_attribute("outbound.outcome", receipt.outcome.value)
            if receipt.error is not None:
                span.set_attribute("error.type", receipt.error)
                span.set_status(trace.StatusCode.ERROR)
        return receipt

    async def _attempt(self, name: str, message: OutboundMessage, begin: Begin) -> SendReceipt:
        health, domain = self._health[name], message.from_.domain
        health.started(domain, self._now())
        mark = _Mark(begin)
        try:
            async with asyncio.timeout(self._attempt_timeout_seconds):
                receipt = await self._providers[name].send(message, mark)
        except TimeoutError:
            receipt = self._broken(name, message, mark, "attempt_timeout")
        except asyncio.CancelledError:
            health.abandoned(domain)
            raise
        except Exception as error:  # noqa: BLE001 -- a provider may come from another distribution
            _LOG.error("provider.broke_its_contract", provider=name, error=type(error).__name__)
            receipt = self._broken(name, message, mark, "provider_error")
        health.record(receipt, self._now())
        return receipt

    async def aclose(self) -> None:
        """Close every provider, also after one of them failed to."""
        results = await asyncio.gather(
            *(provider.aclose() for provider in self._providers.values()), return_exceptions=True
        )
        for name, result in zip(self._providers, results, strict=True):
            if isinstance(result, BaseException):
                _LOG.error("provider.close_failed", provider=name, error=type(result).__name__)

    def _checked(self, primary: str, fallback: str | None) -> Choice:
        for name in (primary, fallback):
            if name is not None and name not in self._providers:
                raise KeyError(name)
        return Choice(primary, fallback if fallback != primary else None)

    def _is_usable(self, name: str, from_domain: str) -> bool:
        return self._providers[name].may_send_from(from_domain) and self._health[name].allows(from_domain, self._now())

    def _broken(self, name: str, message: OutboundMessage, mark: _Mark, error: str) -> SendReceipt:
        may_have_left = mark.passed or self.is_idempotent(name)
        return SendReceipt(
            provider=name,
            outcome=Outcome.UNKNOWN if may_have_left else Outcome.NOT_SENT,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            error=error,
            tags=message.tags,
        )
