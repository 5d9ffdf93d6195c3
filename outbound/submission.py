"""Events as somebody wrote them into a file: completed, and checked as the service would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from events.catalog import CATALOG
from events.wire import MAX_ENTRY_BYTES, Refusal, UnreadableEventError, decode, encode
from outbound.moment import moment

SOURCE = "/outbound/publish"
"""The source of an event that names none."""
_BOM = b"\xef\xbb\xbf"
_OF_THE_TENANT = frozenset({"tenantId", "tenant_id"})
"""Read in the data of every type, where the envelope does not say whose the event is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An event that the service will read: its place in the file, the fields of its entry, and what it calls itself.

    `ignored` are the fields of its data that its type does not know, such as `data.people.0.mail`.
    """

    place: str
    fields: Mapping[str, str]
    id: str
    source: str
    type: str
    tenant_id: UUID
    category: str | None
    ignored: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where in the file: `line 3`, or `item 2` of an array."""

    place: str
    reason: str


def read(text: bytes, *, now: datetime, max_bytes: int = MAX_ENTRY_BYTES) -> tuple[list[Submission], list[Problem]]:
    """Return the events of a file in their order, and every problem with it.

    What is absent is filled in: `specversion`, `source`, `time` (`now`), and `id`, which is a hash of the content: the
    same event written again is the same event to the service.
    """
    events: list[Submission] = []
    problems: list[Problem] = []
    for place, value in _documents(text.removeprefix(_BOM)):
        try:
            events.append(_submission(place, value, now, max_bytes))
        except UnreadableEventError as error:
            problems.append(Problem(place=place, reason=_all_of(error)))
        except ValueError as error:
            problems.append(Problem(place=place, reason=str(error)))
    if not events and not problems:
        problems.append(Problem(place="line 1", reason="there is no event in it"))
    return events, problems


def _documents(text: bytes) -> Iterator[tuple[str, Any]]:
    """Yield each value with its place; one that is not JSON is yielded as the error it caused."""
    try:
        whole = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        yield from _lines(text, error)
        return
    if isinstance(whole, list):
        items: list[Any] = whole
        yield from ((f"item {n}", value) for n, value in enumerate(items, start=1))
    else:
        yield "line 1", whole


def _lines(text: bytes, error: ValueError) -> Iterator[tuple[str, Any]]:
    """Yield the values of a file with one a line; where no line is an object, the whole is one that is broken."""
    values = [(f"line {n}", _parsed(line)) for n, line in enumerate(text.split(b"\n"), start=1) if line.strip()]
    if any(isinstance(value, dict) for _, value in values):
        yield from values
    elif values:
        yield _place(error), ValueError(f"not JSON: {error}")


def _parsed(line: bytes) -> Any:
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return ValueError(f"not JSON: {error}".replace(" at line 1 column ", " at column "))


def _place(error: ValueError) -> str:
    """Return the line the parser names: `… at line 3 column 5`."""
    return f"line {str(error).rpartition(' at line ')[2].partition(' ')[0]}"


def _all_of(error: UnreadableEventError) -> str:
    """Return every problem of one event; a type nobody knows is most often a misspelt one, so they are listed."""
    known = f": {', '.join(CATALOG)}" if error.reason == Refusal.UNKNOWN_TYPE else ""
    return f"{error.reason}: {'; '.join(error.problems)}{known}"


def _submission(place: str, value: Any, now: datetime, max_bytes: int) -> Submission:
    if isinstance(value, ValueError):
        raise value
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - it is the file that is wrong, not a type of ours
    fields = encode(_completed(cast("dict[str, Any]", value), now))
    event = decode({name.encode(): text.encode() for name, text in fields.items()}, max_bytes=max_bytes)
    return Submission(
        place=place,
        fields=fields,
        id=event.id,
        source=event.source,
        type=event.type,
        tenant_id=event.tenantid,
        category=CATALOG[event.type].category,
        ignored=_ignored(event.type, value.get("data")),
    )


def _ignored(type_: str, data: Any) -> list[str]:
    """Return the paths of the fields that the model of this type passes over."""
    given: Any = {name: value for name, value in data.items() if name not in _OF_THE_TENANT}
    try:
        CATALOG[type_].model.model_validate(given, extra="forbid")
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        return [".".join(map(str, ("data", *problem["loc"]))) for problem in problems]
    return []


def _completed(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    attributes = {"specversion": "1.0", "source": SOURCE} | dict(given)
    # The time is left out of the hash: it differs each time the same file is published.
    content = json.dumps(attributes, sort_keys=True, separators=(",", ":"))
    filled = {"id": hashlib.sha256(content.encode()).hexdigest(), "time": moment(now)}
    return filled | attributes
