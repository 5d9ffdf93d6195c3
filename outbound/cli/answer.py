"""How a command answers: data on standard output, everything else on standard error, and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import Any, NoReturn
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from outbound.cli.table import table_lines
from outbound.moment import moment

OK, FAILED, USAGE = 0, 1, 2
"""Every command's exit codes: done; not done, or not so; wrong usage or configuration."""

_UNWRAPPED_COLUMNS = 1000
_REPLACEMENT = "\ufffd"


def plain(value: object) -> str:
    """Return a value as text for a terminal: what others wrote may hold escape sequences, and those are replaced."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    return "".join(char if char.isprintable() else _REPLACEMENT for char in str(value))


def put_line(text: str) -> None:
    """Write a line of data."""
    typer.echo(text)


def put_json(value: Mapping[str, Any]) -> None:
    """Write an object as one line of JSON in ASCII, so that no character of it means anything to a terminal."""
    typer.echo(json.dumps(value, default=_json_value, separators=(",", ":")))


def put_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    whole: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Write a table for people, or `none`; cells are shown as they are, never as markup.

    Columns of `whole` are never broken over lines; those of `spare` give way to them, the first one first.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        put_line("none")
        return
    # In a file or a pipe a row stays on one line.
    width = Console().width if sys.stdout.isatty() else _UNWRAPPED_COLUMNS
    for line in table_lines(columns, cells, width, whole=whole, spare=spare):
        put_line(line)


def say(text: str) -> None:
    """Tell the person at the terminal something that is not data."""
    typer.echo(text, err=True)


def fail(text: str) -> NoReturn:
    """Say in one line what went wrong, and end with exit code 1.

    Raises:
        typer.Exit: always.
    """
    say(f"outbound: {text}")
    raise typer.Exit(FAILED)


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show a bar on standard error while the block runs, where that is a terminal; the yielded function advances it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def _json_value(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return str(value.value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")
