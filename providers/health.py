"""What recent attempts say about one provider: the whole of it, and each sending domain at it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from providers.breaker import Breaker
from providers.receipt import NOT_BEGUN, QUOTA, SENDER_REFUSED, Outcome, SendReceipt

_UNTOUCHED: Final = frozenset({Outcome.UNKNOWN, Outcome.THROTTLED})


class Health:
    """One breaker for the provider, one for each domain whose From it refuses, and the pause its rate limit asks for.

    A refused sender domain says nothing about the other tenants' domains, so it opens only its own breaker.
    """

    def __init__(self, *, threshold: int, pause: timedelta) -> None:
        self._threshold = threshold
        self._pause = pause
        self._breaker = Breaker(threshold=threshold, pause=pause)
        self._domains: dict[str, Breaker] = {}
        self._paused_until: datetime | None = None

    def allows(self, domain: str, now: datetime) -> bool:
        """Tell whether an attempt from this domain makes sense now. A rate limit does not count: one waits for it."""
        refused = self._domains.get(domain)
        return self._breaker.allows(now) and (refused is None or refused.allows(now))

    def paused_until(self, now: datetime) -> datetime | None:
        """Return the end of the pause, if one is on."""
        return self._paused_until if self._paused_until is not None and now < self._paused_until else None

    def started(self, domain: str, now: datetime) -> None:
        """Take note of an attempt."""
        self._breaker.started(now)
        if domain in self._domains:
            self._domains[domain].started(now)

    def abandoned(self, domain: str) -> None:
        """Forget an attempt that ended without an outcome."""
        self._breaker.abandoned()
        if domain in self._domains:
            self._domains[domain].abandoned()

    def record(self, receipt: SendReceipt, now: datetime) -> None:
        """Learn from an outcome."""
        if receipt.outcome is Outcome.THROTTLED and receipt.retry_after is not None:
            self._paused_until = max(self._paused_until or now, now + receipt.retry_after)
        if receipt.outcome in _UNTOUCHED or receipt.error == NOT_BEGUN:
            self.abandoned(receipt.from_domain)
        elif receipt.error == SENDER_REFUSED and receipt.outcome is Outcome.MISCONFIGURED:
            self._breaker.succeeded()
            self._domain(receipt.from_domain).failed(now)
        elif receipt.outcome in {Outcome.NOT_SENT, Outcome.MISCONFIGURED}:
            self._breaker.failed(now, receipt.retry_after if receipt.error == QUOTA else None)
        else:
            self._breaker.succeeded()
            self._domains.pop(receipt.from_domain, None)

    def _domain(self, domain: str) -> Breaker:
        return self._domains.setdefault(domain, Breaker(threshold=self._threshold, pause=self._pause))
