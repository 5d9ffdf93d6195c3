"""The providers as they are configured here: what each lacks, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from outbound.settings import Settings, provider_config
from providers.errors import ProviderError
from providers.message import OutboundMessage
from providers.provider import Begin, Capability, EmailProvider
from providers.receipt import Outcome, SendReceipt
from providers.registry import load

_ANSWER_SECONDS = 15
_PATIENCE_SECONDS = 60
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

    @property
    def trouble(self) -> str | None:
        """Why mail should not be given to it, in words."""
        if self.problems:
            return _unusable(self.name, self.problems)
        return f"{self.name} does not answer, or does not let us in" if self.is_healthy is False else None


async def examine(settings: Settings, names: Iterable[str], *, ask: bool) -> dict[str, Examined]:
    """Look at providers by name; with `ask`, each is asked whether it answers, all at the same time."""
    found = await asyncio.gather(*(_examine(settings, name, ask=ask) for name in names))
    return {one.name: one for one in found}


class Single:
    """One provider, attempted at by somebody at a terminal: without a breaker and its alerts, and not for long."""

    def __init__(self, provider: EmailProvider, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._provider = provider
        self._patience_seconds = patience_seconds

    def get(self, name: str) -> EmailProvider:
        """Return it.

        Raises:
            KeyError: for another one's name.
        """
        if name != self._provider.name:
            raise KeyError(name)
        return self._provider

    async def send(self, name: str, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt; what the provider breaks off or raises is `unknown`, under that name."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self.get(name).send(message, begin)
        except TimeoutError:
            error = "attempt_timeout"
        except Exception as raised:  # noqa: BLE001 - a provider may come from another distribution
            error = type(raised).__name__
        return SendReceipt(
            provider=name,
            outcome=Outcome.UNKNOWN,
            timestamp=datetime.now(UTC),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            error=error,
        )


@asynccontextmanager
async def only(settings: Settings, name: str) -> AsyncGenerator[Single]:
    """Open one provider, to attempt something with it.

    Raises:
        UnusableError: when it is not configured here.
    """
    provider, problems = _build(settings, name)
    if provider is None:
        raise UnusableError(_unusable(name, problems))
    try:
        if problems:
            raise UnusableError(_unusable(name, problems))
        yield Single(provider)
    finally:
        await provider.aclose()


def _unusable(name: str, problems: Iterable[str]) -> str:
    return f"{name} is not configured here: {' '.join(problems).rstrip('.')}"


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
