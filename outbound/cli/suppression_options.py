"""What the commands of `outbound suppressions` have in common: their options, and how the lists are opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from notifications.suppression import SuppressionReason, suppressed_address
from outbound.cli.answer import fail
from outbound.cli.suppression_file import read_moment
from outbound.secret_keys import address_vault
from outbound.settings import Settings, load
from providers.errors import InvalidAddressError
from storage.operator import open_for_operator
from storage.roles import Role
from storage.session import Database
from storage.suppressions import SuppressionLists, UnknownTenantError

T = TypeVar("T")


def _checked(reader: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader whose refusal is wrong usage."""

    def read(text: str) -> T:
        try:
            return reader(text)
        except (ValueError, InvalidAddressError) as error:
            raise typer.BadParameter(str(error)) from None

    return read


Tenant = Annotated[UUID | None, typer.Option("--tenant", help="The list of this tenant.")]
Global = Annotated[bool, typer.Option("--global", help="The list that holds for every tenant.")]
Address = Annotated[str, typer.Argument(parser=_checked(suppressed_address), metavar="ADDRESS", help="The address.")]
Reason = Annotated[SuppressionReason, typer.Option(help="Why.")]
OnlyReason = Annotated[SuppressionReason | None, typer.Option(help="Only with this reason.")]
Expires = Annotated[
    datetime | None,
    typer.Option(parser=_checked(read_moment), metavar="TIME", help="Until when (ISO 8601, UTC); else for good."),
]
Note = Annotated[str | None, typer.Option(help="A line for whoever asks later.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


def one_list(tenant: UUID | None, *, is_global: bool) -> UUID | None:
    """Return whose list is meant; None is the whole service's.

    Raises:
        typer.BadParameter: when none is named, or both.
    """
    if (tenant is None) != is_global:
        raise typer.BadParameter("name the list: either --tenant or --global")
    return tenant


def with_lists(work: Callable[[SuppressionLists], Awaitable[T]]) -> T:
    """Open the lists, do the work, and return what came of it; a tenant that is not there ends the command with 1."""
    settings = load(needs=("DATABASE_URL", "OUTBOUND_SECRET_KEY"))

    async def run() -> T:
        async with _open(settings) as lists:
            return await work(lists)

    try:
        return asyncio.run(run())
    except UnknownTenantError as error:
        fail(f"nothing was written: {error}")


@asynccontextmanager
async def _open(settings: Settings) -> AsyncGenerator[SuppressionLists, Any]:
    """Open the lists as an operator reads them, and as a tenant's own are written."""
    dsn = settings.database_url.get_secret_value()
    async with open_for_operator(dsn, Role.PLATFORM) as platform, open_for_operator(dsn, Role.API) as tenants:
        yield SuppressionLists(Database(pools=platform.pools | tenants.pools), address_vault(settings))
