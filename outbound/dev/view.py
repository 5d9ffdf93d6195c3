"""What people see of the demo: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outbound.cli.answer import plain
from outbound.dev.watch import DEAD_LETTERED, DUPLICATE, EventState, NotificationState

_ARROW = " → "
_HEAD_LINES = 5
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
        for _, label, tenant, recipient, trail, colour in rows(states)[-room:]:
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


def rows(states: Sequence[EventState]) -> list[Row]:
    """Return a row for each notification, and one for each event without; others' words are shown plain."""
    found: list[Row] = []
    for state in states:
        entry = f"{state.stream}/{state.entry_id}"
        label = state.label if state.is_ours else f"{state.label} ({state.id})"
        shown = (plain(label), plain(state.tenant or ""))
        for one in state.notifications:
            colour = _COLOURS.get(one.status, "cyan")
            found.append((f"{entry}/{one.id}", *shown, plain(one.user_id or "?"), trail_of(one), colour))
        if not state.notifications:
            colour = _COLOURS.get(state.outcome, "cyan")
            found.append((entry, *shown, "", _with_reason(state.outcome, state.reason), colour))
    return found


def trail_of(notification: NotificationState) -> str:
    """Return the way a notification took, such as `queued(rate) → sending → accepted`."""
    return _ARROW.join(_with_reason(step["status"], step["reason"]) for step in notification.history)


def _with_reason(word: str, reason: str | None) -> str:
    return f"{word}({reason})" if reason and word != DUPLICATE else word
