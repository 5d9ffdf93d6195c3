"""The lattice of statuses: reports may come in any order, the highest rank stays."""

from __future__ import annotations

from functools import reduce
from random import Random

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from notifications.status import RANK, Status, may_rise

ABOVE_ZERO = [status for status in Status if RANK[status] > 0]


def settle(current: Status, report: Status) -> Status:
    return report if may_rise(current, report) else current


def test_the_order_is_the_documented_one() -> None:
    assert sorted((RANK[status], status.value) for status in Status) == [
        (0, "collected"),
        (0, "queued"),
        (0, "sending"),
        (0, "uncertain"),
        (1, "cancelled"),
        (1, "digested"),
        (1, "failed"),
        (1, "skipped"),
        (2, "accepted"),
        (3, "delayed"),
        (4, "delivered"),
        (5, "suppressed"),
        (7, "bounced"),
        (8, "complained"),
    ]


@given(st.lists(st.sampled_from(ABOVE_ZERO), min_size=1), st.randoms(use_true_random=False))
def test_reports_in_any_order_end_in_the_highest_rank(reports: list[Status], random: Random) -> None:
    shuffled = list(reports)
    random.shuffle(shuffled)

    ended = reduce(settle, shuffled, Status.SENDING)

    assert RANK[ended] == max(RANK[report] for report in reports)


@given(st.sampled_from(ABOVE_ZERO), st.sampled_from(list(Status)))
def test_above_rank_zero_nothing_falls_and_an_equal_rank_changes_nothing(current: Status, report: Status) -> None:
    assert may_rise(current, report) == (RANK[report] > RANK[current])


@given(st.sampled_from([status for status in Status if RANK[status] == 0]), st.sampled_from(list(Status)))
def test_rank_zero_moves_freely(current: Status, report: Status) -> None:
    assert may_rise(current, report)


async def test_the_database_ranks_as_we_do(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("set role outbound_worker")
        rows = await connection.fetch(
            "select s, outbound.status_rank(s) from unnest($1::text[]) s", [status.value for status in Status]
        )
    finally:
        await connection.close()

    assert {Status(name): rank for name, rank in rows} == RANK
