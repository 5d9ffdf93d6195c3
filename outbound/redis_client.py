"""The one way we connect to Redis."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_SOCKET_TIMEOUT_SECONDS = 5.0
"""Well above the 0.5 s for which the source blocks; redis-py 8 repeats a command in silence when it is not."""


def connect_redis(url: str) -> Redis:
    """Return a client that never repeats a command by itself: a repeated XADD is a second event."""
    return Redis.from_url(
        url,
        socket_timeout=_SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=_SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
