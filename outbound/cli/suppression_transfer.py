"""`outbound suppressions import` and `export`: whole lists from and to CSV."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Annotated
from uuid import UUID

import typer

from notifications.suppression import Entry, Source, SuppressionReason
from outbound.cli.actor import actor
from outbound.cli.answer import fail, plain, progress, put_json, put_line, say
from outbound.cli.suppression_file import COLUMNS, EXTRA, Defaults, Problem, entries, record
from outbound.cli.suppression_options import AsJson, Expires, Global, Note, Reason, Tenant, one_list, with_lists
from storage.suppressions import SuppressionLists

_AT_ONCE = 500
_OWNER_ONLY = 0o600


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a column address; - is standard input.")],
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: Reason = SuppressionReason.MANUAL,
    expires: Expires = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Put the addresses of a file on a list. Options hold where a line says nothing.

    Safe to repeat. A line that cannot be an entry is told of and passed over; the command then ends with 1.
    """
    list_id = one_list(tenant, is_global=is_global)
    lines = _lines(file)
    found = entries(lines, Defaults(reason=reason, expires_at=expires, note=note))

    async def put_all(lists: SuppressionLists) -> dict[str, int]:
        totals = {"added": 0, "changed": 0, "unchanged": 0, "refused": 0}
        with progress("importing", len(lines)) as advance:
            while batch := list(islice(found, _AT_ONCE)):
                good = [one for one in batch if isinstance(one, Entry)]
                for problem in batch:
                    if isinstance(problem, Problem):
                        say(f"line {problem.line}: {problem.text}")
                if good:
                    changes = await lists.put(list_id, good, source=Source.IMPORT, actor=actor())
                    for name, count in asdict(changes).items():
                        totals[name] += count
                totals["refused"] += len(batch) - len(good)
                advance(len(batch))
        return totals

    totals = with_lists(put_all)
    if as_json:
        put_json(totals)
    else:
        put_line(", ".join(f"{count} {name}" for name, count in totals.items()))
    if totals["refused"]:
        fail(f"not imported: {totals['refused']} of the lines")


def export_file(
    file: Annotated[Path, typer.Argument(help="Where to; - is standard output. Only its owner may read the file.")],
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    as_json: AsJson = False,
) -> None:
    """Write one list as CSV, as import reads it; 1 if an address cannot be read with the keys that are set."""
    list_id = one_list(tenant, is_global=is_global)

    async def write_all(lists: SuppressionLists) -> dict[str, int]:
        totals = {"written": 0, "unreadable": 0}
        last: UUID | None = None
        with _writing(file) as out, progress("exporting", await lists.count(list_id)) as advance:
            writer: csv.DictWriter[str] = csv.DictWriter(out, (*COLUMNS, *EXTRA), lineterminator="\n")
            writer.writeheader()
            while rows := await lists.page(list_id, last, _AT_ONCE):
                last = rows[-1].id
                readable = [record(row) for row in rows if row.address is not None]
                writer.writerows(readable)
                totals["written"] += len(readable)
                totals["unreadable"] += len(rows) - len(readable)
                advance(len(rows))
        return totals

    totals = with_lists(write_all)
    if str(file) != "-":
        if as_json:
            put_json(totals)
        else:
            put_line(f"{totals['written']} written to {plain(file)}")
    if totals["unreadable"]:
        fail(f"not written: {totals['unreadable']}, which the keys of OUTBOUND_SECRET_KEY cannot read")


def _lines(file: Path) -> list[str]:
    try:
        octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{plain(file)}: {error.strerror}")
    # What is not UTF-8 becomes a character that no address has: those lines are refused, the others are not.
    return list(io.StringIO(octets.decode("utf-8-sig", errors="replace"), newline=""))


@contextmanager
def _writing(file: Path) -> Generator[IO[str]]:
    if str(file) == "-":
        yield sys.stdout
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    except OSError as error:
        fail(f"{plain(file)}: {error.strerror}")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        # One that was there before keeps its mode unless it is changed.
        os.fchmod(out.fileno(), _OWNER_ONLY)
        yield out
