"""Every time is shown in one form."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from outbound.moment import moment, moment_of_text, with_moments


def test_a_time_is_shown_in_utc_with_milliseconds() -> None:
    assert moment(datetime(2026, 11, 24, 2, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-24T01:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-24T04:47:14.029263+00:00", "2026-11-24T04:47:14.029Z"),
        ("2026-11-24T04:47:14Z", "2026-11-24T04:47:14.000Z"),
        ("2026-11-24T04:47:14", "2026-11-24T04:47:14"),
        ("0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+23:00"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_time_that_came_as_text_is_shown_alike_and_anything_else_as_it_is(text: str, shown: str) -> None:
    assert moment_of_text(text) == shown


def test_only_the_times_of_a_record_change() -> None:
    record = {"at": "2026-11-24T04:47:14Z", "status": "queued", "title": "2026-11-24T04:47:14Z"}

    assert with_moments(record) == record | {"at": "2026-11-24T04:47:14.000Z"}
