"""What redis-py raises, translated once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from redis.exceptions import RedisError

from notifications.ports import UnavailableError


@contextmanager
def redis_away() -> Generator[None, None, None]:
    """Turn whatever Redis or the way to it says into UnavailableError: nothing is wrong with the work, it waits.

    Raises:
        UnavailableError: when Redis is away, loading, full or refuses a command.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise UnavailableError(f"Redis: {type(error).__name__}") from error
