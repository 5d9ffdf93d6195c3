"""What the API's headers and clock say about its limits: the account's rate, how long to wait, when a quota ends.

Headers: https://resend.com/docs/api-reference/rate-limit, after draft-ietf-httpapi-ratelimit-headers-06. They are the
far end's words: whatever cannot be read says nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import httpx

_API_WINDOW_SECONDS: Final = 1  # requests are counted per second
_LONGEST_WINDOW_SECONDS: Final = 86400
_SHORTEST_WAIT: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(hours=1)
_MOST_DIGITS: Final = 9
_DECEMBER: Final = 12


def account_rate(headers: httpx.Headers) -> float | None:
    """Return how many requests a second the whole account may make: `ratelimit-limit` per window.

    The window is what a policy (`10;w=1`, in `ratelimit-policy` or behind the limit) names; else the API's second, or
    the time until `ratelimit-reset`, which lies inside the window, where that is longer. None where nothing is told.
    """
    stated = headers.get("ratelimit-limit", "")
    limit = _number(stated.partition(",")[0].partition(";")[0])
    if not limit:
        return None
    window = _policy_window(f"{headers.get('ratelimit-policy', '')},{stated}", limit)
    if window is None:
        window = max(_API_WINDOW_SECONDS, _number(headers.get("ratelimit-reset", "")) or 0)
    return limit / window if window <= _LONGEST_WINDOW_SECONDS else None


def wait_for_rate(headers: httpx.Headers) -> timedelta:
    """Return how long a throttled account waits: as long as it is told, from a second to an hour."""
    for name in ("retry-after", "ratelimit-reset"):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return min(max(timedelta(seconds=seconds), _SHORTEST_WAIT), _LONGEST_WAIT)
    return _SHORTEST_WAIT


def until_tomorrow(now: datetime) -> timedelta:
    """Return how long it is until a day's quota is counted anew: midnight in UTC. `now` is in UTC."""
    return _midnight(now) + timedelta(days=1) - now


def until_next_month(now: datetime) -> timedelta:
    """Return how long it is until a month's quota is counted anew: midnight before its first day, in UTC."""
    first = _midnight(now).replace(day=1)
    if first.month == _DECEMBER:
        return first.replace(year=first.year + 1, month=1) - now
    return first.replace(month=first.month + 1) - now


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _policy_window(policies: str, limit: int) -> int | None:
    """Return the window in seconds of the policy that has this limit."""
    for policy in policies.split(","):
        quota, *parameters = policy.split(";")
        if _number(quota) != limit:
            continue
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "w" and (window := _number(value)):
                return window
    return None


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
