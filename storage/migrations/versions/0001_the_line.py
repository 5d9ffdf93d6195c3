"""The tables that carry the line, their roles' rights and row-level security."""

from storage.migrations.statements import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
