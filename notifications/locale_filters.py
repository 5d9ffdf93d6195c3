"""Dates, times, numbers and money as the language of a template writes them, times in the recipient's time zone.

Templates see both as `locale` and `timezone` (an IANA name, UTC where there is none or an unknown one). A value that is
not what it should be is shown as it is: a mail does not fail for an odd date.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from notifications.languages import SOURCE_LOCALE, babel_locale
from notifications.template_rules import RefusedError

Length = Literal["short", "medium", "long", "full"]
_LENGTHS = frozenset({"short", "medium", "long", "full"})
_MAX_DIGITS = 30
_KEPT = 4096
# CLDR's narrow spaces have no glyph in many fonts of mail programs, and an English mail stays ASCII without them.
_SPACES_OF_TIMES = {0x202F: " ", 0xA0: " ", 0x2009: " "}
_SPACES_OF_NUMBERS = {0x202F: "\N{NO-BREAK SPACE}"}


@pass_context
def date(context: Context, value: Any, length: Length = "medium") -> str:
    """Show the day of an ISO 8601 date or time: 1 Dec 2026. `length` is short, medium, long or full."""
    return _date(_text("date", value), _locale(context), _zone_name(context), _checked(length))


@pass_context
def datetime_(context: Context, value: Any, length: Length = "medium") -> str:
    """Show an ISO 8601 time to the minute, with its time zone; of a date only the day."""
    return _datetime(_text("datetime", value), _locale(context), _zone_name(context), _checked(length))


@pass_context
def number(context: Context, value: Any) -> str:
    """Show a number with the language's marks: 1,234.5."""
    return _number(_text("number", value), _locale(context))


@pass_context
def money(context: Context, value: Any, currency: Any) -> str:
    """Show an amount with its currency (ISO 4217): all its digits, and at least those the currency has."""
    return _money(_text("money", value), _text("money", currency), _locale(context))


@lru_cache(maxsize=_KEPT)
def _date(text: str, locale: str, zone: str, length: Length) -> str:
    moment = _moment(text)
    if isinstance(moment, dt.datetime):
        moment = _local(moment, zone)
    return text if moment is None else _written_date(moment, locale, length)


@lru_cache(maxsize=_KEPT)
def _datetime(text: str, locale: str, zone: str, length: Length) -> str:
    moment = _moment(text)
    if not isinstance(moment, dt.datetime):
        return text if moment is None else _written_date(moment, locale, length)
    local = _local(moment, zone)
    if local is None:
        return text
    known = babel_locale(locale)
    time = format_time(local, "short", locale=known).translate(_SPACES_OF_TIMES)
    # The zone's own abbreviation: Babel has one in the language for few, and an offset without a word for the others.
    place = local.tzname() or "UTC"
    place = place if place.isalpha() else f"UTC{place}"
    pattern = str(known.datetime_formats[length]).replace("'", "")
    return f"{pattern.format(time, _written_date(local, locale, length))} {place}"


@lru_cache(maxsize=_KEPT)
def _number(text: str, locale: str) -> str:
    value = _decimal(text)
    if value is None:
        return text
    shown: str = format_decimal(value, locale=babel_locale(locale), decimal_quantization=False)
    return shown.translate(_SPACES_OF_NUMBERS)


@lru_cache(maxsize=_KEPT)
def _money(text: str, currency: str, locale: str) -> str:
    value = _decimal(text)
    if value is None:
        return f"{text} {currency}"
    shown: str = format_currency(value, currency, locale=babel_locale(locale), decimal_quantization=False)
    return shown.translate(_SPACES_OF_NUMBERS)


def _written_date(day: dt.date, locale: str, length: Length) -> str:
    return format_date(day, length, locale=babel_locale(locale)).translate(_SPACES_OF_TIMES)


def _moment(text: str) -> dt.datetime | dt.date | None:
    """Read a date or a time; one without a zone is in UTC."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def _local(moment: dt.datetime, zone: str) -> dt.datetime | None:
    try:
        return moment.astimezone(_zone(zone))
    except OverflowError:
        return None


@lru_cache(maxsize=1024)
def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or value.adjusted() > _MAX_DIGITS:
        return None
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and exponent >= -_MAX_DIGITS else None


def _checked(length: Any) -> Length:
    if length not in _LENGTHS:
        raise RefusedError("a date is short, medium, long or full")
    return length  # type: ignore[no-any-return]  # it has just been looked at


def _locale(context: Context) -> str:
    found: Any = context.resolve_or_missing("locale")
    return found if type(found) is str else SOURCE_LOCALE


def _zone_name(context: Context) -> str:
    found: Any = context.resolve_or_missing("timezone")
    return found if type(found) is str else "UTC"


def _text(filter_name: str, value: Any) -> str:
    """Return a text or a number as plain text."""
    if isinstance(value, Undefined):
        return str(value)  # raises the error that says what is missing
    if not isinstance(value, str | int | float):
        raise RefusedError(f"{filter_name!r} works on texts and numbers")
    return str.__str__(value) if isinstance(value, str) else str(value)
