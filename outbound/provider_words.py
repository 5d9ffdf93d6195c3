"""The words that providers are built from: those of the settings, and what else is set, for providers we do not know.

A provider of another distribution, or an optional one, brings its own variables. They reach it without being declared
anywhere: from the caller, the environment or the files of the secrets folder, in this order. What the settings know is
taken from them alone, and what belongs to the service itself (the database's address, its keys) is not passed on.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

if TYPE_CHECKING:
    from outbound.settings import Settings

_LONGEST_SECRET: Final = 65_536  # bytes of a file that may be a value; a folder of secrets can hold anything


class ProviderWords(dict[str, str]):
    """Values by variable. Its repr names the variables only: there are passwords in it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(sorted(self))})"


def foreign_words(given: Mapping[str, str], folder: Path | None, own: Collection[str]) -> ProviderWords:
    """Return everything that is set, by variable, except `own`; empty counts as unset.

    `given` wins over the environment, and that over the files of `folder`, whose names are taken in upper case.
    """
    words = ProviderWords(_secrets(folder)) if folder is not None else ProviderWords()
    words.update({name: value for name, value in os.environ.items() if value})
    words.update(given)
    return ProviderWords({name: value for name, value in words.items() if name.upper() not in own})


def provider_config(settings: Settings) -> ProviderWords:
    """Return what the providers are built from, by variable, secrets in the clear; what is unset is absent."""
    values = {
        "EMAIL_HOST": settings.email_host,
        "EMAIL_PORT": str(settings.smtp_port),
        "EMAIL_USERNAME": settings.email_username,
        "EMAIL_PASSWORD": _reveal(settings.email_password),
        "EMAIL_TLS": settings.email_tls,
        "EMAIL_FROM": settings.email_from,
        "RESEND_API_KEY": _reveal(settings.resend_api_key),
        "RESEND_API_URL": settings.resend_api_url,
        "RESEND_VERIFIED_DOMAINS": ",".join(settings.resend_verified_domains),
        "RESEND_DEFAULT_DOMAIN": settings.resend_default_domain,
        "RESEND_RATE_PER_SECOND": str(settings.resend_rate_per_second),
        "OUTBOUND_DKIM_DOMAIN": settings.dkim_domain,
        "OUTBOUND_DKIM_SELECTOR": settings.dkim_selector,
        "OUTBOUND_DKIM_KEY_FILE": settings.dkim_key_file,
        "OUTBOUND_SMTP_DOMAINS": ",".join(settings.smtp_domains),
        "OUTBOUND_SMTP_CONNECTIONS": str(settings.connections),
    }
    return ProviderWords(settings.foreign | {name: value for name, value in values.items() if value})


def _secrets(folder: Path) -> Iterator[tuple[str, str]]:
    for file in folder.iterdir():
        try:
            value = file.read_text().strip() if file.is_file() and file.stat().st_size <= _LONGEST_SECRET else ""
        except (OSError, UnicodeDecodeError):
            continue  # not for us, or no word
        if value:
            yield file.name.upper(), value


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
