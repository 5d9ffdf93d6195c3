"""The `outbound` command in this process, with the environment of one test."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from typer.testing import CliRunner, Result

from outbound.cli.app import build

SECRET = "planted-secret-key-of-the-tests-0123456789"


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs commands; `environment` is all they know of the outside."""

    environment: dict[str, str]

    def __call__(self, *words: object, stdin: str | bytes | None = None, **more: str) -> Result:
        environment = {"OUTBOUND_SECRETS_DIR": "/nonexistent"} | self.environment | more
        return CliRunner().invoke(build(), [str(word) for word in words], input=stdin, env=environment)

    def json(self, *words: object, **more: str) -> Any:
        """Run a command that must succeed, and return the one object it wrote."""
        [only] = self.ndjson(*words, **more)
        return only

    def ndjson(self, *words: object, **more: str) -> list[Any]:
        result = self(*words, "--json", **more)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@dataclass(frozen=True, slots=True)
class Sql:
    """Statements of a test, as one of the roles."""

    database: str

    def __call__(
        self, statement: str, *values: Any, role: str = "outbound_platform", tenant: UUID | None = None
    ) -> list[Any]:
        return asyncio.run(self._run(statement, values, role, tenant))

    async def _run(self, statement: str, values: tuple[Any, ...], role: str, tenant: UUID | None) -> list[Any]:
        connection = await asyncpg.connect(self.database, server_settings={"search_path": "outbound"})
        try:
            await connection.execute(f"set role {role}")
            async with connection.transaction():
                if tenant:
                    await connection.execute(f"set local outbound.tenants = '{tenant}'")
                return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    def dead_letter(
        self,
        fields: dict[str, Any],
        *,
        entry_id: str = "1795494222384-0",
        reason: str = "unknown_type",
        truncated: bool = False,
        event_id: str | None = None,
        tenant: UUID | None = None,
    ) -> None:
        """Store a dead letter as the line does."""
        self(
            "insert into dead_letters (stream, entry_id, tenant_id, event_id, reason, detail, fields, is_truncated,"
            " deliveries) values ('outbound:events', $1, $2, $3, $4, 'type: not in the catalogue', $5, $6, 1)",
            entry_id,
            tenant,
            event_id,
            reason,
            json.dumps(fields),
            truncated,
            role="outbound_worker",
        )


def ticket(tenant: object, **more: Any) -> dict[str, Any]:
    """A ticket.updated event; `**{"id": …}` gives it an id of its own."""
    return {
        "type": "ticket.updated.v1",
        "tenantid": str(tenant),
        "subject": "ticket/T-42",
        "data": {
            "ticket_id": "T-42",
            "ticket_number": "T-42",
            "title": "Printer on fire",
            "status": "open",
            "changes": {"status": {"previous": "new", "new": "open"}},
            "people": [{"role": "requester", "user_id": "u-1", "email": "alice@example.com", "name": "Alice"}],
        },
    } | more
