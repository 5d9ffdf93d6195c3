"""A Resend team: what all its API keys share. Rate limit, quotas, idempotency keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.wires.resend.reply import Reply, refusal

KEY_LIFETIME = timedelta(hours=24)


@dataclass
class Team:
    """The limits are the test's to set. A rate that no test reaches by accident, and no quota, are where it starts."""

    name: str
    requests_per_second: int = 1000
    daily_quota: int | None = None
    monthly_quota: int | None = None
    running: set[str] = field(default_factory=set)
    _window: tuple[int, int] = (0, 0)
    _sent: dict[str, int] = field(default_factory=dict)
    _answered: dict[str, tuple[datetime, bytes, Reply]] = field(default_factory=dict)

    def count_request(self, now: datetime) -> None:
        """Count a request in its second (draft-ietf-httpapi-ratelimit-headers-06, with a window of one second)."""
        second = int(now.timestamp())
        used = self._window[1] if self._window[0] == second else 0
        self._window = (second, used + 1)

    def headers(self, now: datetime) -> dict[str, str]:
        """What is on every answer. The quota headers tell what is used."""
        return {
            "ratelimit-limit": str(self.requests_per_second),
            "ratelimit-remaining": str(max(0, self.requests_per_second - self._window[1])),
            "ratelimit-reset": "1",
            "x-resend-daily-quota": str(self._sent.get(_day(now), 0)),
            "x-resend-monthly-quota": str(self._sent.get(_month(now), 0)),
        }

    def over_rate(self) -> Reply | None:
        if self._window[1] <= self.requests_per_second:
            return None
        message = f"Too many requests. You can only make {self.requests_per_second} requests per second."
        return refusal(429, "rate_limit_exceeded", message, {"retry-after": "1"})

    def over_quota(self, recipients: int, now: datetime) -> Reply | None:
        if self.daily_quota is not None and self._sent.get(_day(now), 0) + recipients > self.daily_quota:
            return refusal(429, "daily_quota_exceeded", "You have reached your daily email sending quota.")
        if self.monthly_quota is not None and self._sent.get(_month(now), 0) + recipients > self.monthly_quota:
            return refusal(429, "monthly_quota_exceeded", "You have reached your monthly email sending quota.")
        return None

    def count_mail(self, recipients: int, now: datetime) -> None:
        for period in (_day(now), _month(now)):
            self._sent[period] = self._sent.get(period, 0) + recipients

    def earlier(self, key: str, body: bytes, now: datetime) -> Reply | None:
        """The answer to a key that is known (https://resend.com/docs/dashboard/emails/idempotency-keys)."""
        if key in self.running:
            message = "Same idempotency key used while original request is still in progress."
            return refusal(409, "concurrent_idempotent_requests", message)
        at, digest, reply = self._answered.get(key, (None, b"", None))
        if at is None or reply is None or now - at >= KEY_LIFETIME:
            return None
        if digest != hashlib.sha256(body).digest():
            message = "Same idempotency key used with a different request payload."
            return refusal(409, "invalid_idempotent_request", message)
        return reply

    def remember(self, key: str, body: bytes, reply: Reply, now: datetime) -> None:
        self._answered[key] = (now, hashlib.sha256(body).digest(), reply)


def _day(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"


def _month(now: datetime) -> str:
    return f"{now:%Y-%m}"
