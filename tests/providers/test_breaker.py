"""When failures keep everybody away, and how one attempt finds out whether they may come back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers.breaker import Breaker
from tests.providers.scripted import NOW

PAUSE = timedelta(seconds=30)


def after(seconds: float) -> object:
    return NOW + timedelta(seconds=seconds)


def a_breaker(*, failures: int = 0, successes: int = 0, at: float = 0) -> Breaker:
    breaker = Breaker(threshold=5, pause=PAUSE)
    for _ in range(successes):
        breaker.succeeded(after(at))
    for _ in range(failures):
        breaker.failed(after(at))
    return breaker


def blocked_for(breaker: Breaker, at: float) -> float | None:
    """Return for how many seconds from the moment `at` on nobody should ask."""
    until = breaker.blocked_until(after(at))
    return None if until is None else (until - after(at)).total_seconds()


@pytest.mark.parametrize(
    ("failures", "successes", "opens"),
    [
        (4, 0, False),
        (5, 0, True),
        (5, 5, True),
        (5, 6, False),
        (9, 10, False),
        (10, 10, True),
        (100, 1000, False),
    ],
)
def test_it_opens_at_five_failures_that_are_as_many_as_the_successes(
    failures: int, successes: int, opens: bool
) -> None:
    breaker = a_breaker(successes=successes, failures=failures - 1)

    assert blocked_for(breaker, 0) is None
    assert breaker.failed(after(0)) is opens
    assert (blocked_for(breaker, 0) == 30) is opens


@pytest.mark.parametrize(
    ("seconds", "opens"),
    [(1, True), (29, True), (31, True), (59, True), (60, False), (600, False)],
)
def test_failures_of_the_last_window_still_count_and_older_ones_do_not(seconds: float, opens: bool) -> None:
    breaker = a_breaker(failures=4)

    assert breaker.failed(after(seconds)) is opens


@pytest.mark.parametrize(("seconds", "opens"), [(59, False), (60, True)])
def test_successes_are_forgotten_as_failures_are(seconds: float, opens: bool) -> None:
    breaker = a_breaker(successes=50)

    assert [breaker.failed(after(seconds)) for _ in range(5)] == [False] * 4 + [opens]


def test_failures_one_by_one_over_hours_never_open_it() -> None:
    breaker = a_breaker()

    assert not any(breaker.failed(after(20 * number)) for number in range(500))


def test_while_open_everybody_hears_when_it_ends() -> None:
    breaker = a_breaker(failures=5)

    assert [blocked_for(breaker, at) for at in (0, 12, 29.5, 30)] == [30, 18, 0.5, None]


def test_what_was_under_way_when_it_opened_and_fails_later_makes_it_no_longer() -> None:
    breaker = a_breaker(failures=5)

    assert [breaker.failed(after(at)) for at in (1, 10, 29)] == [False] * 3
    assert blocked_for(breaker, 29) == 1


def test_half_open_lets_exactly_one_through_at_a_time() -> None:
    breaker = a_breaker(failures=5)
    let_through = 0
    for _ in range(20):
        if blocked_for(breaker, 30) is None:
            breaker.started(after(30))
            let_through += 1

    assert let_through == 1
    assert blocked_for(breaker, 30) == 1
    breaker.abandoned()
    assert blocked_for(breaker, 31) is None
    breaker.started(after(31))
    assert blocked_for(breaker, 31) == 1


def test_a_probe_that_succeeds_closes_it_and_nothing_is_remembered() -> None:
    breaker = a_breaker(failures=5)
    breaker.started(after(30))

    breaker.succeeded(after(31))

    assert blocked_for(breaker, 31) is None
    assert [breaker.failed(after(32)) for _ in range(5)] == [False] * 4 + [True]
    assert blocked_for(breaker, 32) == 30


def test_a_probe_that_never_reports_blocks_for_one_pause_and_no_longer() -> None:
    breaker = a_breaker(failures=5)
    breaker.started(after(30))

    assert [blocked_for(breaker, at) for at in (59, 60)] == [1, None]


def test_after_a_probe_that_never_reports_one_attempt_is_the_next_probe() -> None:
    breaker = a_breaker(failures=5)
    breaker.started(after(30))

    breaker.started(after(60))

    assert [blocked_for(breaker, at) for at in (60, 89, 90)] == [1, 1, None]


def test_pauses_double_while_probes_fail_up_to_ten_times_the_first() -> None:
    breaker, at, pauses = a_breaker(failures=5), 0.0, list[float | None]()
    for _ in range(7):
        pause = blocked_for(breaker, at)
        pauses.append(pause)
        at += pause or 0
        breaker.started(after(at))
        assert breaker.failed(after(at))

    assert pauses == [30, 60, 120, 240, 300, 300, 300]
    breaker.succeeded(after(at + 300))
    for _ in range(5):
        breaker.failed(after(at + 300))
    assert blocked_for(breaker, at + 300) == 30
