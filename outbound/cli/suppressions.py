"""`outbound suppressions`: whom not to write to, of one tenant or of the whole service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from notifications.suppression import Entry, Scope, ScopeKind, Source, SuppressionReason
from outbound.cli.actor import actor
from outbound.cli.answer import fail, put_json, put_line, put_table, say
from outbound.cli.suppression_options import (
    Address,
    AsJson,
    Expires,
    Global,
    Note,
    OnlyReason,
    Reason,
    Tenant,
    one_list,
    with_lists,
)
from outbound.cli.suppression_transfer import export_file, import_file
from storage.suppressions import Changes, Suppression, SuppressionLists

_SPARE = ("note", "source", "since", "scope", "expires", "active")
"""The columns a narrow terminal does without, in this order."""

suppressions = typer.Typer(no_args_is_help=True, add_completion=False, help="See and change whom not to write to.")


@suppressions.command("list")
def show_all(
    *,
    tenant: Tenant = None,
    is_global: Global = False,
    reason: OnlyReason = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List suppressions, the newest first: of one list, or of all of them."""
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
    """Put an address on a list, or change what stands there for the same reason and scope."""
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
    scope: Annotated[str | None, typer.Option(help="Only what is about this mail.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take an address off a list, or only what it is on it for; 1 if it is not there."""
    list_id = one_list(tenant, is_global=is_global)
    try:
        wanted = None if scope is None else Scope.parse(scope)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

    async def take_off(lists: SuppressionLists) -> int:
        return await lists.remove(list_id, address, reason=reason, scope=wanted, actor=actor())

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
    """Show everything that is listed for an address, in all lists or as far as it concerns one tenant."""

    async def of_address(lists: SuppressionLists) -> list[Suppression]:
        return await lists.of_address(address, tenant)

    rows = with_lists(of_address)
    if as_json:
        is_held = any(row.is_active for row in rows)
        put_json({"address": address, "is_suppressed": is_held, "suppressions": [_described(row) for row in rows]})
    else:
        _show(rows)


suppressions.command("import")(import_file)
suppressions.command("export")(export_file)


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
    return {field.name: getattr(row, field.name) for field in fields(row)} | {"scope": str(row.scope)}
