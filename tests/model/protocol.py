"""The breadth-first search over the row protocol and the promises it holds every state to."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cache

from rich.console import Console
from rich.table import Table

from notifications.status import Status
from tests.model.state import INTACT, Budget, Flight, LateMark, Provider, Rules, Setting, State, Worker, first_states
from tests.model.steps import steps

BUDGETS = {
    "mark_per_attempt": Budget(pauses=0, webhooks=0),
    "lost_is_doubt": Budget(pauses=0, redis_losses=1, webhooks=0),
    "marks_by_redis": Budget(kills=0, redis_losses=1, lost_replies=0, webhooks=0),
}
"""The misfortunes it takes to miss a rule, where the usual ones do not do it or are more than needed."""

_NONE = -1


class Broken(StrEnum):
    """The promises, by what it is called when one is broken."""

    LOST = "lost"
    """No row and no terminal status, or accepted by nobody, or stuck for ever."""
    DOUBLE = "double"
    """More than one mail at the far ends, and nothing says `uncertain`."""
    TWO_PROVIDERS = "two providers"
    """One notification went out through both providers, flagged or not."""
    UNTRUE = "untrue"
    """Failed, nothing says `uncertain`, and yet it went out."""
    STRAY = "stray"
    """Terminal, nothing left to do, and yet there is a queue row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What a search found; `path` is the shortest way to the first broken promise."""

    states: int
    broken: Broken | None
    path: tuple[str, ...]


@contextmanager
def _without_garbage_collection() -> Generator[None, None, None]:
    """Millions of tuples without a cycle among them: looking for cycles costs a third of the time and finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_garbage_collection()
def explore(setting: Setting, *, same_if: Callable[[State], Hashable] | None = None) -> Exploration:
    """Visit every state that can be reached, or stop at the first broken promise.

    States with an equal `same_if`, by default `what_matters`, are visited once.
    """
    key_of = same_if or what_matters
    seen: set[Hashable] = set()
    came_from: list[tuple[str, int]] = []
    waiting: deque[tuple[int, State]] = deque()

    def arrive(state: State, step: str, previous: int) -> None:
        key = key_of(state)
        if key not in seen:
            seen.add(key)
            waiting.append((len(came_from), state))
            came_from.append((step, previous))

    for state in first_states(setting):
        arrive(state, "", _NONE)
    while waiting:
        number, state = waiting.popleft()
        dead_end = True
        for step, following in steps(state, setting):
            dead_end = False
            arrive(following, step, number)
        broken = broken_promise(state, dead_end=dead_end)
        if broken is not None:
            return Exploration(states=len(seen), broken=broken, path=_path(came_from, number))
    return Exploration(states=len(seen), broken=None, path=())


def what_matters(state: State) -> Hashable:
    """Return the state without what no later step can tell apart.

    Epochs and flight hashes nobody refers to any more are left out, attempt numbers other than the row's are all alike
    (the row's only grows, and all they are ever asked is whether they equal it), and the two workers have no order.
    """
    row, reading, late = state.row, state.reading, state.late_mark
    number = row.attempt if row is not None else _NONE
    a, b = (
        _what_matters_of_worker(
            state.workers[index],
            state.flights[index],
            number,
            row.owner.epoch if row is not None and row.owner is not None and row.owner.worker == index else _NONE,
            reading.life.epoch if reading is not None and reading.life.worker == index else _NONE,
            late if late is not None and late.life.worker == index else None,
        )
        for index in (0, 1)
    )
    return (
        row and row[1:],
        state.status,
        state.flagged,
        (a, b) if a <= b else (b, a),
        reading and (reading.mark is None, reading.mark == number),
        state.smtp,
        state.resend,
        state.budget,
    )


@cache
def _what_matters_of_worker(
    worker: Worker, flights: tuple[Flight, ...], number: int, owning: int, reading: int, late: LateMark | None
) -> tuple[str | int | tuple[tuple[str, bool], ...], ...]:
    """Return what matters of one worker; `number` is the row's attempt, `owning` and `reading` are epochs."""
    attempt = worker.attempt
    flying = attempt.life.epoch if attempt is not None else _NONE
    arriving = late.life.epoch if late is not None else _NONE
    referred = (worker.epoch, owning, reading, flying, arriving)
    epochs = [epoch for epoch in range(worker.epoch + 1) if epoch in referred]
    return (
        worker.health,
        worker.place,
        attempt.provider if attempt is not None else "",
        attempt is not None and attempt.number == number,
        late is not None and late.mark == number,
        *(epochs.index(epoch) if epoch in epochs else _NONE for epoch in (owning, reading, flying, arriving)),
        tuple([(flights[epoch].hash, flights[epoch].mark == number) for epoch in epochs]),
    )


def broken_promise(state: State, *, dead_end: bool) -> Broken | None:
    """Return the promise that `state` breaks, if any; in a dead end nothing more will happen."""
    mails = state.smtp + state.resend
    if state.smtp and state.resend:
        return Broken.TWO_PROVIDERS
    if mails > 1 and not state.flagged:
        return Broken.DOUBLE
    if state.is_settled():
        if state.status is Status.ACCEPTED and not mails:
            return Broken.LOST
        if state.status is Status.FAILED and mails and not state.flagged:
            return Broken.UNTRUE
        return Broken.STRAY if dead_end and state.row is not None else None
    return Broken.LOST if dead_end or state.row is None else None


def _path(came_from: list[tuple[str, int]], number: int) -> tuple[str, ...]:
    names: list[str] = []
    while number >= 0:
        step, number = came_from[number]
        names.append(step)
    return tuple(reversed(names[:-1]))


def without(rule: str) -> Rules:
    """Return all rules but one."""
    return replace(INTACT, **{rule: False})


def main() -> None:
    """Print, for each rule taken away and each primary provider, the shortest way to a broken promise."""
    table = Table("rule taken away", "primary", "states", "broken", "the shortest way there", show_lines=True)
    for rule in ("", *(field.name for field in fields(Rules))):
        for primary in Provider:
            rules = without(rule) if rule else INTACT
            found = explore(Setting(primary=primary, budget=BUDGETS.get(rule, Budget()), rules=rules))
            path = "\n".join(found.path)
            table.add_row(rule or "none", primary, f"{found.states:,}", found.broken or "nothing", path)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
