"""Dates, numbers and money as each language writes them, times where the recipient is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notifications.templates import refusal, rendered


def shown(source: str, locale: str = "en", **data: Any) -> str:
    return rendered(data, text=source, locale=locale).text


@pytest.mark.parametrize(
    ("locale", "day", "moment"),
    [
        ("en", "Dec 1, 2026", "Nov 25, 2026, 11:00 AM CET"),
        ("de", "01.12.2026", "25.11.2026, 11:00 CET"),
        ("es", "1 dic 2026", "25 nov 2026, 11:00 CET"),
        ("fr", "1 déc. 2026", "25 nov. 2026, 11:00 CET"),
        ("it", "1 dic 2026", "25 nov 2026, 11:00 CET"),
        ("nl", "1 dec 2026", "25 nov 2026, 11:00 CET"),
        ("pl", "1 gru 2026", "25 lis 2026, 11:00 CET"),
        ("pt", "1 de dez. de 2026", "25 de nov. de 2026 11:00 CET"),
    ],
)
def test_times_are_written_as_the_language_writes_them_where_the_recipient_is(
    locale: str, day: str, moment: str
) -> None:
    data = {"day": "2026-12-01", "at": "2026-11-25T12:00:00+02:00", "timezone": "Europe/Berlin"}

    assert shown("{{ day|date }}|{{ at|datetime }}", locale, **data) == f"{day}|{moment}"


@pytest.mark.parametrize(
    ("timezone", "moment"),
    [
        ("America/New_York", "Nov 24, 2026, 6:30 PM EST"),
        ("Asia/Kolkata", "Nov 25, 2026, 5:00 AM IST"),
        ("America/Sao_Paulo", "Nov 24, 2026, 8:30 PM UTC-03"),
        ("UTC", "Nov 24, 2026, 11:30 PM UTC"),
        ("Nowhere/Else", "Nov 24, 2026, 11:30 PM UTC"),
        ("../../etc/passwd", "Nov 24, 2026, 11:30 PM UTC"),
        ("", "Nov 24, 2026, 11:30 PM UTC"),
        (None, "Nov 24, 2026, 11:30 PM UTC"),
        (7, "Nov 24, 2026, 11:30 PM UTC"),
    ],
)
def test_a_time_zone_that_is_not_known_is_utc(timezone: Any, moment: str) -> None:
    assert shown("{{ at|datetime }}", at="2026-11-24T23:30:00Z", timezone=timezone) == moment


def test_the_day_of_a_time_is_the_recipients_and_a_date_is_the_same_everywhere() -> None:
    data = {"at": "2026-11-24T23:30:00Z", "day": "2026-11-24", "timezone": "Asia/Kolkata"}

    assert shown("{{ at|date('short') }} {{ day|date('short') }}", **data) == "11/25/26 11/24/26"


def test_both_shifts_of_daylight_saving_are_told_apart() -> None:
    data = {"a": "2026-10-25T00:30:00Z", "b": "2026-10-25T01:30:00Z", "timezone": "Europe/Berlin"}

    assert shown("{{ a|datetime('short') }}|{{ b|datetime('short') }}", "de", **data) == (
        "25.10.26, 02:30 CEST|25.10.26, 02:30 CET"
    )


@pytest.mark.parametrize(
    ("locale", "amount", "currency", "written"),
    [
        ("en", "1234.50", "EUR", "€1,234.50"),
        ("de", "1234.50", "EUR", "1.234,50\xa0€"),
        ("fr", "1234.50", "EUR", "1\xa0234,50\xa0€"),
        ("pl", "1234.50", "PLN", "1\xa0234,50\xa0zł"),
        ("nl", "-1234.5", "EUR", "€\xa0-1.234,50"),
        ("en", "10", "JPY", "¥10"),
        ("en", "1.2345", "USD", "$1.2345"),
        ("en", 3, "USD", "$3.00"),
        ("en", "5", "ABC", "ABC5.00"),
        ("en", "soon", "EUR", "soon EUR"),
        ("en", "NaN", "EUR", "NaN EUR"),
        ("en", "1e999999999", "EUR", "1e999999999 EUR"),
        ("en", "1e-999999999", "EUR", "1e-999999999 EUR"),
    ],
)
def test_money_keeps_its_digits_and_has_its_currency(locale: str, amount: Any, currency: str, written: str) -> None:
    assert shown("{{ a|money(c) }}", locale, a=amount, c=currency).replace("ABC\xa0", "ABC") == written


@pytest.mark.parametrize(
    ("locale", "written"), [("en", "1,234,567.5"), ("de", "1.234.567,5"), ("pl", "1\xa0234\xa0567,5")]
)
def test_numbers_have_the_marks_of_the_language(locale: str, written: str) -> None:
    assert shown("{{ n|number }}|{{ 'x'|number }}", locale, n=1234567.5) == f"{written}|x"


def test_an_unknown_language_is_written_as_english() -> None:
    assert shown("{{ d|date }}", "tlh-xx", d="2026-12-01") == "Dec 1, 2026"
    assert shown("{{ d|date }}", "pt-BR", d="2026-12-01") == "1 de dez. de 2026"


@pytest.mark.parametrize(
    "source", ["{{ x|date('tiny') }}", "{{ x|date(x) }}", "{{ l|date }}", "{{ missing|money('EUR') }}"]
)
def test_what_is_no_date_at_all_is_an_error(source: str) -> None:
    assert refusal(source, x="2026-12-01", l=[1]).line in {None, 1}


def test_lines_and_quotes_keep_the_lines_of_a_text() -> None:
    mail = rendered({"x": "a <b>\r\n\n c"}, html="{{ x|lines }}", text="{{ x|lines }}|{{ x|quoted }}")

    assert mail.html == "a &lt;b&gt;<br>\n<br>\n c"
    assert mail.text == "a <b>\n\n c|> a <b>\n>\n>  c"
