"""`outbound notifications`: withdraw mail that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from notifications.report import Reports
from outbound.cli.actor import actor
from outbound.cli.answer import fail, put_json, put_line
from outbound.settings import Settings, load
from storage.cancelling import cancel
from storage.operator import open_for_operator
from storage.roles import Role

notifications = typer.Typer(no_args_is_help=True, add_completion=False, help="Withdraw mail that waits.")


@notifications.callback()
def _group() -> None:
    """Withdraw mail that waits."""


@notifications.command("cancel")
def cancel_waiting(
    ids: Annotated[list[UUID] | None, typer.Argument(metavar="[ID]...", help="Notifications to withdraw.")] = None,
    *,
    tenant: Annotated[UUID, typer.Option(help="Whose they are.")],
    subject: Annotated[
        str | None, typer.Option(help="All mail about this: the event's subject, such as ticket/42.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object with the ids.")] = False,
) -> None:
    """Withdraw what waits, in the queue or in a digest; what is being sent, or may have been, is left alone."""
    if not ids and not subject:
        raise typer.BadParameter("name notifications, or what they are about with --subject", param_hint="ID")
    settings = load(needs=("DATABASE_URL", "OUTBOUND_SECRET_KEY"))
    cancelled = asyncio.run(_cancel(settings, tenant, ids or (), subject))
    if as_json:
        put_json({"cancelled": [str(id_) for id_ in cancelled]})
    else:
        for id_ in cancelled:
            put_line(str(id_))
    if not cancelled:
        fail("nothing of it waits in that tenant: it is unknown, done, being sent, or may have been")
    if not as_json:
        put_line(f"{len(cancelled)} cancelled")


async def _cancel(settings: Settings, tenant: UUID, ids: Sequence[UUID], subject: str | None) -> list[UUID]:
    reports = Reports(secret=settings.secret_key[0].get_secret_value().encode())
    async with open_for_operator(settings.database_url.get_secret_value(), Role.API) as database:
        return await cancel(database, tenant, ids=ids, subject=subject, reports=reports, actor=actor())
