"""A worker as operators run it: a process of its own, that can be killed, stopped, frozen and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outbound.dev.process import free_port

_COMMAND = [str(Path(sys.executable).with_name("outbound")), "worker"]
_READY_SECONDS = 60.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


class WorkerProcess:
    """One worker name, and the process that has it at present. Its log goes on over all of its processes."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._environment = environment
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start a process under the name; it has the name of the one before, and another health port."""
        assert not self.is_running
        self._port = free_port()
        own = {"OUTBOUND_WORKER_NAME": self.name, "OUTBOUND_HEALTH_PORT": str(self._port)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _COMMAND, env={**os.environ, **self._environment, **own}, stdin=subprocess.DEVNULL, stderr=log
            )

    async def ready(self) -> None:
        """Wait until `/readyz` says so."""
        until = time.monotonic() + _READY_SECONDS
        while not await asyncio.to_thread(self._says_ready):
            if not self.is_running or time.monotonic() > until:
                raise AssertionError(f"{self.name} is not ready; its last words: {self.records()[-3:]}")
            await asyncio.sleep(_POLL_SECONDS)

    def _says_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False
        except OSError:
            return False

    def kill(self) -> None:
        """End the process as the kernel does when memory is short: at whatever instruction it is."""
        self._send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def pause(self) -> None:
        """Freeze the process, as a machine that swaps or a suspended virtual one does."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    async def terminate(self) -> int:
        """Ask the process to stop, and return its exit code."""
        self._send(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, _STOP_SECONDS)

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return what it logged, of all its processes: everything, or one event by name."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        records = [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]
        return [record for record in records if event is None or record["event"] == event]

    def _send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
