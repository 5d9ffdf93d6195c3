"""A way to Postgres on which the answers to commits get lost: done, and nobody was told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

# A simple query (https://www.postgresql.org/docs/current/protocol-message-formats.html): Q, length, text.
_COMMIT = b"Q\x00\x00\x00\x0bcommit\x00"
_COMMITS_SECONDS = 0.1
_READ_BYTES = 65_536


class LossyWay:
    """Passes everything on; of commits, the answers to a share of them never arrive, and the connection ends."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._connections: set[asyncio.Task[None]] = set()
        self.share = 0.0
        self.lost = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._server)
        back = asyncio.create_task(_pass_on(there_reader, writer))
        try:
            while data := await reader.read(_READ_BYTES):
                is_lost = data == _COMMIT and random.random() < self.share  # noqa: S311 - a moment, not a secret
                if is_lost:
                    back.cancel()
                there_writer.write(data)
                if is_lost:
                    self.lost += 1
                    await asyncio.sleep(_COMMITS_SECONDS)
                    break
        except OSError:
            pass
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for stream in (writer, there_writer):
                stream.transport.abort()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
    except OSError:
        pass
    writer.transport.abort()


@asynccontextmanager
async def lossy_way(url: str) -> AsyncIterator[tuple[LossyWay, str]]:
    """Open a way to the server of a URL; yields it and the URL that leads over it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    way = LossyWay(parts.hostname, parts.port)
    server = await asyncio.start_server(way.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield way, url.replace(f":{parts.port}/", f":{port}/")
    finally:
        server.close()
        await way.close()
        await server.wait_closed()
