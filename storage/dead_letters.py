"""What could not be an event: kept whole up to a size, searchable, and sent again on request."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from notifications.entry import DeadLetter
from storage.columns import columns, jsonb
from storage.session import Connection

MAX_FIELD_BYTES = 64 * 1024
"""What is kept of an entry's fields, all together."""

_INSERT = """
insert into dead_letters (stream, entry_id, tenant_id, event_id, type, source, reason, detail, fields, is_truncated,
  deliveries, traceparent)
select * from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::jsonb[], $10::boolean[], $11::integer[], $12::text[]) on conflict do nothing"""


async def insert_dead_letters(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Write dead letters in the caller's transaction; one that is there already stays as it is."""
    if not letters:
        return
    rows = [_row(letter) for letter in letters]
    await connection.execute(_INSERT, *columns(sorted(rows, key=lambda row: row[:2]), 12))


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    fields, is_truncated = storable(letter.entry.fields)
    return (
        letter.entry.stream,
        letter.entry.entry_id,
        letter.tenant_id,
        _text(letter.event_id),
        _text(letter.type),
        _text(letter.source),
        letter.reason,
        _text(letter.detail),
        jsonb(fields),
        is_truncated,
        letter.entry.deliveries,
        letter.traceparent,
    )


def _text(value: str | None) -> str | None:
    """Postgres text holds no NUL and no lone surrogate."""
    return None if value is None else value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def storable(fields: Mapping[bytes, bytes]) -> tuple[dict[str, Any], bool]:
    """Return fields as JSON and whether any was cut: text as it is, anything else as {"base64": …}."""
    kept: dict[str, Any] = {}
    left = MAX_FIELD_BYTES
    is_truncated = False
    for name, value in fields.items():
        if left <= 0:
            is_truncated = True
            break
        part = value[:left]
        is_truncated = is_truncated or len(part) < len(value)
        left -= len(name) + len(part)
        readable = _readable_name(name)
        is_truncated = is_truncated or readable.encode() != name
        kept[readable] = _readable(part)
    return kept, is_truncated


def original(fields: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Turn stored fields back into what the entry held."""
    return {
        name.encode(): base64.b64decode(value["base64"]) if isinstance(value, Mapping) else str(value).encode()
        for name, value in fields.items()
    }


def _readable_name(name: bytes) -> str:
    return _text(name[:256].decode("utf-8", "replace")) or ""


def _readable(value: bytes) -> str | dict[str, str]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
    return {"base64": base64.b64encode(value).decode()} if "\0" in text else text
