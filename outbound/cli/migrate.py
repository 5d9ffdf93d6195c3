"""`outbound migrate`: bring the database to the present schema."""

from __future__ import annotations

import asyncio

from notifications.ports import UnavailableError
from outbound.settings import load
from storage.migrate import upgrade
from storage.schema_version import head_revision


def migrate() -> None:
    """Create the roles, run missing migrations, and copy the system's categories and templates in. Safe to repeat."""
    settings = load(needs=("DATABASE_URL",))
    try:
        asyncio.run(upgrade(settings.database_url.get_secret_value()))
    except OSError as error:
        raise UnavailableError(f"Postgres: {type(error).__name__}") from error
    print(f"the database is at revision {head_revision()}")  # noqa: T201 - the command's answer
