"""Whom not to write to: why, until when, which mail, and by whose word; the address readable only with the key."""

from storage.migrations.statements import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
