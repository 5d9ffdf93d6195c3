"""Providers by name: entry points in the group `outbound.providers`, so that one can come from another distribution."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, cast

from providers.errors import InvalidConfigError, UnknownProviderError
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
        InvalidConfigError: if a module that it needs is not installed, as with a provider that is an optional extra.
    """
    entries: list[EntryPoint] = list(entry_points(group=GROUP, name=name))
    if not entries:
        raise UnknownProviderError(name, known())
    try:
        provider: Any = entries[0].load()
    except ModuleNotFoundError as error:
        raise InvalidConfigError(f"provider {name}", _remedy(entries[0], error.name)) from error
    return cast("ProviderFactory", provider.from_config)


def _remedy(entry: EntryPoint, module: str | None) -> str:
    """Say what is missing, and how it is installed where the distribution has an extra of the provider's name."""
    problem = f"needs the module {module}, which is not installed"
    extras = entry.dist.metadata.get_all("Provides-Extra", []) if entry.dist is not None else []
    if entry.dist is None or entry.name not in extras:
        return problem
    return f"{problem}: pip install '{entry.dist.name}[{entry.name}]'"
