"""Quiet hours and wished moments by the recipient's clock, also when it is set forward or back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.timing import QuietHours, in_utc, quiet_until, wished_moment, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(begins=time(22), ends=time(7))
NOON = QuietHours(begins=time(12), ends=time(13))
WEEKEND = QuietHours(begins=time(0), ends=time(0), days=frozenset({5, 6}))
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"]


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-11-24T21:59:59", None),
        (NIGHT, "2026-11-24T22:00:00", "2026-11-25T07:00:00"),
        (NIGHT, "2026-11-25T03:00:00", "2026-11-25T07:00:00"),
        (NIGHT, "2026-11-25T06:59:59", "2026-11-25T07:00:00"),
        (NIGHT, "2026-11-25T07:00:00", None),
        (NOON, "2026-11-24T12:30:00", "2026-11-24T13:00:00"),
        (NOON, "2026-11-24T13:00:00", None),
        # Friday 27 November: a night that begins on a Friday is not the weekend's.
        (WEEKEND, "2026-11-27T23:59:59", None),
        (WEEKEND, "2026-11-28T00:00:00", "2026-11-29T00:00:00"),
        (WEEKEND, "2026-11-29T12:00:00", "2026-11-30T00:00:00"),
        # Spring: 02:00 becomes 03:00 on 29 March. The night lasts an hour less, and ends by the clock.
        (NIGHT, "2026-03-29T01:59:00", "2026-03-29T07:00:00"),
        (QuietHours(begins=time(22), ends=time(2, 30)), "2026-03-29T01:00:00", "2026-03-29T03:00:00"),
        (QuietHours(begins=time(2, 30), ends=time(5)), "2026-03-29T03:10:00", "2026-03-29T05:00:00"),
        # Autumn: 03:00 becomes 02:00 on 25 October. Both hours are quiet.
        (NIGHT, "2026-10-25T02:30:00", "2026-10-25T07:00:00"),
    ],
)
def test_a_quiet_time_ends_by_the_clock_on_the_wall(quiet: QuietHours, now: str, until: str | None) -> None:
    found = quiet.until(berlin(now).astimezone(UTC), BERLIN)

    assert found == (berlin(until).astimezone(UTC) if until else None)


def test_the_hour_that_comes_twice_is_quiet_both_times() -> None:
    quiet = QuietHours(begins=time(1), ends=time(2, 30))
    first, second = (datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=fold).astimezone(UTC) for fold in (0, 1))

    assert quiet.until(first, BERLIN) == quiet.until(second, BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_time_that_is_skipped_is_the_moment_of_the_shift() -> None:
    moment = in_utc(date(2026, 3, 29), time(2, 30), BERLIN, fold=0)

    assert moment == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "zone"), [(None, "UTC"), ("Mars/Olympus", "UTC"), ("../etc/passwd", "UTC"), ("", "UTC")]
)
def test_a_zone_that_nobody_knows_is_utc(name: str | None, zone: str) -> None:
    assert zone_of(name).key == zone


def test_somebody_without_quiet_hours_is_never_asleep() -> None:
    assert quiet_until(None, "Europe/Berlin", datetime(2026, 11, 24, 3, tzinfo=UTC)) is None


def test_a_wished_moment_without_a_zone_is_the_recipient_s() -> None:
    assert wished_moment(datetime(2026, 11, 24, 9), "Europe/Berlin") == datetime(2026, 11, 24, 8, tzinfo=UTC)  # noqa: DTZ001 - what a wish without a zone is
    assert wished_moment(datetime(2026, 11, 24, 9, tzinfo=UTC), "Europe/Berlin") == datetime(
        2026, 11, 24, 9, tzinfo=UTC
    )


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - in UTC below
    st.times(),
    st.times(),
    st.sampled_from(ZONES),
)
def test_what_is_quiet_ends_within_a_day_and_a_shift_and_is_not_quiet_then(
    now: datetime, begins: time, ends: time, zone: str
) -> None:
    moment = now.replace(tzinfo=UTC)
    quiet = QuietHours(begins=begins.replace(microsecond=0), ends=ends.replace(microsecond=0))

    until = quiet.until(moment, ZoneInfo(zone))

    assert until is None or moment < until <= moment + timedelta(hours=26)
