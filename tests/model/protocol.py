"""The breadth-first search over the row protocol and the promises it holds every state to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from rich.console import Console
from rich.table import Table

from notifications.status import Status
from tests.model.state import INTACT, Budget, Provider, Rules, Setting, State, first_states
from tests.model.steps import steps


BUDGETS = {
    "lost_is_doubt": Budget(pauses=0, redis_losses=1, webhooks=0),
    "marks_by_redis": Budget(kills=0, redis_losses=1, webhooks=0),
}
"""What it takes to miss a rule, where the usual misfortunes do not do it."""


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
        arrive(state, "", -1)
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
    row = state.row
    mark = state.reading and state.reading.mark
    a, b = _worker_that_matters(state, 0), _worker_that_matters(state, 1)
    return (
        row and row[1:],
        state[1:3],
        (a, b) if a <= b else (b, a),
        mark is not None and row is not None and mark == row.attempt,
        mark is None,
        state[-3:],
    )


def _worker_that_matters(state: State, index: int) -> tuple[str | int | bool | tuple[tuple[str, bool], ...], ...]:
    worker, flights, row, reading = state.workers[index], state.flights[index], state.row, state.reading
    number = row.attempt if row is not None else -1
    attempt = worker.attempt
    owns = row.owner.epoch if row is not None and row.owner is not None and row.owner.worker == index else -1
    read = reading.life.epoch if reading is not None and reading.life.worker == index else -1
    late = state.late_mark
    arrives = late.life.epoch if late is not None and late.life.worker == index else -1
    flies = attempt.life.epoch if attempt is not None else -1
    epochs = [epoch for epoch in range(worker.epoch + 1) if epoch in (worker.epoch, owns, read, flies, arrives)]
    return (
        worker.health,
        worker.place,
        attempt is not None and attempt.provider is Provider.SMTP,
        attempt is not None and attempt.number == number,
        epochs.index(owns) if owns >= 0 else -1,
        epochs.index(read) if read >= 0 else -1,
        epochs.index(flies) if flies >= 0 else -1,
        epochs.index(arrives) if arrives >= 0 else -1,
        arrives >= 0 and late is not None and late.mark == number,
        tuple([(flights[epoch].hash.value, flights[epoch].mark == number) for epoch in epochs]),
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
    Console().print(table)


if __name__ == "__main__":
    main()
