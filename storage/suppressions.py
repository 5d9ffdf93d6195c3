"""Suppression lists: whom not to write to, of one tenant or (tenant None) of the whole service.

A tenant's list is written in its own transaction (role `outbound_api`), the service's by an operator
(`outbound_platform`): row-level security refuses anything else. Every change is told in `audit_log`, where an address
is the hash that it is listed under.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg.exceptions import ForeignKeyViolationError

from notifications.suppression import EVERYTHING, Entry, Scope, ScopeKind, Source, SuppressionReason
from storage.address_vault import AddressVault, SealedAddress, SealedAddressError
from storage.columns import columns, jsonb, moment
from storage.roles import Role
from storage.session import Connection, Database

_NEW = """unnest($2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[]) k (address_hash, key_id, sealed, reason, scope, slug, note, expires_at)"""

# Says the same again: nothing changes, and nobody is told. `xmax` of a row that was just inserted is 0.
_PUT = f"""
insert into suppressions as s (tenant_id, address_hash, key_id, sealed, reason, scope, slug, note, expires_at, source,
  created_by)
select $1, k.*, $10, $11 from {_NEW}
on conflict (address_hash, tenant_id, reason, scope, slug) do update set note = excluded.note,
  expires_at = excluded.expires_at, sealed = coalesce(s.sealed, excluded.sealed), source = excluded.source,
  created_by = excluded.created_by, updated_at = now()
where (s.note, s.expires_at) is distinct from (excluded.note, excluded.expires_at) or s.sealed is null
returning s.address_hash, s.reason, s.scope, s.slug, s.expires_at, s.xmax = 0 as is_new"""  # noqa: S608 - a constant

# What is listed under an older key goes on under the present one, so that it is one row still.
_RENEW = """
update suppressions s set address_hash = k.new, key_id = k.key_id, sealed = k.sealed
from unnest($2::bytea[], $3::bytea[], $4::text[], $5::bytea[]) k (old, new, key_id, sealed)
where s.address_hash = any($2::bytea[]) and s.address_hash = k.old and s.tenant_id is not distinct from $1
  and not exists (select from suppressions n where n.address_hash = k.new and n.reason = s.reason
    and n.scope = s.scope and n.tenant_id is not distinct from s.tenant_id and n.slug is not distinct from s.slug)"""

_REMOVE = """
delete from suppressions where address_hash = any($2::bytea[]) and tenant_id is not distinct from $1
  and ($3::text is null or reason = $3) and ($4::text is null or (scope = $4 and slug is not distinct from $5))
returning address_hash, reason, scope, slug, expires_at"""

_COLUMNS = """id, tenant_id, address_hash, key_id, sealed, reason, scope, slug, source, note, expires_at, created_by,
  notification_id, created_at, expires_at is null or expires_at > now() as is_active"""

_OF_ADDRESS = f"""
select {_COLUMNS} from suppressions
where address_hash = any($1::bytea[]) and ($2::uuid is null or tenant_id is null or tenant_id = $2)
order by tenant_id nulls first, created_at, id"""  # noqa: S608 - a constant

_LIST = f"""
select {_COLUMNS} from suppressions
where ($1::uuid is null or tenant_id = $1) and (not $2::boolean or tenant_id is null)
  and ($3::text is null or reason = $3)
