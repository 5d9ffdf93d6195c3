"""Waiting mail can be withdrawn, also by what it is about."""

from storage.migrations.statements import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
