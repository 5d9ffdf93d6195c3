"""What happens to a notification from outside its attempts: death, adoption, webhooks, and what Redis does to marks."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.state import (
    Flight,
    Hash,
    Health,
    Life,
    Place,
    Provider,
    Reading,
    Setting,
    State,
    Worker,
)

Steps = Iterator[tuple[str, State]]
"""The name of a step and the state it leads to."""

NAMES = ("A", "B")


def misfortunes(state: State, setting: Setting) -> Steps:
    """Yield every step that is not part of an attempt."""
    for index in (0, 1):
        yield from _live_and_die(state, index, NAMES[index])
    yield from _adopt(state, setting)
    yield from _webhook(state)
    yield from _redis(state, setting)


def _live_and_die(state: State, index: int, name: str) -> Steps:
    worker, budget = state.workers[index], state.budget
    if worker.health is Health.DEAD:
        yield f"{name} restarts, new epoch", _new_life(state, index)
        return
    if budget.kills:
        killed = state.with_worker(index, Worker(Health.DEAD, worker.epoch, Place.IDLE, None))
        yield f"{name} is killed", killed._replace(budget=budget._replace(kills=budget.kills - 1))
    if worker.health is Health.DECLARED:
        yield f"{name} learns of its death, new epoch", _new_life(state, index)
        return
    if budget.pauses:
        zombie = state.with_worker(index, worker._replace(health=Health.DECLARED))
        yield f"{name} is declared dead alive", zombie._replace(budget=budget._replace(pauses=budget.pauses - 1))
    if state.flight(Life(index, worker.epoch)).hash is Hash.LOST:
        yield f"{name} sees another Redis, new epoch", _new_life(state, index)


def _redis(state: State, setting: Setting) -> Steps:
    late = state.late_mark
    if late is not None:
        arrived = state._replace(late_mark=None)
        marked = with_mark(arrived, late.life, late.mark, setting)
        yield "the late mark arrives", marked if takes_marks(state, late.life, setting) else arrived
    if state.budget.redis_losses:
        lost = Flight(Hash.LOST, 0)
        a, b = state.flights
        flights = ((lost,) * len(a), (lost,) * len(b))
        less = state.budget._replace(redis_losses=state.budget.redis_losses - 1)
        yield "Redis loses the marks", state._replace(flights=flights, budget=less)


def _adopt(state: State, setting: Setting) -> Steps:
    row, reading = state.row, state.reading
    if reading is not None:
        yield from _adopt_row(state, reading, setting)
    elif row is not None and row.owner is not None and state.is_dead(row.owner):
        flight = state.flight(row.owner)
        lost = flight.hash is Hash.LOST and setting.rules.lost_is_doubt
        read = state._replace(reading=Reading(row.owner, None if lost else flight.mark))
        if flight.hash is Hash.OPEN and setting.rules.adoption_closes:
            read = read.with_flight(row.owner, Flight(Hash.CLOSED, flight.mark))
        yield "adoption reads the marks", read


def _adopt_row(state: State, reading: Reading, setting: Setting) -> Steps:
    row, done = state.row, state._replace(reading=None)
    if state.budget.kills:
        killed = done._replace(budget=state.budget._replace(kills=state.budget.kills - 1))
        yield "the adopter is killed", killed
    if row is None or row.owner != reading.life:
        yield "adoption finds the row moved on", done
        return
    free = row._replace(owner=None)
    if not row.opened:
        yield "adoption: never opened", done._replace(row=free)
    elif row.provider is Provider.RESEND:
        yield "adoption: repeat by key", done._replace(row=free._replace(pinned=setting.rules.pins))
    elif reading.mark is None or reading.mark == row.attempt:
        yield "adoption: in doubt", done._replace(row=free._replace(pinned=setting.rules.pins, in_doubt=True))
    else:
        yield "adoption: never begun", done._replace(row=free)


def _webhook(state: State) -> Steps:
    if state.budget.webhooks and state.smtp + state.resend:
        less = state.budget._replace(webhooks=state.budget.webhooks - 1)
        yield "a webhook reports acceptance", state._replace(budget=less).with_acceptance()


def takes_marks(state: State, life: Life, setting: Setting) -> bool:
    """Tell whether the flight hash of `life` would still take a mark."""
    found = state.flight(life).hash
    return found is Hash.OPEN or (found is Hash.LOST and not setting.rules.marks_by_redis)


def with_mark(state: State, life: Life, mark: int, setting: Setting) -> State:
    """Write a mark into an open hash. Attempts only grow, so the greatest mark is the only one anybody will ask for."""
    flight = state.flight(life)
    before = flight.mark if setting.rules.mark_per_attempt else 0
    return state.with_flight(life, Flight(flight.hash, max(before, mark)))


def _new_life(state: State, index: int) -> State:
    worker = state.workers[index]
    life = Life(index, worker.epoch + 1)
    born = state.with_flight(life, Flight(Hash.OPEN, 0))
    return born.with_worker(index, worker._replace(health=Health.ALIVE, epoch=life.epoch))
