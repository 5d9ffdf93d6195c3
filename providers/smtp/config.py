"""What an SMTP relay needs to be told, and how it is read from the environment's words."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from providers.errors import InvalidConfigError

Tls = Literal["starttls", "implicit", "none"]
"""Never opportunistic: a man in the middle who strips STARTTLS must cost us the connection, not the secrecy."""

DEFAULT_PORTS: Final[Mapping[Tls, int]] = {"starttls": 587, "implicit": 465, "none": 25}

DKIM_DOMAIN: Final = "OUTBOUND_DKIM_DOMAIN"
DKIM_SELECTOR: Final = "OUTBOUND_DKIM_SELECTOR"
DKIM_KEY_FILE: Final = "OUTBOUND_DKIM_KEY_FILE"

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimConfig:
    """Whose signature to write (RFC 6376: d= and s=), and the file with its private key: RSA, PEM."""

    domain: str
    selector: str
    key_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """One relay.

    `domains` are the domains it may send from; empty means all. `dkim` is for relays that do not sign.

    Time-outs are those of RFC 5321 §4.5.3.2. `command_timeout` is for MAIL and RCPT together, then for DATA;
    `block_timeout` for each piece of a large content; `data_timeout` for the answer to the final dot, where a short one
    makes copies ("a spurious timeout would typically result in multiple copies", ibid.). Only `connect_timeout`, for
    everything up to the login, is shorter than the 5 minutes there: nothing is lost, and another relay may be there.
    """

    hostname: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = "starttls"
    local_hostname: str = "[127.0.0.1]"
    domains: frozenset[str] = frozenset()
    pool_size: int = 16
    max_idle: timedelta = timedelta(seconds=30)
    mails_per_connection: int = 100
    connect_timeout: timedelta = timedelta(seconds=30)
    command_timeout: timedelta = timedelta(minutes=5)
    block_timeout: timedelta = timedelta(minutes=3)
    data_timeout: timedelta = timedelta(minutes=10)
    dkim: DkimConfig | None = None

    @classmethod
    def from_mapping(cls, config: Mapping[str, str]) -> SmtpConfig:
        """Read EMAIL_HOST, EMAIL_PORT, EMAIL_USERNAME, EMAIL_PASSWORD, EMAIL_TLS, OUTBOUND_SMTP_*, OUTBOUND_DKIM_*.

        Empty is unset.

        Raises:
            InvalidConfigError: if one of them cannot be read.
        """
        tls = _tls(config.get("EMAIL_TLS") or "starttls")
        return cls(
            hostname=config.get("EMAIL_HOST") or "",
            port=_number(config, "EMAIL_PORT", DEFAULT_PORTS[tls], most=65_535),
            username=config.get("EMAIL_USERNAME") or None,
            password=config.get("EMAIL_PASSWORD") or None,
            tls=tls,
            local_hostname=config.get("OUTBOUND_SMTP_LOCAL_HOSTNAME") or own_hostname(),
            domains=names(config.get("OUTBOUND_SMTP_DOMAINS", "")),
            pool_size=_number(config, "OUTBOUND_SMTP_CONNECTIONS", 16, most=1000),
            dkim=_dkim(config),
        )

    def problems(self) -> list[str]:
        """Return what keeps this from working, one sentence each, without values."""
        found: list[str] = []
        if not self.hostname:
            found.append("EMAIL_HOST is not set.")
        if self.username is not None and self.password is None:
            found.append("EMAIL_USERNAME is set but EMAIL_PASSWORD is not.")
        if self.password is not None and self.username is None:
            found.append("EMAIL_PASSWORD is set but EMAIL_USERNAME is not.")
        return found


def names(value: str) -> frozenset[str]:
    """Return the domain names of a comma-separated setting, in lower case."""
    return frozenset(name.strip().lower() for name in value.split(",") if name.strip())


def own_hostname() -> str:
    """Return this machine's name for EHLO, or an address literal if it is no host name. Never asks the DNS."""
    name = socket.gethostname()
    return name if _HOST_NAME.fullmatch(name) is not None else "[127.0.0.1]"


def _tls(value: str) -> Tls:
    for known in DEFAULT_PORTS:
        if value == known:
            return known
    raise InvalidConfigError("EMAIL_TLS", f"must be one of {', '.join(DEFAULT_PORTS)}")


def _dkim(config: Mapping[str, str]) -> DkimConfig | None:
    """Return whose signature to write, if the variables name one: all three of them, or none."""
    words = [(config.get(name) or "").strip() for name in (DKIM_DOMAIN, DKIM_SELECTOR, DKIM_KEY_FILE)]
    if not any(words):
        return None
    domain, selector, key_file = words
    for name, value in ((DKIM_DOMAIN, domain), (DKIM_SELECTOR, selector)):
        if _HOST_NAME.fullmatch(value) is None:
            raise InvalidConfigError(name, "must be a name in ASCII, as it stands in the DNS, to sign with DKIM")
    if not key_file:
        raise InvalidConfigError(DKIM_KEY_FILE, "must be set to sign with DKIM")
    return DkimConfig(domain=domain.lower(), selector=selector.lower(), key_file=Path(key_file))


def _number(config: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    value = config.get(name) or str(default)
    if not (value.isascii() and value.isdigit()) or not 1 <= int(value) <= most:
        raise InvalidConfigError(name, f"must be a number from 1 to {most}")
    return int(value)
