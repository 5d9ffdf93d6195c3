"""What is wrong with an event, in one line that repeats nothing of its content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from events.catalog import CATALOG, envelope_of
from events.fields import FORMS

_MAX_PROBLEMS = 100


def describe(error: ValidationError) -> str:
    """Return the first problem as `data.people.0.role: Field required`, and how many more there are.

    Neither input values nor the keys of free-form objects appear: either may be an address.
    """
    first, *others = problems(error)
    return f"{first} (and {len(others)} more)" if others else first


def problems(error: ValidationError) -> list[str]:
    """Return every problem, one line each, in the words of `describe`."""
    found = _errors(error)[:_MAX_PROBLEMS]
    return [f"{_path(problem['loc'])}: {_message(problem['msg'], problem.get('ctx', {}))}" for problem in found]


def is_about_data(error: ValidationError) -> bool:
    """Tell whether the envelope is sound and only the data is wrong."""
    return all(problem["loc"][:1] == ("data",) for problem in _errors(error))


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=True))


def _path(location: tuple[int | str, ...]) -> str:
    known = _field_names()
    return ".".join(str(part) if isinstance(part, int) or part in known else "*" for part in location)


def _message(message: str, context: Mapping[str, Any]) -> str:
    if (form := FORMS.get(context.get("pattern", ""))) is not None:
        return form
    # After the comma parsers quote what they stumbled over: "Input should be a valid UUID, invalid character: found @".
    return message.partition(",")[0] if "error" in context else message


@cache
def _field_names() -> frozenset[str]:
    return frozenset(name for entry in CATALOG.values() for name in _properties(envelope_of(entry.model)))


def _properties(envelope: Any) -> Iterator[str]:
    schema = envelope.model_json_schema(by_alias=False)
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})
