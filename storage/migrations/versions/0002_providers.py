"""Which providers are in use, what they have to rest for, and the files that mails carry."""

from storage.migrations.statements import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
