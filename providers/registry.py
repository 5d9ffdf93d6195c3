"""Providers by name: entry points in the group `outbound.providers`, so that one can come from another distribution."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

from providers.errors import UnknownProviderError
from providers.provider import ProviderFactory

GROUP: Final = "outbound.providers"
"""The entry-point group; each entry names a class with the classmethod `from_config`."""


def known() -> list[str]:
    """Return the names that EMAIL_PROVIDER and EMAIL_FALLBACK_PROVIDER may have."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load(name: str) -> ProviderFactory:
    """Return the factory of the provider registered under `name`; only that provider's module is imported.

    Raises:
        UnknownProviderError: if there is none.
    """
    entries: list[EntryPoint] = list(entry_points(group=GROUP, name=name))
    if not entries:
        raise UnknownProviderError(name, known())
    provider: Any = entries[0].load()
    return cast("ProviderFactory", provider.from_config)
