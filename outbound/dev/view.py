"""What people see of the demo: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outbound.cli.answer import plain
from outbound.dev.watch import DEAD_LETTERED, DUPLICATE, EventState, NotificationState

_ARROW = " → "
_HEAD_LINES = 5
_ID_CHARS = 24
"""As much of an id as a table has room for; a hash is longer, and its ends tell it from others."""
_COLOURS = {
    "accepted": "green",
    "delivered": "green",
    "queued": "yellow",
    "sending": "yellow",
    "uncertain": "magenta",
    "failed": "red",
    "bounced": "red",
    "complained": "red",
    DEAD_LETTERED: "red",
    "pending": "dim",
}

Row = tuple[str, str, str, str, str, str]
"""Entry and notification (which row it is), then: label, tenant, recipient, trail, colour."""


class View(Protocol):
    """Where states go to be seen."""

    def show(self, states: Sequence[EventState]) -> None:
        """Show what is new in these states."""
        ...


@contextmanager
def open_view(console: Console) -> Generator[View]:
    """Choose by what the console is."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield _LiveTable(console, live)


class _LiveTable:
    """One table, drawn anew."""

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live

    def show(self, states: Sequence[EventState]) -> None:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("Event", "Tenant", "To", "What became of it"):
            table.add_column(name, overflow="fold")
        # The newest are what somebody waits for; a table taller than the screen cannot be redrawn.
        room = max(self._console.height - _HEAD_LINES, 1)
        for _, label, tenant, recipient, trail, colour in rows(states, id_chars=_ID_CHARS)[-room:]:
            table.add_row(Text(label), Text(tenant), Text(recipient), Text(trail, style=colour))
        self._live.update(table, refresh=True)


class _Lines:
    """A line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, str] = {}

    def show(self, states: Sequence[EventState]) -> None:
        for key, label, tenant, recipient, trail, _ in rows(states):
            if trail != "pending" and self._shown.get(key) != trail:
                self._shown[key] = trail
                parts = [part for part in (label, tenant, recipient) if part]
                self._console.print(Text(f"{' · '.join(parts)}: {trail}"), soft_wrap=True)


def rows(states: Sequence[EventState], *, id_chars: int | None = None) -> list[Row]:
    """Return a row for each notification, and one for each event without; others' words are shown plain.

    Of an id from elsewhere `id_chars` are shown, its beginning and its end.
    """
    found: list[Row] = []
    for state in without_requeued(states):
        entry = f"{state.stream}/{state.entry_id}"
        label = state.label if state.is_ours else f"{state.label} ({_shortened(state.id, id_chars)})"
        shown = (plain(label), plain(state.tenant or ""))
        for one in state.notifications:
            colour = _COLOURS.get(one.status, "cyan")
            found.append((f"{entry}/{one.id}", *shown, plain(one.user_id or "?"), trail_of(one), colour))
        if not state.notifications:
            colour = _COLOURS.get(state.outcome, "cyan")
            found.append((entry, *shown, "", _with_reason(state.outcome, state.reason), colour))
    return found


def without_requeued(states: Sequence[EventState]) -> list[EventState]:
    """Return the states with each dead letter that was sent again replaced by what became of its event since then."""
    newest: dict[tuple[str, str | None, str], EventState] = {}
    for state in states:
        if state.id is not None and state.outcome != DUPLICATE:
            key = (state.id, state.tenant, state.stream)
            newest[key] = max(newest.get(key, state), state, key=_age)
    found: dict[tuple[str, str], EventState] = {}
    for state in states:
        current = state
        if state.id is not None and state.outcome == DEAD_LETTERED:
            current = replace(newest[state.id, state.tenant, state.stream], label=state.label)
        found.setdefault((current.stream, current.entry_id), current)
    return list(found.values())


def _age(state: EventState) -> tuple[int, ...]:
    return tuple(map(int, state.entry_id.split("-")))


def _shortened(id_: str | None, most: int | None) -> str:
    if id_ is None or most is None or len(id_) <= most:
        return str(id_)
    half = (most - 1) // 2
    return f"{id_[:half]}…{id_[-half:]}"


def trail_of(notification: NotificationState) -> str:
    """Return the way a notification took, such as `queued(rate) → sending → accepted`."""
    return _ARROW.join(_with_reason(step["status"], step["reason"]) for step in notification.history)


def _with_reason(word: str, reason: str | None) -> str:
    return f"{word}({reason})" if reason and word != DUPLICATE else word
