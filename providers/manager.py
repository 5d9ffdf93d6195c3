"""Which provider a mail goes to, and one attempt at it. Going on elsewhere is the caller's committed decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from opentelemetry import trace

from providers.choice import Choice
from providers.health import Health, Pause
from providers.message import OutboundMessage
from providers.provider import Begin, Capability, EmailProvider
from providers.receipt import PAUSED, Outcome, SendReceipt

_LOG: Final = structlog.stdlib.get_logger("providers.manager")

ATTEMPT_TIMEOUT: Final = timedelta(minutes=20)
"""The end of any attempt: more than the wait for a connection and an SMTP transaction with all its own time-outs."""
_ALERT_EVERY: Final = timedelta(minutes=1)


class _Mark:
    """Passes `begin` on and remembers whether the provider was allowed past its point of no return."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.passed = False

    async def __call__(self) -> bool:
        self.passed = await self._begin()
        return self.passed


class ProviderManager:
    """Holds the configured providers, orders them, makes attempts. One per process, safe under concurrency.

    `find` makes a provider that is not among `providers` when it is first asked for; None where it is not configured.
    """

    def __init__(
        self,
        providers: Mapping[str, EmailProvider],
        choice: Choice,
        *,
        find: Callable[[str], EmailProvider | None] = lambda _: None,
        attempt_timeout: timedelta = ATTEMPT_TIMEOUT,
        breaker_threshold: int = 5,
        breaker_pause: timedelta = timedelta(seconds=30),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tracer: trace.Tracer | None = None,
    ) -> None:
        self._providers: dict[str, EmailProvider | None] = dict(providers)
        self._find = find
        self._tracer = tracer
        self._now = now
        self._attempt_timeout_seconds = attempt_timeout.total_seconds()
        self._breaker_threshold = breaker_threshold
        self._breaker_pause = breaker_pause
        self._health: dict[str, Health] = {}
        self._alerted: dict[tuple[str, str | None, str], datetime] = {}
        self._choice = choice
        self.switch(choice)

    @property
    def choice(self) -> Choice:
        """What is in use now."""
        return self._choice

    def switch(self, choice: Choice) -> None:
        """Use other providers from the next choice on; attempts that are open end where they are.

        Raises:
            KeyError: if one of them is not configured; nothing is changed then.
        """
        for name in choice.names:
            self.get(name)
        self._choice = choice

    def get(self, name: str) -> EmailProvider:
        """Return a configured provider.

        Raises:
            KeyError: if it is not configured.
        """
        if name not in self._providers:
            self._providers[name] = self._find(name)
        provider = self._providers[name]
        if provider is None:
            raise KeyError(name)
        return provider

    def is_known(self, name: str) -> bool:
        """Tell whether a provider of this name is configured."""
        try:
            self.get(name)
        except KeyError:
            return False
        return True

    def is_idempotent(self, name: str) -> bool:
        """Tell whether a repeat at this provider is safe."""
        return Capability.IDEMPOTENCY in self.get(name).capabilities

    def pause(self, name: str, from_domain: str) -> Pause | None:
        """Return why an attempt at a provider makes no sense now, or None."""
        return self._health_of(name).pause(from_domain, self._now())

    def rests(self) -> dict[str, Pause]:
        """Return the rests that were learnt here and that no other process was told of yet."""
        return {
            name: health.rest
            for name, health in self._health.items()
            if health.is_rest_news and health.rest is not None
        }

    def told(self, rests: Mapping[str, Pause]) -> None:
        """Take note that other processes can know these rests; one that was learnt meanwhile is still news."""
        for name, rest in rests.items():
            health = self._health_of(name)
            if health.rest == rest:
                health.is_rest_news = False

    def share(self, rests: Mapping[str, Pause]) -> None:
        """Let every provider rest as long as all processes together know, unless something newer was learnt here."""
        for name in {*self._health, *rests}:
            health = self._health_of(name)
            if not health.is_rest_news:
                health.rest = rests.get(name)

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
        health, domain = self._health_of(name), message.from_.domain
        # It may have been opened before the provider fell ill: that must not cost it one of its attempts.
        if (pause := health.pause(domain, self._now())) is not None:
            return self._paused(name, message, pause)
        health.started(domain, self._now())
        mark = _Mark(begin)
        try:
            async with asyncio.timeout(self._attempt_timeout_seconds):
                receipt = await self.get(name).send(message, mark)
        except TimeoutError:
            receipt = self._broken(name, message, mark, "attempt_timeout")
        except asyncio.CancelledError:
            health.abandoned(domain)
            raise
        except Exception as error:  # noqa: BLE001 -- a provider may come from another distribution
            _LOG.error("provider.broke_its_contract", provider=name, error=type(error).__name__)
            receipt = self._broken(name, message, mark, "provider_error")
        is_turned_away = health.record(receipt, self._now())
        if is_turned_away or receipt.outcome is Outcome.MISCONFIGURED:
            self._alert(receipt, is_turned_away=is_turned_away)
        return receipt

    async def aclose(self) -> None:
        """Close every provider, also after one of them failed to."""
        made = {name: provider for name, provider in self._providers.items() if provider is not None}
        results = await asyncio.gather(*(provider.aclose() for provider in made.values()), return_exceptions=True)
        for name, result in zip(made, results, strict=True):
            if isinstance(result, BaseException):
                _LOG.error("provider.close_failed", provider=name, error=type(result).__name__)

    def _health_of(self, name: str) -> Health:
        if name not in self._health:
            self._health[name] = Health(threshold=self._breaker_threshold, pause=self._breaker_pause)
        return self._health[name]

    def _alert(self, receipt: SendReceipt, *, is_turned_away: bool) -> None:
        """Say what an operator has to mend: each time mail is turned away, and else at most once a minute."""
        now, about = self._now(), (receipt.provider, receipt.error, receipt.from_domain)
        if not is_turned_away and now - self._alerted.get(about, now - _ALERT_EVERY) < _ALERT_EVERY:
            return
        self._alerted[about] = now
        _LOG.error(
            "provider.misconfigured" if receipt.outcome is Outcome.MISCONFIGURED else "provider.turned_away",
            provider=receipt.provider,
            error=receipt.error,
            domain=receipt.from_domain,
            reply_code=receipt.reply_code,
        )

    def _paused(self, name: str, message: OutboundMessage, pause: Pause) -> SendReceipt:
        return SendReceipt(
            provider=name,
            outcome=Outcome.NOT_SENT if pause.may_go_elsewhere else Outcome.THROTTLED,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            error=PAUSED,
            retry_after=pause.until - self._now(),
            tags=message.tags,
        )

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
