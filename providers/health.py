"""What recent attempts say about one provider: the whole of it, and each sending domain at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from providers.breaker import Breaker
from providers.receipt import NOT_BEGUN, PAUSED, QUOTA, SENDER_REFUSED, Outcome, SendReceipt

_UNTOUCHED: Final = frozenset({Outcome.UNKNOWN, Outcome.THROTTLED})
_DEFAULT_QUOTA: Final = timedelta(hours=1)
"""How long a quota is taken for used up where the provider does not say."""


class PauseReason(StrEnum):
    """Why nothing is asked of a provider for now."""

    THROTTLED = "throttled"
    """Its rate limit asks for it. It is a matter of seconds: one waits, and does not go elsewhere."""
    QUOTA = "quota"
    """The account's day or month is used up. Mail goes elsewhere where it may, else it waits."""
    BREAKER = "breaker"
    """Too many attempts failed. Mail goes elsewhere where it may, else it waits."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when a provider rests, and why."""

    until: datetime
    reason: PauseReason

    @property
    def may_go_elsewhere(self) -> bool:
        """Whether another provider may be asked instead of waiting."""
        return self.reason is not PauseReason.THROTTLED


class Health:
    """A breaker for the provider, one for each domain whose From it refuses, and the rest that its account needs.

    A refused sender domain says nothing about the other tenants' domains, so it opens only its own breaker.
    """

    def __init__(self, *, threshold: int, pause: timedelta) -> None:
        self._threshold = threshold
        self._pause = pause
        self._breaker = Breaker(threshold=threshold, pause=pause)
        self._domains: dict[str, Breaker] = {}
        self.rest: Pause | None = None
        """The account's rest: the same for every process that uses it, so it is shared."""
        self.is_rest_news = False
        """Whether the rest was learnt here and is not shared yet."""

    def pause(self, domain: str, now: datetime) -> Pause | None:
        """Return why an attempt from this domain makes no sense now, or None."""
        rest = self.rest if self.rest is not None and now < self.rest.until else None
        if rest is not None and rest.reason is PauseReason.QUOTA:
            return rest
        refused = self._domains.get(domain)
        blocked = [
            until
            for breaker in (self._breaker, refused)
            if breaker is not None and (until := breaker.blocked_until(now)) is not None
        ]
        return Pause(max(blocked), PauseReason.BREAKER) if blocked else rest

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

    def record(self, receipt: SendReceipt, now: datetime) -> bool:
        """Learn from an outcome; tell whether it opened a breaker or used up the quota."""
        if receipt.outcome is Outcome.THROTTLED and receipt.error != PAUSED and receipt.retry_after is not None:
            self._rest(Pause(now + receipt.retry_after, PauseReason.THROTTLED), now)
        if receipt.error == QUOTA:
            self.abandoned(receipt.from_domain)
            return self._rest(Pause(now + (receipt.retry_after or _DEFAULT_QUOTA), PauseReason.QUOTA), now)
        if receipt.outcome in _UNTOUCHED or receipt.error in {NOT_BEGUN, PAUSED}:
            self.abandoned(receipt.from_domain)
            return False
        if receipt.error == SENDER_REFUSED and receipt.outcome is Outcome.MISCONFIGURED:
            self._breaker.succeeded(now)
            return self._domain(receipt.from_domain).failed(now)
        if receipt.outcome in {Outcome.NOT_SENT, Outcome.MISCONFIGURED}:
            if receipt.from_domain in self._domains:
                self._domains[receipt.from_domain].abandoned()  # it did not come to that
            return self._breaker.failed(now)
        self._breaker.succeeded(now)
        self._domains.pop(receipt.from_domain, None)
        return False

    def _rest(self, rest: Pause, now: datetime) -> bool:
        """Rest until the later of two ends, for a quota rather than for a rate."""
        held = self.rest if self.rest is not None and now < self.rest.until else None
        if held is not None and (held.reason is PauseReason.QUOTA, held.until) >= (
            rest.reason is PauseReason.QUOTA,
            rest.until,
        ):
            return False
        self.rest, self.is_rest_news = rest, True
        return rest.reason is PauseReason.QUOTA

    def _domain(self, domain: str) -> Breaker:
        return self._domains.setdefault(domain, Breaker(threshold=self._threshold, pause=self._pause))
