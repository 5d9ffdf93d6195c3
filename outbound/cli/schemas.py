"""`outbound schemas`: the JSON Schemas of every event on the bus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from events.jsonschema import stale, write
from outbound.cli.answer import fail, put_line, say


def schemas(
    *,
    out: Annotated[Path, typer.Option(help="The folder they are in.")] = Path("schemas"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file differs from the models.")
    ] = False,
) -> None:
    """Write the JSON Schema of each event and name what changed, or check that the files say what the models say."""
    try:
        if check:
            _check(out)
        else:
            _write(out)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _write(out: Path) -> None:
    changed = stale(out)
    written = {path.name for path in write(out)}
    for name in changed:
        if name in written:
            put_line(str(out / name))
        else:
            say(f"{out / name} belongs to no event any more: remove it")
    say(f"{len(written.intersection(changed))} of {len(written)} schemas changed")


def _check(out: Path) -> None:
    if not any(out.glob("*.v*.json")):
        fail(f"there are no schemas in {out}: `--out` names another folder; without `--check` they are written there")
    different = stale(out)
    for name in different:
        put_line(str(out / name))
    if different:
        fail("these differ from the models; run `outbound schemas` to write them")
    say("the schemas are up to date")
