"""Bring a database to the present schema and copy the system's categories and templates into it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from storage.provision import ensure_roles
from storage.roles import Role
from storage.seed import seed

_ONE_MIGRATION_AT_A_TIME = 0x6F7574626F756E64
_LOCK_TIMEOUT = "10s"

# Not to_regclass: it is refused to a login that has not yet taken a role with rights on the schema.
_IS_KNOWN = """
select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'outbound' and c.relname = 'alembic_version')"""


async def upgrade(dsn: str) -> None:
    """Create the roles, run the missing revisions and seed the system rows; safe to repeat and to run twice at once.

    Args:
        dsn: `postgresql://…` of the login that owns the database.
    """
    engine = create_async_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"select pg_advisory_lock({_ONE_MIGRATION_AT_A_TIME})"))
            await ensure_roles(connection)
            await connection.commit()
            await connection.execute(text(f"set role {Role.OWNER}"))
            await connection.execute(text("set search_path = outbound"))
            await connection.execute(text(f"set lock_timeout = '{_LOCK_TIMEOUT}'"))
            await connection.commit()
            await connection.run_sync(_run_revisions)
            await seed(connection)
            await connection.commit()
    finally:
        await engine.dispose()


async def pending(dsn: str) -> bool:
    """Tell whether the database lacks a revision that this version of outbound knows."""
    engine = create_async_engine(sqlalchemy_url(dsn), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            if not await connection.scalar(text(_IS_KNOWN)):
                return True
            await connection.execute(text(f"set role {Role.WORKER}"))
            # A newer schema than ours is no reason to refuse: columns are removed only two releases later.
            return bool(
                await connection.scalar(text("select version_num from outbound.alembic_version")) < head_revision()
            )
    finally:
        await engine.dispose()


def head_revision() -> str:
    """Return the newest revision in the source tree: the name of the last file in `versions`."""
    files = sorted((Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
    return files[-1].name.partition("_")[0]


def sqlalchemy_url(dsn: str) -> str:
    """Turn `postgresql://` or `postgres://` into the URL SQLAlchemy wants for asyncpg."""
    scheme, separator, rest = dsn.partition("://")
    if separator != "://" or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("DATABASE_URL must begin with postgresql://")
    return f"postgresql+asyncpg://{rest}"


def _run_revisions(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
