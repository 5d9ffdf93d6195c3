"""Rows turned on their side, for `unnest`: one array per column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Transpose rows of `width` values; no rows give `width` empty columns."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def jsonb(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """Serialise for a jsonb column; UUIDs become strings. Times are written by `moment` before."""
    return to_json(value).decode()


def moment(at: datetime) -> str:
    """Return a time as it stands in stored documents, as Postgres writes it there."""
    return at.astimezone(UTC).isoformat()
