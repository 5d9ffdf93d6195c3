"""The one form in which we show a moment: ISO 8601 in UTC, in milliseconds, with a Z."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(value: datetime) -> str:
    """Return an aware time such as 2026-11-24T02:00:00.000Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of_text(text: str) -> str:
    """Return a time that is stored or sent as text in our form; what is no time with a zone stays as it is."""
    try:
        value = datetime.fromisoformat(text)
        return text if value.tzinfo is None else moment(value)
    except (ValueError, OverflowError):
        # OverflowError: 0001-01-01T00:00:00+23:00 has no form in UTC.
        return text


def with_moments(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored JSON object with its own times (`at`, `expires_at`) in our form."""
    return {
        name: moment_of_text(value) if isinstance(value, str) and name in {"at", "expires_at"} else value
        for name, value in record.items()
    }
