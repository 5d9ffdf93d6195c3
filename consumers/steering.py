"""Keeps a worker's providers in line with what all processes share: the operator's switch, and who has to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import mode
import structlog

from consumers.repeating import repeat
from notifications.metrics import LineMetrics
from providers.choice import Choice
from providers.health import Pause
from providers.manager import ProviderManager
from storage.provider_settings import ProviderSettings
from storage.queue import SendQueue

log = structlog.get_logger()

_NO_DOMAIN = ""
_EVERY_SECONDS = 1.0
"""A switch takes effect in every worker within two of these."""


class Steering(mode.Service):
    """Reads the shared state once a second, applies it, and writes what was learnt here; without Postgres, waits."""

    def __init__(
        self,
        *,
        providers: ProviderManager,
        settings: ProviderSettings,
        queue: SendQueue,
        metrics: LineMetrics,
        clock: Callable[[], datetime],
        configured: Choice,
        name: str,
        **options: Any,
    ) -> None:
        self._providers = providers
        self._settings = settings
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._rests: Mapping[str, Pause] = {}
        self._configured = configured
        self._name = name
        self._refused: Choice | None = None
        super().__init__(**options)

    async def on_start(self) -> None:
        """Remove a switch that the environment has overtaken, and apply the one that stands before mail is sent."""
        if await self._settings.forget_outdated_switch(self._configured, f"worker {self._name}"):
            log.warning("providers.switch_removed", primary=self._configured.primary)
        await self._steer_once()

    @mode.Service.task
    async def _steer(self) -> None:
        await repeat(self, "steering", self._steer_once)

    async def _steer_once(self) -> float:
        if news := self._providers.rests():
            await self._settings.rest(news)
            self._providers.told(news)
        shared = await self._settings.read()
        before = self._providers.choice
        self._follow(shared.stored.choice if shared.stored is not None else self._configured)
        self._providers.share(shared.rests)
        now = self._clock()
        ended = [name for name, pause in self._rests.items() if name not in shared.rests and pause.until > now]
        self._rests = shared.rests
        if ended or before != self._providers.choice:
            await self._queue.wake(now)
        for name in self._providers.choice.names:
            self._metrics.provider_paused.labels(name).set(self._providers.pause(name, _NO_DOMAIN) is not None)
        return _EVERY_SECONDS

    def _follow(self, choice: Choice) -> None:
        if choice == self._providers.choice:
            return
        try:
            self._providers.switch(choice)
        except KeyError as error:
            if choice != self._refused:
                log.error("providers.switch_refused", provider=str(error), primary=choice.primary)  # noqa: TRY400 - the name is the news
            self._refused = choice
        else:
            log.warning(
                "providers.switched", primary=choice.primary, fallback=choice.fallback, split=dict(choice.split)
            )
