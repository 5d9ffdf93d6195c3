"""Dead letters in an operator's hands: looked at, sent again, or dropped (role `outbound_platform`)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from storage.columns import columns, jsonb
from storage.dead_letters import original
from storage.session import Connection


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    """Nobody has looked after it yet."""
    REQUEUED = "requeued"
    """Its fields went back to its stream under a new entry id."""
    DROPPED = "dropped"
    """An operator decided that it is worth nothing."""


class LetterRefusedError(Exception):
    """A dead letter cannot be sent again or dropped; the text says why and what to do."""


Publish = Callable[[Sequence[tuple[str, Mapping[bytes, bytes]]]], Awaitable[Sequence[str]]]
"""Puts (stream, fields) on the bus and returns the new entry ids; raises when that is not certain."""

_COLUMNS = """stream, entry_id, tenant_id, event_id, type, source, reason, detail, is_truncated, deliveries,
  traceparent, state, created_at, updated_at"""

_LIST = f"""
select {_COLUMNS} from dead_letters
where ($1::text is null or state = $1) and ($2::text is null or reason = $2) and ($3::uuid is null or tenant_id = $3)
order by created_at desc, stream, entry_id limit $4"""  # noqa: S608 - a constant

_FIND = f"select {_COLUMNS}, fields from dead_letters where (stream, entry_id) = ($1, $2)"  # noqa: S608 - a constant

_OF_EVENT = f"select {_COLUMNS} from dead_letters where event_id = $1 order by created_at"  # noqa: S608 - a constant

_COUNT = """
select count(*) from dead_letters
where state = 'open' and not is_truncated and ($1::text is null or reason = $1) and created_at <= $2"""

_REQUEUE = """
update dead_letters set state = 'requeued', updated_at = now()
where (stream, entry_id) = ($1, $2) and state = 'open' and not is_truncated
returning stream, entry_id, tenant_id, fields"""

_REQUEUE_SOME = """
update dead_letters d set state = 'requeued', updated_at = now()
from (select stream, entry_id from dead_letters
  where state = 'open' and not is_truncated and ($1::text is null or reason = $1) and created_at <= $2
  order by stream, entry_id limit $3 for update skip locked) k
where (d.stream, d.entry_id) = (k.stream, k.entry_id)
returning d.stream, d.entry_id, d.tenant_id, d.fields"""

_DROP = """
update dead_letters set state = 'dropped', updated_at = now()
where (stream, entry_id) = ($1, $2) and state = 'open' returning tenant_id"""

_AUDIT = """
insert into audit_log (tenant_id, actor, action, subject, detail)
select t, $1, $2, s, d from unnest($3::uuid[], $4::text[], $5::jsonb[]) k (t, s, d)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter. `fields` is what the entry held, as it is stored; None where it was not asked for."""

    stream: str
    entry_id: str
    tenant_id: UUID | None
    event_id: str | None
    type: str | None
    source: str | None
    reason: str
    detail: str
    is_truncated: bool
    deliveries: int
    traceparent: str | None
    state: LetterState
    created_at: datetime
    updated_at: datetime
    fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """A dead letter that is on its way again, under a new entry id."""

    stream: str
    entry_id: str
    new_entry_id: str


async def list_letters(
    connection: Connection, *, state: LetterState | None, reason: str | None, tenant_id: UUID | None, limit: int
) -> list[Letter]:
    """Return the newest dead letters of a state, reason and tenant; None means any."""
    return [_letter(row) for row in await connection.fetch(_LIST, state, reason, tenant_id, limit)]


async def find_letter(connection: Connection, stream: str, entry_id: str) -> Letter | None:
    """Return one dead letter with its fields."""
    row = await connection.fetchrow(_FIND, stream, entry_id)
    return None if row is None else _letter(row)


async def letters_of_event(connection: Connection, event_id: str) -> list[Letter]:
    """Return the dead letters that named this event id, the oldest first."""
    return [_letter(row) for row in await connection.fetch(_OF_EVENT, event_id)]


async def count_requeueable(connection: Connection, reason: str | None) -> tuple[int, datetime]:
    """Return how many open letters could be sent again, and the moment up to which that is true."""
    now: datetime = await connection.fetchval("select now()")
    return await connection.fetchval(_COUNT, reason, now), now


async def requeue(connection: Connection, publish: Publish, stream: str, entry_id: str, *, actor: str) -> Requeued:
    """Send one dead letter again in the caller's transaction.

    At least once: what is published and then not committed is open still, and a repeat of it is a duplicate to the
    service.

    Raises:
        LetterRefusedError: when it is not there, not open, or was cut when it was stored.
    """
    rows = await connection.fetch(_REQUEUE, stream, entry_id)
    if not rows:
        raise LetterRefusedError(_why_not(await find_letter(connection, stream, entry_id)))
    [requeued] = await _send(connection, publish, rows, actor)
    return requeued


async def requeue_some(
    connection: Connection, publish: Publish, *, reason: str | None, before: datetime, limit: int, actor: str
) -> list[Requeued]:
    """Send up to `limit` open letters of a reason again, in the caller's transaction.

    `before` keeps out what died again meanwhile: such a letter would go round for ever.
    """
    rows = await connection.fetch(_REQUEUE_SOME, reason, before, limit)
    return await _send(connection, publish, rows, actor) if rows else []


async def drop(connection: Connection, stream: str, entry_id: str, *, actor: str) -> None:
    """Mark one dead letter as worth nothing; it stays readable.

    Raises:
        LetterRefusedError: when it is not there or not open.
    """
    row = await connection.fetchrow(_DROP, stream, entry_id)
    if row is None:
        raise LetterRefusedError(_why_not(await find_letter(connection, stream, entry_id)))
    audited = (row["tenant_id"], f"{stream} {entry_id}", jsonb({}))
    await connection.execute(_AUDIT, actor, "dead_letter.dropped", *columns([audited], 3))


async def _send(connection: Connection, publish: Publish, rows: Sequence[Any], actor: str) -> list[Requeued]:
    new_ids = await publish([(row["stream"], original(json.loads(row["fields"]))) for row in rows])
    sent = [
        Requeued(stream=row["stream"], entry_id=row["entry_id"], new_entry_id=new_id)
        for row, new_id in zip(rows, new_ids, strict=True)
    ]
    audited = [
        (row["tenant_id"], f"{one.stream} {one.entry_id}", jsonb({"new_entry_id": one.new_entry_id}))
        for row, one in zip(rows, sent, strict=True)
    ]
    await connection.execute(_AUDIT, actor, "dead_letter.requeued", *columns(audited, 3))
    return sent


def _why_not(letter: Letter | None) -> str:
    if letter is None:
        return "there is no such dead letter"
    if letter.state is not LetterState.OPEN:
        return f"it is {letter.state} already, since {letter.updated_at:%Y-%m-%dT%H:%M:%SZ}"
    return "its fields were cut when it was stored, so it cannot be sent again as it was; publish the event anew"


def _letter(row: Mapping[str, Any]) -> Letter:
    fields = row.get("fields")
    known: dict[str, Any] = {
        **row,
        "state": LetterState(row["state"]),
        "fields": None if fields is None else json.loads(fields),
    }
    return Letter(**known)
