"""What somebody wrote, as much of it as a mail shows."""

from __future__ import annotations

from typing import Any

MAX_CHARS = 4_000
MAX_LINES = 100


def excerpt(text: str) -> dict[str, Any]:
    """Return the beginning of a text for a template: content (the text), lines (a list), is_cut (there is more)."""
    lines = text.strip()[:MAX_CHARS].splitlines()[:MAX_LINES]
    content = "\n".join(lines)
    return {"content": content, "lines": lines, "is_cut": len(content) < len("\n".join(text.strip().splitlines()))}
