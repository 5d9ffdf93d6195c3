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
    """Write the JSON Schema of each event, or check that the files say what the models say."""
    try:
        if not check:
            for path in write(out):
                put_line(str(path))
            return
        different = stale(out)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    for name in different:
        put_line(str(out / name))
    if different:
        fail("these differ from the models; run `outbound schemas` to write them")
    say("the schemas are up to date")
