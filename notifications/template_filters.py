"""The filters a template may use: those of Jinja that only shrink or copy, and our own where a cap is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Undefined

from notifications.template_rules import RefusedError

MAX_FILTERED = 256 * 1024
"""Characters that `join` and `replace` may give."""
MAX_PRECISION = 9
"""Decimal places `round` knows; a wide one computes a power of ten of that many digits."""

# Left out are those that grow without a cap (center, indent, wordwrap, format, slice, batch, list), reach attributes
# (attr, map, groupby, sort, sum) or undo escaping (safe, tojson, urlize, xmlattr).
_FROM_JINJA = (
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "lower",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
)


def join(values: Any, separator: str = ", ") -> str:
    """Join a list of texts and numbers. Nothing in it counts as HTML that is already safe."""
    if not isinstance(values, list | tuple):
        raise RefusedError("'join' works on a list")
    texts = [_text("join", value) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_FILTERED:
        raise RefusedError(f"'join' gives at most {MAX_FILTERED} characters")
    return str(separator).join(texts)


def replace(value: Any, old: str, new: str) -> str:
    """Replace every `old` in a text by `new`."""
    text, before, after = (_text("replace", part) for part in (value, old, new))
    if len(text) + text.count(before) * len(after) > MAX_FILTERED:
        raise RefusedError(f"'replace' gives at most {MAX_FILTERED} characters")
    return text.replace(before, after)


def round_(value: float, precision: int = 0) -> float:
    """Round a number to some decimal places."""
    if not 0 <= precision <= MAX_PRECISION:
        raise RefusedError(f"'round' knows 0 to {MAX_PRECISION} decimal places")
    return round(value, precision)


def label(value: Any) -> str:
    """Turn the name of a field into words: `assigned_to.name` becomes `Assigned to name`."""
    words = _text("label", value).replace("_", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:]


def brief(value: Any, limit: int = 120) -> str:
    """Show any value on one short line: nothing as a dash, a list with commas, yes and no, a dict as dots."""
    text = ", ".join(map(_one_word, value[:20])) if isinstance(value, list) else _one_word(value)
    if len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return " ".join(text.split()) if "\n" in text or "\r" in text else text


def date(value: Any) -> str:
    """Show the day of an ISO 8601 date or time, as 2026-12-01; a text that is none stays as it is."""
    text = _text("date", value)
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        return text


def datetime_(value: Any) -> str:
    """Show an ISO 8601 time to the minute in UTC, as 2026-12-01 09:30 UTC; a text that is none stays as it is."""
    text = _text("datetime", value)
    try:
        moment = datetime.fromisoformat(text)
        at = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _one_word(value: Any) -> str:
    """Show one value that is not a list."""
    if type(value) is str and value:
        return value
    if value is None or value == "":
        return "-"  # ASCII: one other character in a mail, and all of it has to be written in quoted-printable
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else "…"


def _text(filter_name: str, value: Any) -> str:
    """Return a text or a number as plain text; Markup loses its claim to be safe."""
    if isinstance(value, Undefined):
        return str(value)  # raises the error that says what is missing
    if not isinstance(value, str | int | float):
        raise RefusedError(f"{filter_name!r} works on texts and numbers")
    return str.__str__(value) if isinstance(value, str) else str(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: JINJA_FILTERS[name] for name in _FROM_JINJA},
    "brief": brief,
    "date": date,
    "datetime": datetime_,
    "join": join,
    "label": label,
    "replace": replace,
    "round": round_,
}
