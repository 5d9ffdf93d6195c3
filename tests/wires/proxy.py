"""A TCP proxy on a random loopback port that fails on demand, between a client of ours and any far end.

    async with fault_proxy(wire.hostname, wire.port) as proxy:
        await proxy.use(Reset(smtp_mail, after=True))  # the lost reply
        receipt = await provider.send(message, begin)
        await proxy.struck.wait()

A fault lasts, for new connections, until the next `use`. It watches what a client writes, so it is for plain TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

_PIECE = 65536
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)

Place = Callable[[bytes], int | None]
"""Finds a place in all that a client has written so far: the offset behind it, or None while it is not there."""


def anything(written: bytes) -> int | None:
    """The first octet."""
    return 1 if written else None


def behind(pattern: bytes) -> Place:
    """Return the place behind these octets."""

    def find(written: bytes) -> int | None:
        start = written.find(pattern)
        return None if start < 0 else start + len(pattern)

    return find


smtp_mail: Place = behind(b"\r\n.\r\n")
"""The end of a mail in SMTP: its final dot."""


def http_request(written: bytes) -> int | None:
    """The end of the first request, its body included."""
    head, blank, body = written.partition(b"\r\n\r\n")
    length = _CONTENT_LENGTH.search(head + b"\r\n")
    whole = 0 if length is None else int(length[1])
    return len(head) + len(blank) + whole if blank and len(body) >= whole else None


@dataclass(frozen=True)
class Pass:
    """Do what a network does."""


@dataclass(frozen=True)
class Refuse:
    """Listen no more."""


@dataclass(frozen=True)
class HalfOpen:
    """Take connections and do nothing with them."""


@dataclass(frozen=True)
class Slow:
    """Hold each piece back for so long, in both directions."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """Let single octets through, in both directions, with a pause after each."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Reset both sides at a place: before its last octet goes on, or `after` the answer came and was swallowed."""

    at: Place
    after: bool = False


@dataclass(frozen=True)
class Silence:
    """Let nothing through from a place on, and close nothing: before its last octet goes on, or `after` the answer."""

    at: Place
    after: bool = False


Fault = Pass | Refuse | HalfOpen | Slow | Drip | Reset | Silence


class FaultProxy:
    """Where to connect to, and what goes wrong there."""

    hostname = "127.0.0.1"

    def __init__(self, far_host: str, far_port: int) -> None:
        self.port = 0
        self.connections = 0
        self.struck = asyncio.Event()
        """Set when a fault happened: with `after`, when the far end has answered."""
        self._far = (far_host, far_port)
        self._fault: Fault = Pass()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def use(self, fault: Fault) -> None:
        """Let this go wrong from the next connection on."""
        self._fault = fault
        self.struck.clear()
        if isinstance(fault, Refuse):
            self._stop_listening()
            self.struck.set()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, self.hostname, self.port)
            [listener] = self._server.sockets
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)  # so that who stops reading is noticed
            self.port = listener.getsockname()[1]

    async def close(self) -> None:
        """Reset what is open and listen no more."""
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        writers = [writer]
        try:
            if isinstance(self._fault, HalfOpen):
                self.struck.set()
                await asyncio.get_running_loop().create_future()
            far_reader, far_writer = await asyncio.open_connection(*self._far)
            writers.append(far_writer)
            link = _Link(self._fault, self.struck)
            pumps = [
                asyncio.create_task(link.outward(reader, far_writer)),
                asyncio.create_task(link.inward(far_reader, writer)),
            ]
            try:
                # The first end is the end of both: neither of our protocols closes one side only.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                was_reset = link.was_reset or any(pump.done() and pump.exception() for pump in pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            if not was_reset:
                for open_writer in writers:
                    open_writer.close()
                writers.clear()
        except (OSError, asyncio.CancelledError):
            pass  # the far end is gone, or the test is over: the client sees a reset
        finally:
            for open_writer in writers:
                _reset(open_writer)
            self._tasks.discard(task)


class _Link:
    """One connection through the proxy."""

    def __init__(self, fault: Fault, struck: asyncio.Event) -> None:
        self.was_reset = False
        self._fault = fault
        self._struck = struck
        self._is_mute = False
        self._swallowed = asyncio.Event()

    async def outward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the client writes, until it ends or the fault strikes."""
        written = bytearray()
        while piece := await reader.read(_PIECE):
            written += piece
            fault = self._fault
            place = fault.at(bytes(written)) if isinstance(fault, Reset | Silence) else None
            if place is None:
                await self._pass(piece, writer)
                continue
            self._is_mute = True
            await self._pass(bytes(written[len(written) - len(piece) : place - (0 if fault.after else 1)]), writer)
            if fault.after:
                await self._swallowed.wait()
            self._struck.set()
            if isinstance(fault, Silence):
                await asyncio.get_running_loop().create_future()
            self.was_reset = True
            return

    async def inward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the far end answers."""
        while piece := await reader.read(_PIECE):
            if self._is_mute:
                self._swallowed.set()
            else:
                await self._pass(piece, writer)
        if self._is_mute:
            await asyncio.get_running_loop().create_future()

    async def _pass(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        match self._fault:
            case Slow(seconds=seconds):
                await asyncio.sleep(seconds)
                writer.write(piece)
                self._struck.set()
            case Drip(seconds=seconds):
                for octet in piece:
                    writer.write(bytes([octet]))
                    await asyncio.sleep(seconds)
                self._struck.set()
            case _:
                writer.write(piece)
        await writer.drain()


@asynccontextmanager
async def fault_proxy(far_host: str, far_port: int) -> AsyncIterator[FaultProxy]:
    """Listen on a random port for connections to a far end."""
    proxy = FaultProxy(far_host, far_port)
    await proxy.use(Pass())
    try:
        yield proxy
    finally:
        await proxy.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    opened = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # closed already
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