order by created_at desc, id limit $4"""  # noqa: S608 - a constant

_PAGE = f"""
select {_COLUMNS} from suppressions
where tenant_id is not distinct from $1 and ($2::uuid is null or id > $2) order by id limit $3"""  # noqa: S608 - the same

_COUNT = "select count(*) from suppressions where tenant_id is not distinct from $1"

_AUDIT = """
insert into audit_log (tenant_id, actor, action, subject, detail)
select $1, $2, a, s, d from unnest($3::text[], $4::text[], $5::jsonb[]) k (a, s, d)"""


class UnknownTenantError(Exception):
    """There is no such tenant, so it has no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One row of a list. `address` is None where the key or the address itself is gone; it holds all the same.

    `is_active` is false once it has expired.
    """

    id: UUID
    tenant_id: UUID | None
    address: str | None
    reason: SuppressionReason
    scope: Scope
    source: Source
    note: str | None
    expires_at: datetime | None
    created_by: str
    notification_id: UUID | None
    created_at: datetime
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What putting entries on a list came to."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


class SuppressionLists:
    """The lists, as whoever may change them sees them. Every method raises UnavailableError when Postgres is away."""

    def __init__(self, database: Database, vault: AddressVault) -> None:
        self._database = database
        self._vault = vault

    async def put(self, tenant_id: UUID | None, entries: Sequence[Entry], *, source: Source, actor: str) -> Changes:
        """Put entries on a list in one transaction; of two about the same, the last one holds. Safe to repeat.

        Raises:
            UnknownTenantError: when there is no such tenant; nothing was written.
        """
        once = {(entry.address, entry.reason, entry.scope): entry for entry in entries}
        rows = sorted((self._row(entry) for entry in once.values()), key=lambda row: (row[0], *map(str, row[3:6])))
        try:
            async with self._write(tenant_id) as connection:
                await self._renew(connection, tenant_id, {entry.address for entry in once.values()})
                written = await connection.fetch(_PUT, tenant_id, *columns(rows, 8), source, actor)
                told = [("suppression.added" if row["is_new"] else "suppression.changed", row) for row in written]
                await _audit(connection, tenant_id, actor, told)
        except ForeignKeyViolationError as error:
            raise UnknownTenantError("there is no such tenant") from error
        added = sum(row["is_new"] for row in written)
        return Changes(added=added, changed=len(written) - added, unchanged=len(once) - len(written))

    async def remove(
        self,
        tenant_id: UUID | None,
        address: str,
        *,
        reason: SuppressionReason | None = None,
        scope: Scope | None = None,
        actor: str,
    ) -> int:
        """Take an address off a list, or only what it is on it for; return how many rows that were."""
        kind, slug = (None, None) if scope is None else (scope.kind, scope.slug)
        async with self._write(tenant_id) as connection:
            gone = await connection.fetch(_REMOVE, tenant_id, self._vault.hashes(address), reason, kind, slug)
            await _audit(connection, tenant_id, actor, [("suppression.removed", row) for row in gone])
        return len(gone)

    async def of_address(self, address: str, tenant_id: UUID | None = None) -> list[Suppression]:
        """Return what is listed for an address: all of it, or what concerns one tenant; the service's first."""
        async with self._database.everyone(Role.PLATFORM) as connection:
            rows = await connection.fetch(_OF_ADDRESS, self._vault.hashes(address), tenant_id)
        return [self._suppression(row) for row in rows]

    async def newest(
        self, *, tenant_id: UUID | None, only_global: bool, reason: SuppressionReason | None, limit: int
    ) -> list[Suppression]:
        """Return the newest of one tenant, of the service alone, or of all lists."""
        async with self._database.everyone(Role.PLATFORM) as connection:
            rows = await connection.fetch(_LIST, tenant_id, only_global, reason, limit)
        return [self._suppression(row) for row in rows]

    async def page(self, tenant_id: UUID | None, after: UUID | None, limit: int) -> list[Suppression]:
        """Return a page of one list, in the order of the ids."""
        async with self._database.everyone(Role.PLATFORM) as connection:
            rows = await connection.fetch(_PAGE, tenant_id, after, limit)
        return [self._suppression(row) for row in rows]

    async def count(self, tenant_id: UUID | None) -> int:
        """Return how many rows a list has, expired ones included."""
        async with self._database.everyone(Role.PLATFORM) as connection:
            count: int = await connection.fetchval(_COUNT, tenant_id)
        return count

    def _write(self, tenant_id: UUID | None) -> AbstractAsyncContextManager[Connection]:
        if tenant_id is None:
            return self._database.everyone(Role.PLATFORM)
        return self._database.tenants(Role.API, (tenant_id,))

    async def _renew(self, connection: Connection, tenant_id: UUID | None, addresses: set[str]) -> None:
        rows = [
            (old, stored.address_hash, stored.key_id, stored.sealed)
            for address in addresses
            for stored in (self._vault.seal(address),)
            for old in self._vault.hashes(address)[1:]
        ]
        if rows:
            await connection.execute(_RENEW, tenant_id, *columns(sorted(rows), 4))

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        stored = self._vault.seal(entry.address)
        return (
            stored.address_hash,
            stored.key_id,
            stored.sealed,
            entry.reason,
            entry.scope.kind,
            entry.scope.slug,
            entry.note,
            entry.expires_at,
        )

    def _suppression(self, row: Any) -> Suppression:
        return Suppression(
            id=row["id"],
            tenant_id=row["tenant_id"],
            address=self._address(row["address_hash"], row["key_id"], row["sealed"]),
            reason=SuppressionReason(row["reason"]),
            scope=_scope(row["scope"], row["slug"]),
            source=Source(row["source"]),
            note=row["note"],
            expires_at=row["expires_at"],
            created_by=row["created_by"],
            notification_id=row["notification_id"],
            created_at=row["created_at"],
            is_active=row["is_active"],
        )

    def _address(self, address_hash: bytes, key_id: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        try:
            return self._vault.open(SealedAddress(address_hash=address_hash, key_id=key_id, sealed=sealed))
        except SealedAddressError:
            return None


def _scope(kind: str, slug: str | None) -> Scope:
    return EVERYTHING if slug is None else Scope(kind=ScopeKind(kind), slug=slug)


async def _audit(connection: Connection, tenant_id: UUID | None, actor: str, told: Sequence[tuple[str, Any]]) -> None:
    rows = [
        (
            action,
            row["address_hash"].hex(),
            jsonb(
                {
                    "reason": row["reason"],
                    "scope": str(_scope(row["scope"], row["slug"])),
                    "expires_at": row["expires_at"] and moment(row["expires_at"]),
                }
            ),
        )
        for action, row in told
    ]
    if rows:
        await connection.execute(_AUDIT, tenant_id, actor, *columns(rows, 3))
