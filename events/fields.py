"""The field types that events share, and what all event data has in common."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AliasGenerator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

# https://www.w3.org/TR/trace-context/#traceparent-header: version ff and all-zero ids are invalid.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE_MAX_CHARS = 512

# Kept as text and never normalised: a signed link must leave as it came. No user part ("https://bank.com@evil.example"),
# no quotes, no backslash, no white space or control character.
_WEB_URL = (
    r"^[Hh][Tt][Tt][Pp][Ss]?://"
    r"[^\s\x00-\x1f\x7f/?#@\\<>\":][^\s\x00-\x1f\x7f/?#@\\<>\"]*"
    r"([/?#][^\s\x00-\x1f\x7f\\<>\"]*)?$"
)
FORMS = {_WEB_URL: "Input should be an absolute http or https link without a user name"}
"""What a pattern means, where it does not speak for itself."""


def valid_traceparent(value: Any) -> str | None:
    """Return a well-formed W3C traceparent as it is, anything else as None: a broken trace must not cost a mail."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _valid_tracestate(value: Any) -> str | None:
    """Return a tracestate that is fit to be passed on, anything else as None."""
    fit = isinstance(value, str) and len(value) <= _TRACESTATE_MAX_CHARS and value.isascii() and value.isprintable()
    return value if fit else None


def _in_utc(value: datetime) -> datetime:
    """Read a naive time as UTC and bring every other into UTC."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        # 0001-01-01T00:00:00+23:00 parses, but has no UTC form and would fail much later, in the database driver.
        raise PydanticCustomError("time_out_of_range", "Input should be within the years 1 to 9999 in UTC") from None


def _with_room(value: datetime) -> datetime:
    """Refuse the last year a datetime can hold: whoever adds a life time to it would fail."""
    if value.year >= MAXYEAR:
        raise PydanticCustomError("time_out_of_range", "Input should be before the year 9999")
    return value


UtcTime = Annotated[datetime, AfterValidator(_in_utc)]
"""A moment, always aware and in UTC."""


def _with_zone_room(value: datetime) -> datetime:
    """Refuse a moment whose day could leave the calendar in some zone, or that nobody means."""
    if not MINYEAR < value.year < MAXYEAR:
        raise PydanticCustomError("time_out_of_range", "Input should be within the years 2 to 9998")
    return value


def _written_out(value: Any) -> Any:
    """Refuse a number: of seconds or of milliseconds, somebody's other one is thousands of years away."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and "-" in value):
        raise PydanticCustomError("time_is_a_number", "Input should be a time such as 2026-11-24T09:00:00")
    return value


LocalTime = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_with_zone_room)]
"""A moment; without a zone it is meant by the clock of whoever reads it."""
EventTime = Annotated[UtcTime, AfterValidator(_with_room)]
"""A moment at which something happened; a life time can be added to it."""
Traceparent = Annotated[str | None, BeforeValidator(valid_traceparent)]
Tracestate = Annotated[str | None, BeforeValidator(_valid_tracestate)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""An upstream's own key of a thing or a user."""
Name = Annotated[str, StringConstraints(max_length=200)]
Address = Annotated[str, StringConstraints(max_length=320)]
"""An email address as given; whether one can write to it is a gate's question."""
Locale = Annotated[str, StringConstraints(max_length=35)]
"""A language tag, such as `en` or `pt-BR` (BCP 47)."""
TimeZone = Annotated[str, StringConstraints(max_length=64)]
"""A zone of the IANA database, such as `Europe/Berlin`."""
Line = Annotated[str, StringConstraints(max_length=500)]
"""A title or a word for display."""
WebUrl = Annotated[str, StringConstraints(max_length=2048, pattern=_WEB_URL)]
"""An absolute http or https link."""


class EventData(BaseModel):
    """What an event says. Unknown fields are ignored; snake_case is canonical, camelCase is understood."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=AliasGenerator(validation_alias=to_camel),
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )
