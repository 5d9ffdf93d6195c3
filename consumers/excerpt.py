"""What somebody wrote, as much of it as a mail shows."""

from __future__ import annotations

from typing import Any

MAX_CHARS = 4_000
MAX_LINES = 100


def excerpt(text: str) -> dict[str, Any]:
    """Return the beginning of a text for a template: content, and is_cut where there is more."""
    whole = text.strip()
    lines = whole[:MAX_CHARS].splitlines()
    return {"content": "\n".join(lines[:MAX_LINES]), "is_cut": len(whole) > MAX_CHARS or len(lines) > MAX_LINES}


def excerpt_if_any(text: str | None) -> dict[str, Any] | None:
    """Return the beginning of a text, or None where nobody wrote anything."""
    return excerpt(text) if text and text.strip() else None
