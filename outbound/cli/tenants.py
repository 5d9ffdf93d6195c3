"""`outbound tenants`: add and list tenants."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated
from uuid import UUID, uuid4

import typer

from notifications.sender_address import is_dns_label
from outbound.cli.actor import actor
from outbound.cli.answer import fail, plain, put_json, put_line, put_table
from outbound.settings import load
from storage.operator import open_for_operator
from storage.roles import Role
from storage.tenant_admin import AddedTenant, SlugTakenError, TenantRow, list_tenants, put_tenant

_MAX_NAME_CHARS = 200

tenants = typer.Typer(no_args_is_help=True, add_completion=False, help="Add and list tenants.")


@tenants.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The name that recipients see.")],
    *,
    tenant_id: Annotated[UUID | None, typer.Option("--id", help="The upstream's own id; a new one by default.")] = None,
    slug: Annotated[
        str | None, typer.Option(help="The label for From addresses; made from the name by default.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Mails a minute (default: OUTBOUND_RATE_PER_MINUTE).")
    ] = None,
    burst: Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Mails at once (default: the rate).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the tenant as JSON.")] = False,
) -> None:
    """Add a tenant, or change the one with this id; an option that is left out changes nothing."""
    given = name.strip()
    if not given or len(given) > _MAX_NAME_CHARS or not given.isprintable():
        raise typer.BadParameter(f"1 to {_MAX_NAME_CHARS} printable characters", param_hint="NAME")
    if slug is not None and not is_dns_label(slug):
        raise typer.BadParameter("a-z, 0-9 and inner hyphens, at most 63 characters", param_hint="--slug")
    settings = load(needs=("DATABASE_URL",))
    dsn = settings.database_url.get_secret_value()
    try:
        added = asyncio.run(_add(dsn, tenant_id or uuid4(), given, slug, rate, burst))
    except SlugTakenError as error:
        fail(f"another tenant has the slug {error}: choose one with --slug, or name that tenant with --id to change it")
    if as_json:
        put_json(asdict(added))
    else:
        put_line(f"{added.id}  {plain(added.slug)}")


async def _add(
    dsn: str, tenant_id: UUID, name: str, slug: str | None, rate: int | None, burst: int | None
) -> AddedTenant:
    async with open_for_operator(dsn, Role.API) as database:
        return await put_tenant(
            database, tenant_id, name=name, slug=slug, rate_per_minute=rate, burst=burst, actor=actor()
        )


@tenants.command("list")
def show_all(
    *, as_json: Annotated[bool, typer.Option("--json", help="Write one line of JSON for each tenant.")] = False
) -> None:
    """List all tenants by slug."""
    settings = load(needs=("DATABASE_URL",))
    rows = asyncio.run(_list(settings.database_url.get_secret_value()))
    if as_json:
        for row in rows:
            put_json(asdict(row))
        return
    put_table(
        ("id", "slug", "name", "active", "notifications", "mails/min", "burst", "since"),
        (
            (
                row.id,
                row.slug,
                row.name,
                row.is_active,
                row.is_enabled,
                row.rate_limit_per_minute,
                row.rate_limit_burst,
                row.created_at,
            )
            for row in rows
        ),
    )


async def _list(dsn: str) -> list[TenantRow]:
    async with open_for_operator(dsn) as database, database.everyone(Role.PLATFORM) as connection:
        return await list_tenants(connection)
