"""Lays notifications into digests, in the transaction that claims them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from notifications.ports import DigestPlace, NotificationRow
from storage.columns import columns
from storage.session import Connection

_TRIES = 5

_OPEN = """
insert into digests (tenant_id, reader, key, closes_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) on conflict do nothing"""

# Shared locks: a digest cannot close between here and the commit, so none of its items is missed.
_LOCK = """
select d.id, d.tenant_id, d.reader, d.key from digests d
join unnest($1::uuid[], $2::text[], $3::text[]) k (tenant_id, reader, key)
  on (d.tenant_id, d.reader, d.key) = (k.tenant_id, k.reader, k.key)
where d.closed_at is null order by d.id for share of d"""

_LAY = """
insert into digest_items (digest_id, notification_id, tenant_id)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])"""


async def collect(connection: Connection, rows: Sequence[NotificationRow]) -> None:
    """Open the windows that begin with these notifications, and lay those that are collected into their digests."""
    opening = [(row.event.tenant_id, row.opens) for row in rows if row.opens is not None]
    collected = [(row, row.digest) for row in rows if row.digest is not None]
    wanted = sorted(
        {
            (tenant_id, place.reader, place.about): place.closes_at
            for tenant_id, place in (*opening, *((row.event.tenant_id, place) for row, place in collected))
        }.items()
    )
    if not wanted:
        return
    await connection.execute(_OPEN, *columns([(*key, closes_at) for key, closes_at in wanted], 4))
    if not collected:
        return
    found = await _locked(connection, wanted)
    items = sorted((found[_key(row, place)], row.id, row.event.tenant_id) for row, place in collected)
    await connection.execute(_LAY, *columns(items, 3))


async def _locked(
    connection: Connection, wanted: Sequence[tuple[tuple[UUID, str, str], datetime]]
) -> dict[tuple[UUID, str, str], UUID]:
    """Return the open digests, locked; one that closes meanwhile is opened anew."""
    keys = [key for key, _ in wanted]
    for _ in range(_TRIES):
        rows = await connection.fetch(_LOCK, *columns(keys, 3))
        found = {(row["tenant_id"], row["reader"], row["key"]): row["id"] for row in rows}
        if len(found) == len(keys):
            return found
        await connection.execute(_OPEN, *columns([(*key, closes_at) for key, closes_at in wanted], 4))
    raise RuntimeError("a digest closes as fast as it is opened")


def _key(row: NotificationRow, place: DigestPlace) -> tuple[UUID, str, str]:
    return row.event.tenant_id, place.reader, place.about
