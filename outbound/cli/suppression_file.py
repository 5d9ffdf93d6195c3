"""Suppression lists as CSV: a line is an entry or a problem, never the end of the file."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from notifications.suppression import EVERYTHING, Entry, Scope, SuppressionReason, suppressed_address
from outbound.moment import moment
from providers.errors import InvalidAddressError
from storage.suppressions import Suppression

COLUMNS: Final = ("address", "reason", "scope", "expires_at", "note")
"""What a file may say of an entry; the address alone is needed."""
EXTRA: Final = ("source", "created_by", "created_at")
"""What an export tells besides; an import does not look at it."""

_ADDRESS_NAMES: Final = ("address", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for a line that does not say otherwise."""

    reason: SuppressionReason
    scope: Scope = EVERYTHING
    expires_at: datetime | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A line that cannot be an entry, and why; it quotes nothing of the line."""

    line: int
    text: str


def entries(lines: Iterable[str], defaults: Defaults) -> Generator[Entry | Problem]:
    """Read a file: with a header line that names its columns, in any order, or without one, in the order of COLUMNS.

    Blank lines are passed over, columns that are not ours too.
    """
    reader = csv.reader(lines)
    names: tuple[str, ...] | None = None
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            yield Problem(line=reader.line_num, text="not CSV")
            continue
        if not any(cells):
            continue
        if names is None:
            names, is_header = _header(cells)
            if is_header:
                continue
        try:
            yield _entry(dict(zip(names, cells, strict=False)), defaults)
        except (ValueError, InvalidAddressError) as error:
            yield Problem(line=reader.line_num, text=str(error))


def record(row: Suppression) -> dict[str, str]:
    """Return a row of a list as a line of a file, which an import reads as the same entry."""
    return {
        "address": row.address or "",
        "reason": row.reason,
        "scope": str(row.scope),
        "expires_at": moment(row.expires_at) if row.expires_at else "",
        "note": row.note or "",
        "source": row.source,
        "created_by": row.created_by,
        "created_at": moment(row.created_at),
    }


def read_moment(text: str) -> datetime:
    """Return an ISO 8601 date or time; without a zone it is meant in UTC.

    Raises:
        ValueError: when it is neither.
    """
    try:
        value = datetime.fromisoformat(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("the expiry should be a date or time such as 2027-01-31 or 2027-01-31T12:00:00Z") from None


def _header(cells: list[str]) -> tuple[tuple[str, ...], bool]:
    names = tuple(cell.lower() for cell in cells)
    if not set(names) & set(_ADDRESS_NAMES):
        return COLUMNS, False
    return tuple("address" if name in _ADDRESS_NAMES else name for name in names), True


def _entry(cells: Mapping[str, str], defaults: Defaults) -> Entry:
    reason, scope = cells.get("reason"), cells.get("scope")
    expires_at, note = cells.get("expires_at"), cells.get("note")
    if reason and reason not in set(SuppressionReason):
        raise ValueError(f"the reason should be one of {', '.join(SuppressionReason)}")
    fields: dict[str, Any] = {
        "address": suppressed_address(cells.get("address", "")),
        "reason": SuppressionReason(reason) if reason else defaults.reason,
        "scope": Scope.parse(scope) if scope else defaults.scope,
        "expires_at": read_moment(expires_at) if expires_at else defaults.expires_at,
        "note": note or defaults.note,
    }
    return Entry(**fields)
