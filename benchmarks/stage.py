"""The surroundings of a benchmark: durable servers, a sink, tenants with people, and one real worker process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import redis.asyncio

from benchmarks.sink import SinkProcess, start_sink
from outbound.dev.process import free_port
from outbound.dev.servers import Server, start_postgres, start_valkey
from storage.migrate import upgrade

TENANTS = 50
PEOPLE = 20
"""Per tenant: mail goes to the same thousand people again and again, as it does in life."""
_STREAM = "outbound:events"
_PIPELINE = 500
_READY_SECONDS = 60.0
_STOP_SECONDS = 40.0

_TENANTS = """
insert into outbound.tenants (id, slug, name)
select id, 'bench-' || n, 'Tenant ' || n from unnest($1::uuid[]) with ordinality t (id, n)"""
_LIMITS = """
insert into outbound.notification_settings (tenant_id, rate_limit_per_minute, rate_limit_burst)
select id, 10000000, 10000000 from unnest($1::uuid[]) t (id)"""
_USERS = """
insert into outbound.users (tenant_id, user_id, email, name, locale)
select id, 'u-' || n, 'person' || n || '@' || id || '.bench.example', 'Person ' || n, 'en'
from unnest($1::uuid[]) t (id), generate_series(0, $2) n"""
_PREFERENCES = """
insert into outbound.user_notification_preferences (tenant_id, user_id, scope, slug, is_enabled)
select id, 'u-' || n, 'category', 'tickets', true from unnest($1::uuid[]) t (id), generate_series(0, $2) n"""
_LEFT = """
select (select count(*) from outbound.send_queue) + (select count(*) from outbound.outbox)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs around the worker."""

    folder: Path
    postgres: Server
    valkey: Server
    sink: SinkProcess
    admin: Any
    """A superuser's connection."""
    bus: Any
    tenants: Sequence[UUID]

    @contextmanager
    def worker(self, *, batch: int, batch_max: int, profile: Path | None = None) -> Iterator[int]:
        """Run a worker that is ready when the block begins, and yield its process id."""
        port = free_port()
        variables = {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "OUTBOUND_SECRET_KEY": "a-secret-key-for-benchmarks-0123456789",
            "OUTBOUND_HEALTH_PORT": str(port),
            "OUTBOUND_CONNECTIONS": "16",
            "OUTBOUND_BATCH_SIZE": str(batch),
            "OUTBOUND_BATCH_MAX": str(batch_max),
            "EMAIL_ENABLE": "true",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(self.sink.port),
            "EMAIL_TLS": "none",
            "EMAIL_FROM": "noreply@bench.example",
            "EMAIL_TENANT_FROM_PATTERN": "{tenant}@bench.example",
        }
        profiler = ["-m", "cProfile", "-o", str(profile)] if profile else []
        command = [sys.executable, *profiler, str(Path(sys.executable).with_name("outbound")), "worker"]
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(command, env={**_inherited(), **variables}, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, port, self.folder / "worker.log")
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def events(self, count: int, name: str) -> list[tuple[str, bytes]]:
        """Return ticket updates, each of another ticket for one person: their ids, and as they go on the bus."""
        return [_event(self.tenants[number % TENANTS], number, f"{name}-{number}") for number in range(count)]

    async def publish(self, events: Sequence[tuple[str, bytes]]) -> None:
        """Put events on the bus as fast as it takes them."""
        for start in range(0, len(events), _PIPELINE):
            async with self.bus.pipeline(transaction=False) as pipe:
                for _, body in events[start : start + _PIPELINE]:
                    pipe.xadd(_STREAM, {"data": body})
                await pipe.execute()

    async def publish_one(self, body: bytes) -> None:
        """Put one event on the bus."""
        await self.bus.xadd(_STREAM, {"data": body})

    async def settled(self, position: int, mails: int, *, seconds: float = 120) -> None:
        """Wait until the sink has `mails` since `position`, and everything about them is recorded and published.

        Raises:
            TimeoutError: when that takes longer than `seconds`.
        """
        async with asyncio.timeout(seconds):
            while self.sink.count_since(position) < mails:  # noqa: ASYNC110 - a file of another process
                await asyncio.sleep(0.05)
            while await self.admin.fetchval(_LEFT):  # noqa: ASYNC110 - rows of another process
                await asyncio.sleep(0.05)


@asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Start servers as durable as in production, a sink, and make tenants and people."""
    with (
        # Postgres runs as another user where this is root: the folder is open to everybody.
        TemporaryDirectory(prefix="outbound-bench-", ignore_cleanup_errors=True) as name,
        _opened(Path(name)) as folder,
        start_postgres(folder / "postgres", durable=True) as postgres,
        start_valkey(folder / "valkey", durable=True) as valkey,
        start_sink(folder) as sink,
    ):
        await upgrade(postgres.url)
        admin: Any = await asyncpg.connect(f"{postgres.admin_url.rpartition('/')[0]}/outbound")
        tenants = [uuid5(NAMESPACE_URL, f"bench-{number}") for number in range(TENANTS)]
        await admin.execute(_TENANTS, tenants)
        await admin.execute(_LIMITS, tenants)
        await admin.execute(_USERS, tenants, PEOPLE - 1)
        await admin.execute(_PREFERENCES, tenants, PEOPLE - 1)
        await admin.execute("analyze")
        bus = redis.asyncio.Redis.from_url(valkey.url)
        try:
            yield Stage(
                folder=folder, postgres=postgres, valkey=valkey, sink=sink, admin=admin, bus=bus, tenants=tenants
            )
        finally:
            await bus.aclose()
            await admin.close()


@contextmanager
def _opened(folder: Path) -> Iterator[Path]:
    folder.chmod(0o755)
    yield folder


def _inherited() -> Mapping[str, str]:
    ours = ("OTEL_", "EMAIL_", "SMTP_", "OUTBOUND_", "RESEND_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the worker did not get ready: {log.read_text()[-2000:]}")


def _event(tenant: UUID, number: int, event_id: str) -> tuple[str, bytes]:
    person = number // TENANTS % PEOPLE
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/bench/tickets",
        "type": "ticket.updated.v1",
        "subject": f"ticket/{event_id}",
        "time": datetime.now(UTC).isoformat(),
        "tenantid": str(tenant),
        "data": {
            "ticket_id": event_id,
            "ticket_number": f"T-{number}",
            "title": f"The printer on floor {number % 40} is out of paper again",
            "status": "in_progress",
            "priority": "high",
            "url": f"https://psa.example/tickets/{number}",
            "actor_name": "Grace Hopper",
            "changes": {
                "status": {"previous": "new", "new": "in_progress"},
                "priority": {"previous": "low", "new": "high"},
                "assignee": {"previous": None, "new": "Grace Hopper"},
            },
            "people": [
                {
                    "role": "requester",
                    "user_id": f"u-{person}",
                    "email": f"person{person}@{tenant}.bench.example",
                    "name": f"Person {person}",
                }
            ],
        },
    }
    return event_id, json.dumps(event).encode()
