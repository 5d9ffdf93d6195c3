"""The filters a template may use: those of Jinja that only shrink or copy, and our own where a cap is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import pass_context, pass_eval_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, Undefined
from markupsafe import Markup, escape

from notifications.locale_filters import date, datetime_, money, number
from notifications.template_rules import RefusedError

MAX_FILTERED = 256 * 1024
"""Characters that `join` and `replace` may give."""
MAX_PRECISION = 9
"""Decimal places `round` knows; a wide one computes a power of ten of that many digits."""

WORDS = "_words"
"""The variable that has the words below in the version's language."""
KNOWN_WORDS = (
    "Assigned to",
    "Assignee",
    "Board",
    "Cancelled",
    "Category",
    "Client",
    "Closed",
    "Contact",
    "Critical",
    "Description",
    "Due date",
    "High",
    "In progress",
    "Low",
    "Medium",
    "New",
    "No",
    "Normal",
    "On hold",
    "Open",
    "Priority",
    "Resolved",
    "Status",
    "Title",
    "Urgent",
    "Waiting for customer",
    "Yes",
)
"""What the fields and states of events are mostly called: `label` says these in the version's language."""

_NO_WORDS: dict[str, str] = {}
_WORDS_BY_NAME = {word.lower(): word for word in KNOWN_WORDS}

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


@pass_context
def label(context: Context, value: Any) -> str:
    """Turn the name of a field or state into words: `assigned_to` becomes `Assigned to`, in the version's language.

    What is not one of KNOWN_WORDS stays as the event has it.
    """
    return _translated(context, _words(_text("label", value)))


@pass_context
def brief(context: Context, value: Any, limit: int = 120) -> str:
    """Show any value on one short line: nothing as a dash, a list with commas, yes and no, a dict as dots.

    One of KNOWN_WORDS, `in_progress` for one, is said in the version's language.
    """
    if type(value) is bool:
        return _translated(context, "Yes" if value else "No")
    if type(value) is str and (word := _WORDS_BY_NAME.get(value.lower().replace("_", " "))) is not None:
        return _translated(context, word)
    text = ", ".join(map(_one_word, value[:20])) if isinstance(value, list) else _one_word(value)
    if len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return " ".join(text.split()) if "\n" in text or "\r" in text else text


@pass_eval_context
def lines(context: EvalContext, value: Any) -> str:
    """Keep the lines of a text: in HTML as `<br>`."""
    text = "\n".join(_text("lines", value).splitlines())
    if not context.autoescape:
        return text
    return _bounded("lines", Markup("<br>\n").join(map(escape, text.split("\n"))))


def quoted(value: Any) -> str:
    """Quote a text as mail does, with `> ` before each line."""
    return _bounded("quoted", "\n".join(f"> {line}".rstrip() for line in _text("quoted", value).splitlines()))


@lru_cache(maxsize=1024)
def _words(name: str) -> str:
    words = name.replace("_", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:]


def _bounded(filter_name: str, text: str) -> str:
    if len(text) > MAX_FILTERED:
        raise RefusedError(f"{filter_name!r} gives at most {MAX_FILTERED} characters")
    return text


def _translated(context: Context, words: str) -> str:
    # The renderer puts it there, last: neither data nor a template can be in its place.
    known: dict[str, str] = context.parent.get(WORDS, _NO_WORDS)
    return known.get(words, words)


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
    "lines": lines,
    "money": money,
    "number": number,
    "quoted": quoted,
    "replace": replace,
    "round": round_,
}
