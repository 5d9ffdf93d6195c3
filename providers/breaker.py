"""A circuit breaker: after failures in a row, nobody asks for a while; then one attempt finds out for all."""

from __future__ import annotations

from datetime import datetime, timedelta


class Breaker:
    """Closed until `threshold` failures in a row, then open for `pause`, then half open: one attempt at a time.

    Time is always an argument. Not shared between processes: each finds out within its own few attempts.
    """

    def __init__(self, *, threshold: int, pause: timedelta) -> None:
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._open_until: datetime | None = None
        self._probing_since: datetime | None = None

    def allows(self, now: datetime) -> bool:
        """Tell whether an attempt makes sense now."""
        if self._open_until is None:
            return True
        if now < self._open_until:
            return False
        # A probe that never reports (its task was cancelled) must not close the way for ever.
        return self._probing_since is None or now - self._probing_since >= self._pause

    def started(self, now: datetime) -> None:
        """Take note of an attempt; in the half-open state it is the probe."""
        if self._open_until is not None and now >= self._open_until and self._probing_since is None:
            self._probing_since = now

    def failed(self, now: datetime, pause: timedelta | None = None) -> None:
        """Count a failure. With a `pause` of its own (a used-up quota) it opens at once, for that long."""
        self._failures += 1
        if pause is not None or self._failures >= self._threshold:
            self._open_until = now + (pause or self._pause)
            self._probing_since = None

    def succeeded(self) -> None:
        """Close: the far end did its work, whatever it thought of the mail."""
        self._failures = 0
        self._open_until = None
        self._probing_since = None

    def abandoned(self) -> None:
        """Forget a probe that proved nothing, so that the next attempt is one."""
        self._probing_since = None
