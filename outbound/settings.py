"""The configuration: every variable the service knows, read once and frozen.

Order: what the caller gives, then the environment, then the files of the secrets folder. Empty counts as unset.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from outbound.provider_words import ProviderWords, foreign_words, provider_config

__all__ = ["LEGACY", "UNSET", "Settings", "SettingsError", "load", "provider_config"]

_SECRETS_DIR = "/run/secrets"

LEGACY: Mapping[str, str] = {
    "EMAIL_HOST": "SMTP_HOST",
    "EMAIL_PORT": "SMTP_PORT",
    "EMAIL_USERNAME": "SMTP_USER",
    "EMAIL_PASSWORD": "SMTP_PASS",
    "EMAIL_FROM": "SMTP_FROM",
}
"""The names an older installation uses; the primary name wins."""

_DEFAULT_PORTS = {"starttls": 587, "implicit": 465, "none": 25}

_log = logging.getLogger(__name__)


class SettingsError(Exception):
    """The configuration is wrong; the text is one line that names the variable and the problem, never the value."""


def _split(value: object) -> object:
    """Split a comma-separated list; whitespace around an item and empty items are dropped."""
    if not isinstance(value, str):
        return value
    return tuple(item for item in (part.strip() for part in value.split(",")) if item)


def _duration(value: object, *, unit: str) -> object:
    """Read a number of seconds, hours or days."""
    if isinstance(value, timedelta):
        return value
    try:
        duration = timedelta(**{unit: float(str(value))})
    except (ValueError, OverflowError):
        raise ValueError(f"should be a number of {unit}") from None
    if duration < timedelta(0):
        raise ValueError("should not be negative")
    return duration


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


def _web_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("should begin with http:// or https://")
    return value.rstrip("/")


def _url_of(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"should begin with {schemes[0]}://")
        try:
            _ = urlsplit(value.get_secret_value()).port
        except ValueError:
            raise ValueError("is no URL: #, / and the like in a password are written as %23, %2F") from None
        return value

    return check


Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Domains = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_lower)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
Seconds = Annotated[timedelta, BeforeValidator(partial(_duration, unit="seconds"))]
Hours = Annotated[timedelta, BeforeValidator(partial(_duration, unit="hours"))]
Days = Annotated[timedelta, BeforeValidator(partial(_duration, unit="days"))]
UNSET = SecretStr("")


def _variable(name: str, default: Any) -> Any:
    """Declare a field by its variable; a legacy name becomes the primary one before the model sees it."""
    return Field(default=default, validation_alias=name)


class Settings(BaseSettings):
    """Everything that can be configured. An attribute is its variable in lower case, without the prefix of ours."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=False)

    # where state lives; both hold passwords
    database_url: Annotated[SecretStr, AfterValidator(_url_of("postgresql", "postgres"))] = _variable(
        "DATABASE_URL", UNSET
    )
    redis_url: Annotated[SecretStr, AfterValidator(_url_of("redis", "rediss", "unix"))] = _variable("REDIS_URL", UNSET)

    # email: on or off, through whom, from whom
    email_enable: bool = _variable("EMAIL_ENABLE", False)
    email_provider: str = _variable("EMAIL_PROVIDER", "smtp")
    email_fallback_provider: str | None = _variable("EMAIL_FALLBACK_PROVIDER", None)
    email_from: str | None = _variable("EMAIL_FROM", None)
    email_reply_to: str | None = _variable("EMAIL_REPLY_TO", None)
    email_tenant_from_pattern: str | None = _variable("EMAIL_TENANT_FROM_PATTERN", None)
    email_tenant_subdomain_pattern: str | None = _variable("EMAIL_TENANT_SUBDOMAIN_PATTERN", None)
    email_tenant_reply_to_pattern: str | None = _variable("EMAIL_TENANT_REPLY_TO_PATTERN", None)

    # SMTP
    email_host: str | None = _variable("EMAIL_HOST", None)
    email_port: Port | None = _variable("EMAIL_PORT", None)
    email_username: str | None = _variable("EMAIL_USERNAME", None)
    email_password: SecretStr | None = _variable("EMAIL_PASSWORD", None)
    email_tls: Literal["starttls", "implicit", "none"] = _variable("EMAIL_TLS", "starttls")
    dkim_domain: str | None = _variable("OUTBOUND_DKIM_DOMAIN", None)
    dkim_selector: str | None = _variable("OUTBOUND_DKIM_SELECTOR", None)
    dkim_key_file: str | None = _variable("OUTBOUND_DKIM_KEY_FILE", None)
    smtp_domains: Domains = _variable("OUTBOUND_SMTP_DOMAINS", ())
    connections: Count = _variable("OUTBOUND_CONNECTIONS", 16)

    # Resend
    resend_api_key: SecretStr | None = _variable("RESEND_API_KEY", None)
    resend_api_url: WebUrl | None = _variable("RESEND_API_URL", None)
    resend_verified_domains: Domains = _variable("RESEND_VERIFIED_DOMAINS", ())
    resend_default_domain: str | None = _variable("RESEND_DEFAULT_DOMAIN", None)
    resend_webhook_secret: Secrets = _variable("RESEND_WEBHOOK_SECRET", ())
    resend_rate_per_second: Annotated[float, Field(gt=0)] = _variable("RESEND_RATE_PER_SECOND", 2.0)

    # files that mails carry
    attachment_root: DirectoryPath | None = _variable("OUTBOUND_ATTACHMENT_ROOT", None)
    attachment_file_mb: Annotated[float, Field(gt=0, le=25)] = _variable("OUTBOUND_ATTACHMENT_FILE_MB", 7)
    attachment_total_mb: Annotated[float, Field(gt=0, le=25)] = _variable("OUTBOUND_ATTACHMENT_TOTAL_MB", 10)
    attachment_allow: Domains = _variable("OUTBOUND_ATTACHMENT_ALLOW_EXTENSIONS", ())

    # ourselves
    secret_key: Secrets = _variable("OUTBOUND_SECRET_KEY", ())
    drill_address: str | None = _variable("OUTBOUND_DRILL_ADDRESS", None)
    drill_every: Hours = _variable("OUTBOUND_DRILL_EVERY_HOURS", timedelta(0))
    operator_email: str | None = _variable("OUTBOUND_OPERATOR_EMAIL", None)
    public_url: WebUrl | None = _variable("OUTBOUND_PUBLIC_URL", None)
    worker_name: str = Field(default_factory=socket.gethostname, validation_alias="OUTBOUND_WORKER_NAME")
    api_port: Port = _variable("OUTBOUND_API_PORT", 8080)
    health_port: Port = _variable("OUTBOUND_HEALTH_PORT", 8081)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _variable("OUTBOUND_LOG_LEVEL", "INFO")

    # the bus
    streams: Names = _variable("OUTBOUND_STREAMS", ("outbound:events:urgent", "outbound:events"))
    group: str = _variable("OUTBOUND_GROUP", "outbound")
    deliveries: str = _variable("OUTBOUND_DELIVERIES", "outbound:deliveries")
    deliveries_retention: Days = _variable("OUTBOUND_DELIVERIES_RETENTION_DAYS", timedelta(days=7))
    max_entry_bytes: Count = _variable("OUTBOUND_MAX_ENTRY_BYTES", 1_048_576)

    # the line
    batch_size: Count = _variable("OUTBOUND_BATCH_SIZE", 64)
    batch_max: Count = _variable("OUTBOUND_BATCH_MAX", 256)
    rate_per_minute: Count = _variable("OUTBOUND_RATE_PER_MINUTE", 60)
    attempt_timeout: Seconds = _variable("OUTBOUND_ATTEMPT_TIMEOUT_SECONDS", timedelta(minutes=20))
    breaker_pause: Seconds = _variable("OUTBOUND_BREAKER_PAUSE_SECONDS", timedelta(seconds=30))
    max_attempts: Count = _variable("OUTBOUND_MAX_ATTEMPTS", 8)
    max_age: Hours = _variable("OUTBOUND_MAX_AGE_HOURS", timedelta(hours=24))
    retry_base: Seconds = _variable("OUTBOUND_RETRY_BASE_SECONDS", timedelta(seconds=30))
    uncertain_delay: Seconds = _variable("OUTBOUND_UNCERTAIN_DELAY_SECONDS", timedelta(seconds=300))
    drain: Seconds = _variable("OUTBOUND_DRAIN_SECONDS", timedelta(seconds=25))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_max < self.batch_size:
            raise ValueError("OUTBOUND_BATCH_MAX should not be below OUTBOUND_BATCH_SIZE")
        if self.email_fallback_provider == self.email_provider:
            raise ValueError("EMAIL_FALLBACK_PROVIDER should be another provider than EMAIL_PROVIDER")
        return self

    _foreign: ProviderWords = PrivateAttr(default_factory=ProviderWords)

    @property
    def foreign(self) -> ProviderWords:
        """What else was set, by variable: the words of providers that these settings do not know."""
        return self._foreign

    @property
    def urgent_stream(self) -> str:
        """The stream that is read first: for authentication mail."""
        return self.streams[0]

    @property
    def default_stream(self) -> str:
        """The stream for everything else."""
        return self.streams[-1]

    @property
    def smtp_port(self) -> int:
        """The SMTP port: EMAIL_PORT, or the usual one of the chosen EMAIL_TLS."""
        return _DEFAULT_PORTS[self.email_tls] if self.email_port is None else self.email_port


