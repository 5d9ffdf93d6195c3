"""A circuit breaker: when too many attempts fail, nobody asks for a while; then one attempt finds out for all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_WINDOW: Final = timedelta(seconds=30)
_PROBE_WATCH: Final = timedelta(seconds=1)
_LONGEST: Final = 10
"""Pauses double while probes fail, up to this many times the first one."""


class Breaker:
    """Closed, open for a pause, then half open: one attempt at a time, whose success closes it.

    It opens when at least `threshold` attempts failed within the last 30 to 60 seconds, and as many as succeeded. Time
    is always an argument. Not shared between processes: each finds out within its own few attempts.
    """

    def __init__(self, *, threshold: int, pause: timedelta) -> None:
        self._threshold = threshold
        self._pause = pause
        self._recent = _Counts()
        self._earlier = _Counts()
        self._window_ends: datetime | None = None
        self._open_until: datetime | None = None
        self._probing_since: datetime | None = None
        self._times_opened = 0

    def blocked_until(self, now: datetime) -> datetime | None:
        """Return until when no attempt makes sense, or None. While a probe is under way, ask again in a second."""
        if self._open_until is None:
            return None
        if now < self._open_until:
            return self._open_until
        # A probe that never reports (its task was cancelled) must not close the way for ever.
        if self._probing_since is None or now - self._probing_since >= self._pause:
            return None
        return now + _PROBE_WATCH

    def started(self, now: datetime) -> None:
        """Take note of an attempt; in the half-open state it is the probe."""
        if self._open_until is None or now < self._open_until:
            return
        if self._probing_since is None or now - self._probing_since >= self._pause:
            self._probing_since = now

    def failed(self, now: datetime) -> bool:
        """Count a failure; tell whether it opened the breaker."""
        self._turn(now)
        self._recent.failed += 1
        failed = self._recent.failed + self._earlier.failed
        succeeded = self._recent.succeeded + self._earlier.succeeded
        was_probe = self._open_until is not None and now >= self._open_until
        is_open = self._open_until is not None and not was_probe
        if is_open or not (was_probe or (failed >= self._threshold and failed >= succeeded)):
            return False
        self._open_until = now + self._pause * min(2**self._times_opened, _LONGEST)
        self._times_opened += 1
        self._probing_since = None
        return True

    def succeeded(self, now: datetime) -> None:
        """Close: the far end did its work, whatever it thought of the mail."""
        self._turn(now)
        if self._open_until is not None:
            self._recent, self._earlier = _Counts(), _Counts()
        self._recent.succeeded += 1
        self._open_until = None
        self._probing_since = None
        self._times_opened = 0

    def abandoned(self) -> None:
        """Forget a probe that proved nothing, so that the next attempt is one."""
        self._probing_since = None

    def _turn(self, now: datetime) -> None:
        """Begin a new window where the present one is over; what is older than two windows counts no more."""
        if self._window_ends is not None and now < self._window_ends:
            return
        is_next = self._window_ends is not None and now < self._window_ends + _WINDOW
        self._earlier = self._recent if is_next else _Counts()
        self._recent = _Counts()
        self._window_ends = now + _WINDOW


class _Counts:
    """What a window saw."""

    __slots__ = ("failed", "succeeded")

    def __init__(self) -> None:
        self.failed = 0
        self.succeeded = 0
