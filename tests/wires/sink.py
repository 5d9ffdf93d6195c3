"""An SMTP far end that takes everything, very fast, and keeps an exact count of what it took.

The line of a mail is with the operating system before the 250 for its final dot leaves, so whatever a client believes
to be accepted is in the log, and so is what was accepted with its reply lost. As a process of its own:
`python -m tests.wires.sink --port-file PATH --log PATH [--delay-ms N] [--drop-reply-every N]`; it ends when its
standard input does, and so never outlives whoever started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 52428800\r\n"
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?<?([^>\s]+)", re.IGNORECASE | re.MULTILINE)
_PATH = re.compile(rb"<([^>]*)>")
_END = b"\r\n.\r\n"
_READ_BYTES = 64 * 1024
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class Sink:
    """The server, for use inside a running event loop: `async with Sink(log) as sink: … sink.port`.

    `reply_delay` holds back the reply to each final dot. With `drop_reply_every=n` every n-th mail is accepted and
    logged, and the connection closed without a reply.
    """

    def __init__(self, log: Path, *, reply_delay: timedelta = timedelta(0), drop_reply_every: int = 0) -> None:
        self.accepted = 0
        self.port = 0
        self.reply_delay_seconds = reply_delay.total_seconds()
        self.connections: set[asyncio.Transport] = set()
        self._drop_reply_every = drop_reply_every
        self._path = log
        self._log = -1
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._log = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            for transport in list(self.connections):
                transport.abort()
            await self._server.wait_closed()
            # An aborted transport is closed in the next turn of the loop; until then it still calls us.
            await asyncio.sleep(0)
        os.close(self._log)

    def accept(self, message_id: bytes, rcpt_to: bytes) -> bool:
        """Log one mail; return whether its reply is to be sent."""
        os.write(self._log, b"%s %s\n" % (message_id, rcpt_to))
        self.accepted += 1
        return not self._drop_reply_every or self.accepted % self._drop_reply_every != 0


class _Session(asyncio.BufferedProtocol):
    """One connection. Commands (RFC 5321 §4.1) may come pipelined (RFC 2920) and cut anywhere.

    Buffered, because a plain protocol allocates 256 KB for every read, which here costs more than all the rest.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._transport: asyncio.Transport
        self._received = bytearray(_READ_BYTES)
        self._buffer = bytearray()
        self._scanned = 0
        self._in_data = False
        self._waiting: asyncio.TimerHandle | None = None
        self._rcpt_to: list[bytes] = []
        self._replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._sink.connections.add(transport)
        transport.write(b"220 sink ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        self._sink.connections.discard(self._transport)
        if self._waiting is not None:
            self._waiting.cancel()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio calls it so
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer += memoryview(self._received)[:nbytes]
        self._read_on()

    def _read_on(self) -> None:
        while self._waiting is None and not self._transport.is_closing():
            if not (self._read_mail() if self._in_data else self._read_command()):
                break
        self._flush()

    def _flush(self) -> None:
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _read_command(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        verb = line[:4].upper()
        # The line end before the first line of a mail is kept: it makes a dot on that first line look like any other.
        self._in_data = verb == b"DATA" and bool(self._rcpt_to)
        del self._buffer[: end if self._in_data else end + 2]
        self._replies.append(self._answer(verb, line))
        if verb == b"QUIT":
            self._flush()
            self._transport.close()
        return True

    def _answer(self, verb: bytes, line: bytes) -> bytes:
        if verb == b"RCPT":
            path = _PATH.search(line)
            self._rcpt_to.append(path[1] if path else b"-")
            return b"250 ok\r\n"
        if verb == b"DATA":
            return b"354 go on\r\n" if self._rcpt_to else b"503 no recipients\r\n"
        if verb in (b"MAIL", b"RSET", b"EHLO", b"HELO"):
            self._rcpt_to.clear()
            return _EHLO if verb == b"EHLO" else b"250 ok\r\n"
        if verb == b"NOOP":
            return b"250 ok\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"502 unknown command\r\n"

    def _read_mail(self) -> bool:
        end = self._buffer.find(_END, self._scanned)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - len(_END) + 1)
            return False
        header_end = self._buffer.find(b"\r\n\r\n", 0, end)
        found = _MESSAGE_ID.search(self._buffer, 0, end if header_end < 0 else header_end)
        message_id, rcpt_to = found[1] if found else b"-", b",".join(self._rcpt_to)
        del found, self._buffer[: end + len(_END)]
        self._in_data, self._scanned = False, 0
        self._rcpt_to.clear()
        if not self._sink.accept(bytes(message_id), rcpt_to):
            self._flush()
            self._transport.close()
        elif self._sink.reply_delay_seconds:
            self._flush()
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(self._sink.reply_delay_seconds, self._reply_late)
        else:
            self._replies.append(b"250 ok\r\n")
        return True

    def _reply_late(self) -> None:
        self._waiting = None
        self._replies.append(b"250 ok\r\n")
        self._read_on()


class SinkProcess:
    """A sink in a process of its own: `with SinkProcess(directory) as sink: … sink.port, read_log(sink.log)`."""

    def __init__(self, directory: Path, *, reply_delay: timedelta = timedelta(0), drop_reply_every: int = 0) -> None:
        self.log = directory / "sink.log"
        self.port = 0
        self._port_file = directory / "sink.port"
        self._options = [
            f"--delay-ms={round(reply_delay / timedelta(milliseconds=1))}",
            f"--drop-reply-every={drop_reply_every}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._port_file.unlink(missing_ok=True)
        files = [f"--port-file={self._port_file}", f"--log={self.log}"]
        command = [sys.executable, "-m", "tests.wires.sink", *files, *self._options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + _START_SECONDS
        while not self._port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError("the sink did not start")
            time.sleep(0.01)
        self.port = int(self._port_file.read_text())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def read_log(path: Path) -> Counter[str]:
    """Count the mails in a sink's log by Message-ID (without angle brackets; `-` for a mail without one)."""
    if not path.exists():
        return Counter()
    return Counter(line.split(" ", 1)[0] for line in path.read_text("utf-8", "replace").splitlines())


async def _serve(options: argparse.Namespace) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait_for_end_of_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    delay = timedelta(milliseconds=options.delay_ms)
    async with Sink(options.log, reply_delay=delay, drop_reply_every=options.drop_reply_every) as sink:
        # A daemon thread, because standard input may be a file or a device, which the event loop cannot watch.
        threading.Thread(target=wait_for_end_of_input, daemon=True).start()
        unfinished = options.port_file.with_suffix(".part")
        unfinished.write_text(str(sink.port))
        unfinished.rename(options.port_file)
        await stop.wait()


def main() -> None:
    """Run one sink until standard input ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="written when the sink listens")
    parser.add_argument("--log", type=Path, required=True, help="gets one line a mail: Message-ID, recipient")
    parser.add_argument("--delay-ms", type=int, default=0, help="hold back each acceptance")
    parser.add_argument("--drop-reply-every", type=int, default=0, help="close instead of accepting every n-th")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
