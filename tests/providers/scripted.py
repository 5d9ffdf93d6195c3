"""A provider that answers as told, and a clock that goes as told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.message import OutboundMessage
from providers.provider import Begin, Capability
from providers.receipt import Outcome, SendReceipt

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DOMAIN = "acme.example.com"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class ScriptedProvider:
    """Answers as told: receipts, exceptions, or waiting for ever."""

    def __init__(self, name: str, *, idempotent: bool = False, domains: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.account_rate: float | None = None
        self.capabilities = frozenset({Capability.IDEMPOTENCY}) if idempotent else frozenset[Capability]()
        self.answer: dict[str, Any] | Exception | None = {"outcome": Outcome.ACCEPTED}
        self.asks = True
        self.closed = False
        self.sent = 0
        self._domains = domains

    def validate_config(self) -> list[str]:
        return []

    def may_send_from(self, domain: str) -> bool:
        return not self._domains or domain in self._domains

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        self.sent += 1
        if self.asks:
            await begin()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        return SendReceipt(
            provider=self.name,
            timestamp=NOW,
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            **(self.answer or {}),
        )

    async def is_healthy(self) -> bool:
        return True

    async def aclose(self) -> None:
        self.closed = True
