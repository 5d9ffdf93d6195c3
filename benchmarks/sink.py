"""The SMTP far end of a benchmark: the tests' sink, which here also writes down when it took each mail.

`python -m benchmarks.sink --port-file PATH --log PATH`; it ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.wires.sink import Sink

_START_SECONDS = 20.0


class TimedSink(Sink):
    """Logs one line a mail: nanoseconds since the epoch, Message-ID, recipient."""

    def accept(self, message_id: bytes, rcpt_to: bytes) -> bool:
        """Log one mail and take it."""
        return super().accept(b"%d %s" % (time.time_ns(), message_id), rcpt_to)


@dataclass(frozen=True, slots=True)
class Accepted:
    """One mail as the sink took it."""

    at: float
    """Seconds since the epoch."""
    message_id: str


@dataclass(frozen=True, slots=True)
class SinkProcess:
    """A sink that runs in a process of its own."""

    port: int
    log: Path

    def position(self) -> int:
        """Return where the next mail will be written."""
        return self.log.stat().st_size

    def count_since(self, position: int) -> int:
        """Return how many mails were taken since a position: cheap, as it is asked while others work."""
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().count(b"\n")

    def accepted_since(self, position: int) -> list[Accepted]:
        """Return what was taken since a position of the log."""
        with self.log.open("rb") as log:
            log.seek(position)
            lines = [line.split(b" ", 2) for line in log.read().splitlines()]
        return [Accepted(int(at) / 1e9, message_id.decode()) for at, message_id, _ in lines]


@contextmanager
def start_sink(folder: Path) -> Iterator[SinkProcess]:
    """Run a sink until the block ends.

    Raises:
        RuntimeError: when it does not start.
    """
    port_file, log = folder / "sink.port", folder / "sink.log"
    command = [sys.executable, "-m", "benchmarks.sink", f"--port-file={port_file}", f"--log={log}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:
        deadline = time.monotonic() + _START_SECONDS
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError("the sink did not start")
            time.sleep(0.01)
        yield SinkProcess(int(port_file.read_text()), log)


async def _serve(port_file: Path, log: Path) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait_for_end_of_input() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    async with TimedSink(log) as sink:
        threading.Thread(target=wait_for_end_of_input, daemon=True).start()
        unfinished = port_file.with_suffix(".part")
        unfinished.write_text(str(sink.port))
        unfinished.rename(port_file)
        await stop.wait()


def main() -> None:
    """Run one sink until standard input ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port-file", type=Path, required=True, help="written when the sink listens")
    parser.add_argument("--log", type=Path, required=True, help="gets one line a mail")
    options = parser.parse_args()
    asyncio.run(_serve(options.port_file, options.log))


if __name__ == "__main__":
    main()
