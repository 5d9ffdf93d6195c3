"""`outbound migrate`: bring the database to the present schema."""

from __future__ import annotations

import asyncio

from outbound.settings import load
from storage.migrate import head_revision, upgrade


def migrate() -> None:
    """Create the roles, run missing migrations, and copy the system's categories and templates in. Safe to repeat."""
    settings = load(needs=("DATABASE_URL",))
    asyncio.run(upgrade(settings.database_url.get_secret_value()))
    print(f"the database is at revision {head_revision()}")  # noqa: T201 - the command's answer
