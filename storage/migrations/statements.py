"""SQL files for revisions: a statement ends with a semicolon and an empty line, so that bodies may hold semicolons."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op

_END = re.compile(r";[ \t]*\n(?=\s*\n|\s*\Z)")


def split(sql: str) -> list[str]:
    """Cut a file into statements; comments stay with the statement that follows them."""
    return [part.strip() for part in _END.split(sql) if part.strip()]


def run_sql(revision_file: str) -> None:
    """Run the `.sql` file beside a revision, statement by statement, in Alembic's transaction."""
    for statement in split(Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")):
        op.get_bind().exec_driver_sql(statement)
