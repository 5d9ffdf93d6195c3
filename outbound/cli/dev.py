"""`outbound dev`: the whole service on this machine, with nothing installed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from outbound.cli.answer import fail


def dev(
    *,
    once: Annotated[bool, typer.Option("--once", help="End as soon as every demo event has come to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output at the end.")] = False,
    folder: Annotated[Path, typer.Option(help="Where the data, the mails and the log are kept.")] = Path("var"),
) -> None:
    """Run everything embedded: Postgres, Valkey, an inbox, the worker, and a demo that shows what becomes of events.

    DATABASE_URL, REDIS_URL and EMAIL_HOST replace the embedded parts one by one.
    """
    # Only here: the embedded servers are a dependency group that a production image does not have.
    from outbound.dev.process import ServerError  # noqa: PLC0415 - see above
    from outbound.dev.run import Options, run  # noqa: PLC0415 - the same

    try:
        status = asyncio.run(run(Options(folder=folder, is_once=once, is_json=json)))
    except ServerError as error:
        fail(str(error))
    raise typer.Exit(status)
