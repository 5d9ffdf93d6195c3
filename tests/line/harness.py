"""A whole worker in this process, over real servers, with the words tests speak to it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import redis.asyncio

from outbound.settings import Settings, load
from outbound.wiring import WorkerApp, open_worker
from storage.address_vault import AddressVault

SECRET = "a-secret-key-for-tests-0123456789"
TERMINAL = {"skipped", "suppressed", "failed", "cancelled", "accepted", "bounced"}


@dataclass
class Line:
    """What a test needs to feed the line and to look at what became of it."""

    database: str
    redis_url: str
    environment: dict[str, str]
    tenant: UUID = field(default_factory=uuid4)

    def settings(self, **more: str) -> Settings:
        return load(overrides=self.environment | more)

    @asynccontextmanager
    async def worker(self, **more: str) -> AsyncIterator[WorkerApp]:
        """Run a worker until the block ends, then stop it as SIGTERM would."""
        async with open_worker(self.settings(**more)) as app:
            await app.app.start()
            try:
                yield app
            finally:
                await app.app.stop()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Any]:
        client = redis.asyncio.Redis.from_url(self.redis_url)
        try:
            yield client
        finally:
            await client.aclose()

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement as the operator sees it: everything readable, across tenants."""
        return await self._as("outbound_platform", statement, *values)

    async def change(self, statement: str, *values: Any, tenant: UUID | None = None) -> list[Any]:
        """Run a statement as the web side would: exactly one tenant."""
        return await self._as("outbound_api", statement, *values, tenant=tenant or self.tenant)

    async def _as(self, role: str, statement: str, *values: Any, tenant: UUID | None = None) -> list[Any]:
        connection = await asyncpg.connect(self.database, server_settings={"search_path": "outbound"})
        try:
            await connection.execute(f"set role {role}")
            async with connection.transaction():
                if tenant:
                    await connection.execute(f"set local outbound.tenants = '{tenant}'")
                return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def add_tenant(self, name: str = "Wonderland PSA", **settings: int) -> UUID:
        tenant = uuid4()
        await self.change(
            "insert into tenants (id, slug, name) values ($1, $2, $3)",
            tenant,
            f"t-{tenant.hex[:8]}",
            name,
            tenant=tenant,
        )
        if settings:
            await self.change(
                "insert into notification_settings (tenant_id, rate_limit_per_minute, rate_limit_burst)"
                " values ($1, $2, $3)",
                tenant,
                settings.get("rate"),
                settings.get("burst"),
                tenant=tenant,
            )
        return tenant

    async def suppress(self, address: str, reason: str = "manual") -> None:
        """Put an address on the tenant's list."""
        stored = AddressVault([SECRET.encode()]).seal(address)
        await self.change(
            "insert into suppressions (tenant_id, address_hash, key_id, sealed, reason, source, created_by)"
            " values ($1, $2, $3, $4, $5, 'operator', 'test')",
            self.tenant,
            stored.address_hash,
            stored.key_id,
            stored.sealed,
            reason,
        )

    async def publish(self, *events: dict[str, Any], stream: str = "outbound:events") -> list[str]:
        async with self.redis() as client:
            return [(await client.xadd(stream, {"data": json.dumps(event)})).decode() for event in events]

    async def xadd(self, fields: dict[str, Any], stream: str = "outbound:events") -> str:
        async with self.redis() as client:
            return (await client.xadd(stream, fields)).decode()

    async def notifications(self, event_id: str | None = None) -> list[dict[str, Any]]:
        rows = await self.sql(
            "select * from notification_logs where $1::text is null or event_id = $1 order by id", event_id
        )
        return [dict(row) | {"trail": json.loads(row["trail"]), "gates": json.loads(row["gates"])} for row in rows]

    async def settled(self, count: int, *, seconds: float = 20) -> list[dict[str, Any]]:
        """Wait until `count` notifications are terminal, and return all of them."""

        async def done() -> list[dict[str, Any]] | None:
            rows = await self.notifications()
            return rows if sum(row["status"] in TERMINAL for row in rows) >= count else None

        return await eventually(done, seconds=seconds)

    async def deliveries(self, count: int = 0, *, seconds: float = 10) -> list[dict[str, Any]]:
        """Wait for at least `count` delivery events, and return all of them."""

        async def done() -> list[dict[str, Any]] | None:
            async with self.redis() as client:
                found = [json.loads(fields[b"data"]) for _, fields in await client.xrange("outbound:deliveries")]
            return found if len(found) >= count else None

        return await eventually(done, seconds=seconds)

    async def dead_letters(self, count: int = 1, *, seconds: float = 10) -> list[dict[str, Any]]:
        async def done() -> list[dict[str, Any]] | None:
            rows = [dict(row) for row in await self.sql("select * from dead_letters order by created_at, entry_id")]
            return rows if len(rows) >= count else None

        return await eventually(done, seconds=seconds)

    def ticket(self, number: str = "T-42", *, tenant: UUID | None = None, **more: Any) -> dict[str, Any]:
        """One ticket.updated event for one person."""
        person = more.pop(
            "person", {"role": "requester", "user_id": "u-1", "email": "alice@example.com", "name": "Alice"}
        )
        return {
            "specversion": "1.0",
            "id": more.pop("id", uuid4().hex),
            "source": "/psa/tickets",
            "type": "ticket.updated.v1",
            "subject": f"ticket/{number}",
            "tenantid": str(tenant or self.tenant),
            "data": {
                "ticket_id": number,
                "ticket_number": number,
                "title": "Printer on fire",
                "status": "open",
                "changes": {"status": {"previous": "new", "new": "open"}},
                "people": [person] if isinstance(person, dict) else person,
            },
        } | more


async def eventually(look: Callable[[], Any], *, seconds: float = 10) -> Any:
    """Wait until `look` returns something true, and return that."""
    until = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s")
        await asyncio.sleep(0.05)
