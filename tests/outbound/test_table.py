"""What somebody has to copy from a table is never broken over lines."""

from __future__ import annotations

import pytest

from outbound.cli.table import table_lines

COLUMNS = ("stream", "entry id", "detail", "event id")
STREAM, ENTRY_ID = "outbound:events:urgent", "1795494222384-0"
DETAIL = "data.people.0.role: Field required (and 2 more)"
ROWS = [(STREAM, ENTRY_ID, DETAIL, "e" * 64)]


def drawn(width: int) -> list[str]:
    return table_lines(COLUMNS, ROWS, width, whole=COLUMNS[:2], spare=("event id", "detail"))


@pytest.mark.parametrize("width", [10, 40, 50, 60, 80, 100, 200])
def test_stream_and_entry_id_stay_whole_at_any_width(width: int) -> None:
    assert any(STREAM in line and ENTRY_ID in line for line in drawn(width))


def test_columns_are_folded_first_and_then_left_out() -> None:
    wide, narrow, narrowest = "\n".join(drawn(200)), "\n".join(drawn(70)), "\n".join(drawn(45))

    assert DETAIL in wide
    assert "e" * 64 in wide
    assert "detail" in narrow
    assert DETAIL not in narrow
    assert "event id" not in narrow
    assert "detail" not in narrowest


@pytest.mark.parametrize("width", [60, 70, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in drawn(width))
