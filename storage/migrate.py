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
