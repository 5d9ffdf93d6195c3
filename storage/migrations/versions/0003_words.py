"""What templates say in other languages, and what a tenant's mails look like."""

from storage.migrations.statements import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
