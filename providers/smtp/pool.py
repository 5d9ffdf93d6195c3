"""A bounded set of connections to one relay, each used by one attempt at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from providers.smtp.connection import Connection


class ConnectionPool:
    """Hands out at most `size` connections; the most recently used one first, so that a quiet pool shrinks.

    Nothing runs in the background: what is too old, too much used or dead is found out when it would be handed out.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        size: int,
        max_idle: timedelta,
        mails_per_connection: int,
    ) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(size)
        self._max_idle_seconds = max_idle.total_seconds()
        self._mails_per_connection = mails_per_connection
        self._idle: list[Connection] = []
        self._closed = False

    async def acquire(self, *, fresh: bool = False) -> Connection:
        """Return a connection, waiting for a free one. `fresh` asks for one that was not used before.

        Raises:
            ConnectError: if a new one is needed and cannot be made.
        """
        await self._free.acquire()
        try:
            if fresh and self._idle:
                self._idle.pop(0).close()  # makes room: idle ones and those in use are `size` at most, together
            connection = None if fresh else self._reusable()
            if connection is None:
                connection = await self._connect()
        except BaseException:  # a cancelled wait must give its place back too
            self._free.release()
            raise
        connection.mails += 1
        return connection

    def release(self, connection: Connection) -> None:
        """Take back a connection that is between two transactions."""
        if self._closed or not connection.is_alive or connection.mails >= self._mails_per_connection:
            connection.close()
        else:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        self._free.release()

    def discard(self, connection: Connection) -> None:
        """Take back a connection whose state is not known, and drop it."""
        connection.abort()
        self._free.release()

    def close(self) -> None:
        """Close what is idle now, and what is in use as soon as it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _reusable(self) -> Connection | None:
        oldest_allowed = asyncio.get_running_loop().time() - self._max_idle_seconds
        # The list is in order of coming back: what is too old is at its front.
        while self._idle and self._idle[0].idle_since < oldest_allowed:
            self._idle.pop(0).close()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive:
                return connection
        return None
