"""`outbound suppressions`: whom not to write to, of one tenant or of the whole service."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any
from uuid import UUID

import typer

from notifications.suppression import Entry, Scope, Source, SuppressionReason, suppressed_address
from outbound.cli.actor import actor
from outbound.cli.answer import fail, plain, progress, put_json, put_line, put_table, say
from outbound.cli.suppression_file import COLUMNS, EXTRA, Defaults, Problem, entries, read_moment, record
from outbound.secret_keys import address_vault
from outbound.settings import Settings, load
from providers.errors import InvalidAddressError
from storage.operator import open_for_operator
from storage.roles import Role
from storage.suppressions import Changes, Suppression, SuppressionLists, UnknownTenantError

_SPARE = ("note", "source", "since", "scope", "expires", "active")
"""The columns a narrow terminal does without, in this order."""

suppressions = typer.Typer(
    no_args_is_help=True, add_completion=False, help="See and change whom not to write to, and find out why."
)


def _read(reader: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        try:
            return reader(text)
        except (ValueError, InvalidAddressError) as error:
            raise typer.BadParameter(str(error)) from None

    return read


Tenant = Annotated[UUID | None, typer.Option("--tenant", help="The list of this tenant.")]
Global = Annotated[bool, typer.Option("--global", help="The list that holds for every tenant.")]
Address = Annotated[str, typer.Argument(parser=_read(suppressed_address), help="The address.")]
Reason = Annotated[SuppressionReason, typer.Option(help="Why.")]
OnlyReason = Annotated[SuppressionReason | None, typer.Option(help="Only with this reason.")]
Expires = Annotated[
    datetime | None,
    typer.Option(parser=_read(read_moment), metavar="TIME", help="Until when (ISO 8601, UTC); for good by default."),
]
Note = Annotated[str | None, typer.Option(help="A line for whoever asks later.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@suppressions.command("list")
def show_all(
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: OnlyReason = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List suppressions, the newest first: of one list, or of all."""
    if tenant is not None and is_global:
        raise typer.BadParameter("name one list, --tenant or --global, or neither for all")

    async def newest(lists: SuppressionLists) -> list[Suppression]:
        return await lists.newest(tenant_id=tenant, only_global=is_global, reason=reason, limit=limit)

    rows = with_lists(newest)
    if as_json:
        for row in rows:
            put_json(_described(row))
        return
    _show(rows)
    if len(rows) == limit:
        say(f"these are the newest {limit}; --limit shows more")


@suppressions.command("add")
def add(
    address: Address,
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: Reason = SuppressionReason.MANUAL,
    scope: Annotated[
        str, typer.Option(help="Of which mail, for the reason unsubscribed: all, category:SLUG or subtype:SLUG.")
    ] = ScopeKind.ALL,
    expires: Expires = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Put an address on a list, or change what stands there with the same reason and scope."""
    list_id = one_list(tenant, is_global=is_global)
    if expires is not None and expires <= datetime.now(UTC):
        raise typer.BadParameter("is past already", param_hint="--expires")
    try:
        entry = Entry(address=address, reason=reason, scope=Scope.parse(scope), expires_at=expires, note=note)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

    async def put(lists: SuppressionLists) -> Changes:
        return await lists.put(list_id, [entry], source=Source.OPERATOR, actor=actor())

    changes = with_lists(put)
    if as_json:
        put_json(asdict(changes))
    else:
        put_line("added" if changes.added else "changed" if changes.changed else "stood there already")


@suppressions.command("remove")
def remove(
    address: Address,
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: OnlyReason = None,
    scope: Annotated[
        Scope | None, typer.Option(parser=_read(Scope.parse), metavar="SCOPE", help="Only what is about this mail.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take an address off a list; 1 if it was not on it."""
    list_id = one_list(tenant, is_global=is_global)

    async def take_off(lists: SuppressionLists) -> int:
        return await lists.remove(list_id, address, reason=reason, scope=scope, actor=actor())

    count = with_lists(take_off)
    if as_json:
        put_json({"removed": count})
    if count == 0:
        fail("it is not on this list")
    if not as_json:
        put_line(f"{count} removed")


@suppressions.command("check")
def check(
    address: Address,
    *,
    tenant: Annotated[UUID | None, typer.Option(help="As far as it concerns this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that is listed for an address, in every list or as far as it concerns one tenant."""

    async def of_address(lists: SuppressionLists) -> list[Suppression]:
        return await lists.of_address(address, tenant)

    rows = with_lists(of_address)
    if as_json:
        is_held = any(row.is_active for row in rows)
        put_json({"address": address, "is_suppressed": is_held, "suppressions": [_described(row) for row in rows]})
    else:
        _show(rows)


def one_list(tenant: UUID | None, *, is_global: bool) -> UUID | None:
    """Return whose list is meant; None is the whole service's."""
    if (tenant is None) != is_global:
        raise typer.BadParameter("name the list: either --tenant or --global")
    return tenant


def with_lists(work: Callable[[SuppressionLists], Awaitable[T]]) -> T:
    """Open the lists, do the work, and return what came of it; a tenant that is not there ends the command with 1."""
    settings = load(needs=("DATABASE_URL", "OUTBOUND_SECRET_KEY"))

    async def run() -> T:
        async with _open_lists(settings) as lists:
            return await work(lists)

    try:
        return asyncio.run(run())
    except UnknownTenantError as error:
        fail(f"nothing was written: {error}")


@asynccontextmanager
async def _open_lists(settings: Settings) -> AsyncGenerator[SuppressionLists]:
    """Open the lists as an operator reads them, and as a tenant's own are written."""
    dsn = settings.database_url.get_secret_value()
    async with open_for_operator(dsn, Role.PLATFORM) as platform, open_for_operator(dsn, Role.API) as tenants:
        yield SuppressionLists(Database(pools=platform.pools | tenants.pools), address_vault(settings))


def _show(rows: Sequence[Suppression]) -> None:
    put_table(
        ("tenant", "address", "reason", "scope", "source", "since", "expires", "active", "note"),
        (
            (
                row.tenant_id or "global",
                row.address,
                row.reason,
                row.scope,
                row.source,
                row.created_at,
                row.expires_at,
                row.is_active,
                row.note,
            )
            for row in rows
        ),
        whole=("tenant", "address"),
        spare=_SPARE,
    )


def _described(row: Suppression) -> dict[str, Any]:
    described = {name: getattr(row, name) for name in row.__slots__}
    return described | {"scope": str(row.scope)}
