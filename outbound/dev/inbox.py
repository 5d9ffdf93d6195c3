"""An inbox for `./dev run`: a real SMTP server that keeps what it gets, and a page to read it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from outbound.dev.inbox_page import routes

_HOST = "127.0.0.1"
_SIZE_LIMIT = 32 * 1024 * 1024
_START_SECONDS = 10

_Ports = tuple[int, int, Callable[[], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """A running inbox: mails go in at `smtp_port`, and are read at `web_url`."""

    smtp_port: int
    web_url: str
    _thread: threading.Thread = field(repr=False)
    _end: Callable[[], None] = field(repr=False)

    def stop(self) -> None:
        """Close both ports; the mails stay in the folder. Stopping twice is harmless."""
        if self._thread.is_alive():
            self._end()
            self._thread.join()


def start_inbox(folder: Path, *, smtp_port: int = 0, web_port: int = 0) -> Inbox:
    """Start an inbox that keeps each mail as an .eml file in `folder`; port 0 is a free one.

    It runs in a thread with an event loop of its own, so that a slow page never delays the line it is to show.

    Raises:
        OSError: when a port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started: Future[_Ports] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(folder, smtp_port, web_port, started)), name="inbox", daemon=True
    )
    thread.start()
    smtp, page, end = started.result(_START_SECONDS)
    return Inbox(smtp_port=smtp, web_url=f"http://{_HOST}:{page}/", _thread=thread, _end=end)


async def _serve(folder: Path, smtp_port: int, web_port: int, started: Future[_Ports]) -> None:
    """Listen on both ports until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(ended.set)

    async with AsyncExitStack() as stack:
        try:
            smtp = await _listen_smtp(folder, smtp_port, stack)
            page = await _listen_web(folder, web_port, stack)
        except Exception as error:  # noqa: BLE001 - raised again where `start_inbox` waits
            started.set_exception(error)
            return
        started.set_result((smtp, page, end))
        await ended.wait()


async def _listen_smtp(folder: Path, port: int, stack: AsyncExitStack) -> int:
    from aiosmtpd.smtp import SMTP  # noqa: PLC0415 - of the group `embedded`, absent from the production image

    def connection() -> SMTP:
        return SMTP(_Keeper(folder), hostname="inbox.localhost", data_size_limit=_SIZE_LIMIT)

    server = await asyncio.get_running_loop().create_server(connection, _HOST, port)
    stack.callback(server.close)
    return int(server.sockets[0].getsockname()[1])


async def _listen_web(folder: Path, port: int, stack: AsyncExitStack) -> int:
    runner = web.AppRunner(_application(folder), access_log=None, handle_signals=False, shutdown_timeout=0.1)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, _HOST, port).start()
    return int(runner.addresses[0][1])


def _application(folder: Path) -> web.Application:
    app = web.Application()
    app.add_routes(routes(folder))
    return app


class _Keeper:
    """Writes what arrives to files whose names sort by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail, with its envelope in front as headers."""
        head = f"X-Envelope-From: {envelope.mail_from}\r\n"
        head += "".join(f"X-Envelope-To: {address}\r\n" for address in envelope.rcpt_tos)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}"
        part = self._folder / f"{name}.part"
        part.write_bytes(head.encode("utf-8", "surrogateescape") + envelope.original_content)
        part.rename(self._folder / f"{name}.eml")
        return "250 2.0.0 kept"
