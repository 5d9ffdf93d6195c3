"""Tables for people: no cell is markup, and what somebody has to copy is never broken over lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 3
_READABLE = 12
"""A column is folded down to this; where there is less room, one that can be spared is left out."""


def table_lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    whole: Collection[str] = (),
    spare: Sequence[str] = (),
) -> list[str]:
    """Return a table as lines of at most `width` cells.

    Columns of `whole` are never folded: columns of `spare` are left out before, the first one first; and should even
    that not be enough, the lines are longer than `width`.
    """
    needs = {name: _need([name, *(row[at] for row in rows)], is_whole=name in whole) for at, name in enumerate(columns)}
    for name in spare:
        if _total(needs) > width:
            del needs[name]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, need in needs.items():
        table.add_column(name, overflow="fold", no_wrap=name in whole, min_width=need)
    for row in rows:
        table.add_row(*(Text(cell) for name, cell in zip(columns, row, strict=True) if name in needs))
    console = Console(width=max(width, _total(needs)), highlight=False)
    with console.capture() as drawn:
        console.print(table)
    return [line.rstrip() for line in drawn.get().strip("\n").splitlines()]


def _need(cells: Sequence[str], *, is_whole: bool) -> int:
    widest = max(map(cell_len, cells))
    return widest if is_whole else min(widest, max(_READABLE, cell_len(cells[0])))


def _total(needs: dict[str, int]) -> int:
    return sum(needs.values()) + _GAP * len(needs)
