"""What people wish of their mail: at another address, and not at night."""

from storage.migrations.statements import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
