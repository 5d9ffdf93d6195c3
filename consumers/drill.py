"""Proves on a schedule that the fallback would take mail, before it is needed: one canary to a sink address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import mode
import structlog
from prometheus_client import CollectorRegistry, Counter

from consumers.repeating import repeat
from providers.manager import ProviderManager
from providers.receipt import Outcome, SendReceipt
from storage.provider_settings import ProviderSettings

log = structlog.get_logger()

_ASK_SECONDS = 60.0

SendCanary = Callable[[str], Awaitable[SendReceipt]]
"""Sends one canary through the provider of a name."""


class Drill(mode.Service):
    """Asks once a minute whether a drill of the fallback in use is due; of all workers, one is told yes."""

    def __init__(
        self,
        *,
        providers: ProviderManager,
        settings: ProviderSettings,
        send: SendCanary,
        every: timedelta,
        name: str,
        registry: CollectorRegistry,
        **options: Any,
    ) -> None:
        self._providers = providers
        self._settings = settings
        self._send = send
        self._every = every
        self._actor = f"worker {name}"
        self._unrecorded: SendReceipt | None = None
        self._drills = Counter(
            "outbound_drills", "Drills of the fallback by outcome.", ["provider", "outcome"], registry=registry
        )
        super().__init__(**options)

    @mode.Service.task
    async def _run(self) -> None:
        await repeat(self, "drill", self._drill_once)

    async def _drill_once(self) -> float:
        await self._record()
        fallback = self._providers.choice.fallback
        if fallback is None or not await self._settings.claim_drill(fallback, self._every):
            return _ASK_SECONDS
        receipt = await self._send(fallback)
        self._drills.labels(fallback, receipt.outcome.value).inc()
        if receipt.outcome is Outcome.ACCEPTED:
            log.info("provider.drilled", provider=fallback)
        else:
            log.error(
                "provider.drill_failed",
                provider=fallback,
                outcome=receipt.outcome.value,
                error=receipt.error,
                reply_code=receipt.reply_code,
            )
        self._unrecorded = receipt
        await self._record()
        return _ASK_SECONDS

    async def _record(self) -> None:
        """Write down what the last drill came to; what Postgres does not take now, it gets at the next turn."""
        if self._unrecorded is None:
            return
        receipt = self._unrecorded
        await self._settings.drilled(receipt.provider, receipt.outcome.value, _detail(receipt), self._actor)
        self._unrecorded = None


def _detail(receipt: SendReceipt) -> Mapping[str, Any]:
    return {
        "error": receipt.error,
        "reply": receipt.smtp_response,
        "reply_code": receipt.reply_code,
        "provider_message_id": receipt.provider_message_id,
    }
