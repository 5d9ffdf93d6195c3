"""What `doctor` asks of Postgres: asked as the login itself, because the roles may be what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from storage.roles import Role

_CONNECT_SECONDS = 5

_LOGIN = """
select current_user::text as login, r.rolsuper as is_superuser, r.rolbypassrls as bypasses_row_security,
  current_setting('server_version_num')::integer as version_number
from pg_roles r where r.rolname = current_user"""

_ROLES = (
    "select rolname::text from pg_roles where rolname = any($1::text[]) and pg_has_role(current_user, oid, 'member')"
)

_HAS_REVISION = """
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'outbound' and c.relname = 'alembic_version')"""

_REVISION = "select version_num from outbound.alembic_version"

# Partitions are left out: nobody has a grant on one, and what comes through the parent obeys the parent's policies.
_UNPROTECTED = """
select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'outbound' and c.relkind in ('r', 'p') and not c.relispartition
  and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
  and not (c.relrowsecurity and c.relforcerowsecurity)
order by 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresInspection:
    """What was found. `revision` is None where nothing was ever migrated, or where the login may not look."""

    version_number: int
    login: str
    is_superuser: bool
    bypasses_row_security: bool
    missing_roles: tuple[str, ...]
    revision: str | None
    unprotected_tables: tuple[str, ...]


class UnreachableError(Exception):
    """Postgres does not let us in; the text is the server's or the system's, and holds no password."""


async def inspect(dsn: str) -> PostgresInspection:
    """Connect as the login and look around, changing nothing.

    Raises:
        UnreachableError: when there is no answer, or the server refuses the login or the database.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    except (asyncpg.PostgresError, OSError) as error:
        raise UnreachableError(str(error) or type(error).__name__) from error
    except (asyncpg.InterfaceError, ValueError) as error:
        # These quote pieces of the address, which holds the password.
        raise UnreachableError("the address cannot be read") from error
    try:
        return await _look(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise UnreachableError(str(error) or type(error).__name__) from error
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


async def _look(connection: asyncpg.Connection) -> PostgresInspection:
    login: Any = await connection.fetchrow(_LOGIN)
    roles = {row[0] for row in await connection.fetch(_ROLES, [role.value for role in Role])}
    missing = tuple(role.value for role in Role if role.value not in roles)
    return PostgresInspection(
        version_number=login["version_number"],
        login=login["login"],
        is_superuser=login["is_superuser"],
        bypasses_row_security=login["bypasses_row_security"],
        missing_roles=missing,
        revision=None if missing else await _revision(connection),
        unprotected_tables=tuple(row[0] for row in await connection.fetch(_UNPROTECTED)),
    )


async def _revision(connection: asyncpg.Connection) -> str | None:
    if not await connection.fetchval(_HAS_REVISION):
        return None
    await connection.execute(f"set role {Role.PLATFORM}")
    try:
        revision: str | None = await connection.fetchval(_REVISION)
        return revision
    finally:
        await connection.execute("reset role")
