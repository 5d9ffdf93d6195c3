"""Roles and schema, made before the first migration."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.roles import Role

_POSTGRES_16 = 160_000


async def ensure_roles(connection: AsyncConnection) -> None:
    """Create the roles that are missing, make the login a member of each, and give the owner its schema.

    Roles belong to the whole cluster, so another database may have made them already. The login needs CREATEROLE only
    while one is missing.
    """
    # From Postgres 16 on, the creator of a role may grant it but not act as it.
    version = await connection.scalar(text("select current_setting('server_version_num')::int"))
    privilege = "member" if version < _POSTGRES_16 else "set"
    for role in Role:
        await connection.execute(
            text(
                f"do $$ begin if not exists (select from pg_roles where rolname = '{role}') then "
                f"create role {role} nologin nosuperuser nobypassrls noinherit; end if; "
                f"if not pg_has_role(current_user, '{role}', '{privilege}') then "
                f"grant {role} to current_user; end if; end $$"
            )
        )
    await connection.execute(text(f"create schema if not exists outbound authorization {Role.OWNER}"))
    database = await connection.scalar(text("select quote_ident(current_database())"))
    await connection.execute(text(f"alter database {database} set search_path = outbound, public"))
