"""${message}."""

from storage.migrations.statements import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
