"""What Resend needs to be told, and how it is read from the environment's words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from providers.errors import InvalidConfigError

DEFAULT_BASE_URL = "https://api.resend.com"
"""Where the API is; without a slash at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendConfig:
    """One Resend team.

    `verified_domains` and `default_domain` are the only domains it may send from (a subdomain is another domain to it).
    `timeout` is for connecting and for each read or write. `rate_per_second` is the team's limit until an answer tells.
    """

    api_key: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    timeout: timedelta = timedelta(seconds=30)
    verified_domains: frozenset[str] = frozenset()
    default_domain: str | None = None
    max_connections: int = 32
    rate_per_second: float = 2.0

    @classmethod
    def from_mapping(cls, config: Mapping[str, str]) -> ResendConfig:
        """Read RESEND_API_KEY, _API_URL, _VERIFIED_DOMAINS, _DEFAULT_DOMAIN and _RATE_PER_SECOND; empty is unset.

        Raises:
            InvalidConfigError: if the URL is not one, or the rate no positive number.
        """
        base_url = (config.get("RESEND_API_URL") or DEFAULT_BASE_URL).rstrip("/")
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidConfigError("RESEND_API_URL", "must be an http or https URL")
        rate = _rate(config.get("RESEND_RATE_PER_SECOND") or "2")
        listed = config.get("RESEND_VERIFIED_DOMAINS", "").split(",")
        return cls(
            api_key=config.get("RESEND_API_KEY") or "",
            base_url=base_url,
            verified_domains=frozenset(name.strip().lower() for name in listed if name.strip()),
            default_domain=config.get("RESEND_DEFAULT_DOMAIN", "").strip().lower() or None,
            rate_per_second=rate,
        )

    @property
    def sender_domains(self) -> frozenset[str]:
        """Every domain that may stand in From."""
        return self.verified_domains if self.default_domain is None else self.verified_domains | {self.default_domain}

    def problems(self) -> list[str]:
        """Return what keeps this from working, one sentence each, without values."""
        found: list[str] = []
        if not self.api_key:
            found.append("RESEND_API_KEY is not set.")
        elif not (self.api_key.isascii() and self.api_key.isprintable() and " " not in self.api_key):
            found.append("RESEND_API_KEY holds a character that no key has.")
        if not self.sender_domains:
            found.append(
                "Neither RESEND_VERIFIED_DOMAINS nor RESEND_DEFAULT_DOMAIN is set, so Resend may send from no domain."
            )
        return found


def _rate(value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise InvalidConfigError("RESEND_RATE_PER_SECOND", "must be a positive number")
    return rate
