"""`outbound worker` as a process of its own, started and ended as in production."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from outbound.dev.process import free_port
from tests.line.harness import eventually

_OURS = ("OTEL_", "EMAIL_", "SMTP_", "OUTBOUND_", "RESEND_", "DATABASE_", "REDIS_")
_END_SECONDS = 20


@dataclass(slots=True)
class Worker:
    """A running worker, and what it wrote."""

    process: asyncio.subprocess.Process
    url: str
    files: tuple[Path, Path]
    exit_code: int | None = field(default=None)

    @property
    def output(self) -> str:
        """Everything it wrote, on both streams."""
        return "".join(file.read_text() for file in self.files)

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log: every line of standard error, which is JSON throughout."""
        return [json.loads(line) for line in self.files[1].read_text().splitlines()]

    async def logged(self, event: str, *, seconds: float = 20) -> dict[str, Any]:
        """Wait for a line of the log."""

        async def look() -> dict[str, Any] | None:
            return next((line for line in self.log if line["event"] == event), None)

        return await eventually(look, seconds=seconds)

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask its own server; status 0 is no answer."""
        try:
            async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{self.url}{path}") as response:
                return response.status, await response.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def is_ready(self, status: int = 200, *, seconds: float = 20) -> dict[str, str]:
        """Wait until `/readyz` answers with a status, and return its checks."""

        async def look() -> dict[str, str] | None:
            assert self.process.returncode is None, self.output
            found, text = await self.get("/readyz")
            return json.loads(text)["checks"] if found == status else None

        return await eventually(look, seconds=seconds)

    async def end(self) -> None:
        """Stop it as an orchestrator does."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_SECONDS):
                self.exit_code = await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()


@dataclass(slots=True)
class Workers:
    """Starts workers; their output goes to files in `folder`."""

    environment: dict[str, str]
    folder: Path
    _started: int = 0

    @asynccontextmanager
    async def started(self, *, python: Sequence[str] = (), **more: str) -> AsyncIterator[Worker]:
        """Run a worker until the block ends; `python` are options of the interpreter, `more` its variables."""
        self._started += 1
        port = free_port()
        files = (self.folder / f"worker-{self._started}.out", self.folder / f"worker-{self._started}.err")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        with files[0].open("wb") as out, files[1].open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *python, Path(sys.executable).with_name("outbound"), "worker"),
                env={**inherited, **self.environment, "OUTBOUND_HEALTH_PORT": str(port), **more},
                stdout=out,
                stderr=err,
            )
        worker = Worker(process=process, url=f"http://127.0.0.1:{port}", files=files)
        try:
            yield worker
        finally:
            await worker.end()

    @asynccontextmanager
    async def running(self, *, python: Sequence[str] = (), **more: str) -> AsyncIterator[Worker]:
        """Run a worker that is ready for work when the block begins."""
        async with self.started(python=python, **more) as worker:
            await worker.is_ready()
            yield worker
