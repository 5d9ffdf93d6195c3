"""The providers as they are configured here: what each lacks, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from outbound.settings import Settings, provider_config
from providers.choice import Choice
from providers.errors import ProviderError
from providers.manager import ProviderManager
from providers.provider import Capability, EmailProvider
from providers.registry import load

_ANSWER_SECONDS = 15
_PATIENCE = timedelta(seconds=60)
"""How long somebody at a terminal waits for one attempt."""


class UnusableError(Exception):
    """A provider is not configured here; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One provider. `is_healthy` is None where it was not asked: it has problems, or nobody wanted to know."""

    name: str
    problems: tuple[str, ...]
    capabilities: frozenset[Capability]
    is_healthy: bool | None


async def examine(settings: Settings, names: Iterable[str], *, ask: bool) -> dict[str, Examined]:
    """Look at providers by name; with `ask`, each is asked whether it answers, all at the same time."""
    found = await asyncio.gather(*(_examine(settings, name, ask=ask) for name in names))
    return {one.name: one for one in found}


@asynccontextmanager
async def only(settings: Settings, name: str) -> AsyncGenerator[ProviderManager]:
    """Open one provider, to attempt something with it.

    Raises:
        UnusableError: when it is not configured here.
    """
    provider, problems = _build(settings, name)
    if provider is None or problems:
        if provider is not None:
            await provider.aclose()
        raise UnusableError(f"{name} is not configured here: {' '.join(problems)}")
    manager = ProviderManager({name: provider}, Choice(name), attempt_timeout=_PATIENCE)
    try:
        yield manager
    finally:
        await manager.aclose()


async def _examine(settings: Settings, name: str, *, ask: bool) -> Examined:
    provider, problems = _build(settings, name)
    if provider is None:
        return Examined(name=name, problems=problems, capabilities=frozenset(), is_healthy=None)
    try:
        return Examined(
            name=name,
            problems=problems,
            capabilities=provider.capabilities,
            is_healthy=await _answers(provider) if ask and not problems else None,
        )
    finally:
        await provider.aclose()


def _build(settings: Settings, name: str) -> tuple[EmailProvider | None, tuple[str, ...]]:
    try:
        provider = load(name)(provider_config(settings))
    except ProviderError as error:
        return None, (f"{error}.",)
    except ImportError as error:
        # An optional extra that is not installed.
        return None, (f"{error.name or 'A module of its own'} is not installed.",)
    return provider, tuple(provider.validate_config())


async def _answers(provider: EmailProvider) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await provider.is_healthy()
    except Exception:  # noqa: BLE001 - a provider may come from another distribution, and what it raises is no yes
        return False
