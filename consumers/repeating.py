"""The shape of every loop: repeat a step until the service stops, and let nothing it raises end the worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import mode
import structlog

from notifications.ports import FencedError, UnavailableError

log = structlog.get_logger()

AWAY_SECONDS = 0.5
"""The pause after something outside was away, or a step failed."""

Step = Callable[[], Awaitable[float]]
"""One turn of a loop; returns the pause in seconds until the next."""


async def repeat(service: mode.Service, loop: str, step: Step) -> None:
    """Repeat `step` until `service` stops. An exception out of a service's task would end the whole worker."""
    while not service.should_stop:
        try:
            pause = await step()
        except (UnavailableError, FencedError) as error:
            log.warning("loop.waiting", loop=loop, error=str(error))
            pause = AWAY_SECONDS
        except Exception:
            log.exception("loop.failed", loop=loop)
            pause = AWAY_SECONDS
        if pause:
            await service.sleep(pause)
