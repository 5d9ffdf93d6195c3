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

@suppressions.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a column address; - for standard input.")],
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: Reason = SuppressionReason.MANUAL,
    expires: Expires = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Put all addresses of a file on a list. Safe to repeat; a line that cannot be read is told of and passed over."""
    list_id = one_list(tenant, is_global=is_global)
    totals, refused = {"added": 0, "changed": 0, "unchanged": 0}, 0

    async def put_all(lists: SuppressionLists) -> int:
        refused = 0
        with _lines(file) as lines:
            found = entries(lines, Defaults(reason=reason, expires_at=expires, note=note))
            while batch := list(islice(found, _AT_ONCE)):
                good = [one for one in batch if isinstance(one, Entry)]
                for problem in batch:
                    if isinstance(problem, Problem):
                        say(f"line {problem.line}: {problem.text}")
                        refused += 1
                if good:
                    changes = await lists.put(list_id, good, source=Source.IMPORT, actor=actor())
                    for name, count in asdict(changes).items():
                        totals[name] += count
        return refused

    refused = with_lists(put_all)
    if as_json:
        put_json(totals | {"refused": refused})
    else:
        put_line(", ".join(f"{count} {name}" for name, count in totals.items()))
    if refused:
        fail(f"{refused} lines were not imported")


@suppressions.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="Where to; - for standard output. Only its owner may read it.")],
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    as_json: AsJson = False,
) -> None:
    """Write one list as CSV, as import reads it. 1 if an address cannot be read with the keys that are set."""
    list_id = one_list(tenant, is_global=is_global)

    async def write_all(lists: SuppressionLists) -> tuple[int, int]:
        written = unreadable = 0
        last: UUID | None = None
        with _writing(file) as out, progress("exporting", await lists.count(list_id)) as advance:
            writer = csv.DictWriter(out, (*COLUMNS, *EXTRA), lineterminator="\n")
            writer.writeheader()
            while rows := await lists.page(list_id, last, _AT_ONCE):
                last = rows[-1].id
                readable = [record(row) for row in rows if row.address is not None]
                writer.writerows(readable)
                written, unreadable = written + len(readable), unreadable + len(rows) - len(readable)
                advance(len(rows))
        return written, unreadable

    written, unreadable = with_lists(write_all)
    if file != _STANDARD:
        if as_json:
            put_json({"written": written, "unreadable": unreadable})
        else:
            put_line(f"{written} written")
    if unreadable:
        fail(f"{unreadable} addresses cannot be read: their key is not in OUTBOUND_SECRET_KEY, or they were erased")