def load(needs: Collection[str] = (), *, overrides: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration.

    Args:
        needs: variables that must be set for what the caller is about to do, as `("DATABASE_URL", "REDIS_URL")`.
        overrides: values by variable that win over the environment.

    Raises:
        SettingsError: when a value is wrong, a needed one is missing, or a provider is not registered.
    """
    chosen = Path(os.environ.get("OUTBOUND_SECRETS_DIR") or _SECRETS_DIR)
    folder = chosen if chosen.is_dir() else None
    given = {name: value for name, value in (overrides or {}).items() if value}
    renamed = _resolve_legacy(given, folder)
    try:
        settings = _build(_secrets_dir=folder, **given, **renamed)
    except ValidationError as error:
        raise SettingsError(_one_line(error, renamed)) from None  # the cause would hold the value
    _check_needs(settings, needs)
    _check_providers(settings)
    own = {str(field.validation_alias) for field in Settings.model_fields.values()} | set(LEGACY.values())
    settings.foreign.update(foreign_words(given, folder, own))
    return settings


def _build(**values: Any) -> Settings:
    return Settings(**values)


def _resolve_legacy(given: Mapping[str, str], folder: Path | None) -> dict[str, str]:
    """Return the values of legacy names whose primary name is unset everywhere, under the primary name."""
    renamed: dict[str, str] = {}
    for primary, legacy in LEGACY.items():
        old, new = _find(legacy, given, folder), _find(primary, given, folder)
        if old is None:
            continue
        if new is None:
            renamed[primary] = old
        elif new != old:
            _log.warning("settings.legacy_ignored: %s and %s differ, %s is used", primary, legacy, primary)
    return renamed


def _find(name: str, given: Mapping[str, str], folder: Path | None) -> str | None:
    value = given.get(name) or os.environ.get(name)
    if value or folder is None:
        return value or None
    file = folder / name.lower()
    return (file.read_text().strip() or None) if file.is_file() else None


def _one_line(error: ValidationError, renamed: Mapping[str, str]) -> str:
    """Name each variable and its problem; pydantic's own texts never repeat the value when the input is left out."""
    problems: list[str] = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        name = str(problem["loc"][0]) if problem["loc"] else ""
        name = LEGACY[name] if name in renamed else name
        problems.append(f"{name}: {message}" if name else message)
    return "; ".join(problems)


def _check_needs(settings: Settings, needs: Collection[str]) -> None:
    """Refuse a configuration in which a needed variable has no value."""
    for attribute, field in Settings.model_fields.items():
        if field.validation_alias in needs and getattr(settings, attribute) in (None, (), "", UNSET):
            raise SettingsError(f"{field.validation_alias} is not set")


def _check_providers(settings: Settings) -> None:
    """Refuse a provider nobody registered."""
    from providers.registry import known  # noqa: PLC0415 - reading the entry points is for those who load settings

    chosen = {"EMAIL_PROVIDER": settings.email_provider, "EMAIL_FALLBACK_PROVIDER": settings.email_fallback_provider}
    for variable, name in chosen.items():
        if name is not None and name not in known():
            raise SettingsError(f"{variable} is not a registered provider; known: {', '.join(sorted(known()))}")
