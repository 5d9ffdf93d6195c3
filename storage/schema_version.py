"""Which schema the database has, asked without what it takes to change it: that is a third of a worker's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg

from notifications.ports import UnavailableError
from storage.roles import Role

_CONNECT_TIMEOUT_SECONDS = 10

# Not to_regclass: it is refused to a login that has not yet taken a role with rights on the schema.
_IS_KNOWN = """
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'outbound' and c.relname = 'alembic_version')"""


async def pending(dsn: str) -> bool:
    """Tell whether the database lacks a revision that this version of outbound knows.

    Raises:
        UnavailableError: when Postgres cannot be reached now, or refuses us.
    """
    try:
        connection: Any = await asyncpg.connect(dsn, timeout=_CONNECT_TIMEOUT_SECONDS)
        try:
            if not await connection.fetchval(_IS_KNOWN):
                return True
            await connection.execute(f"set role {Role.WORKER}")
            # A newer schema than ours is no reason to refuse: columns are removed only two releases later.
            found: str = await connection.fetchval("select version_num from outbound.alembic_version")
            return found < head_revision()
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UnavailableError(f"Postgres: {type(error).__name__}: {error}") from error


def head_revision() -> str:
    """Return the newest revision in the source tree: the name of the last file in `versions`."""
    files = sorted((Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
    return files[-1].name.partition("_")[0]
