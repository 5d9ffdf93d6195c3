"""The row protocol as steps from state to state: what a worker, an adopter, the far ends and misfortune may do next."""

from __future__ import annotations

from collections.abc import Iterator

from notifications.status import Status, may_rise
from providers.receipt import Outcome
from tests.model.state import (
    OTHER,
    Attempt,
    Flight,
    Hash,
    Health,
    LateMark,
    Life,
    Place,
    Provider,
    Reading,
    Row,
    Setting,
    State,
    Worker,
)

Steps = Iterator[tuple[str, State]]
"""The name of a step and the state it leads to."""

_NAMES = ("A", "B")


def steps(state: State, setting: Setting) -> Steps:
    """Yield every step that is possible in `state`."""
    for index in (0, 1):
        name, worker = _NAMES[index], state.workers[index]
        match worker.place:
            case Place.IDLE:
                yield from _take(state, index, name)
            case Place.TAKEN:
                yield from _open(state, index, name)
            case Place.OPENED:
                yield from _start(state, index, name, setting)
            case Place.STARTED:
                yield from _begin(state, index, name, setting)
            case Place.BEGUN:
                yield from _far_end(state, index, name, setting)
            case Place.RECORDED:
                yield from _delete_mark(state, index, name)
            case _:
                yield from _record(state, index, name, setting)
        yield from _live_and_die(state, index, name)
    yield from _adopt(state, setting)
    yield from _webhook(state)
    yield from _redis(state, setting)


# --- one attempt ------------------------------------------------------------------------------------------------------


def _may_start(worker: Worker, setting: Setting) -> bool:
    """Look at the heartbeat: whoever is declared dead has one that is too old, and can see it."""
    return worker.health is Health.ALIVE or not setting.rules.heartbeat


def _take(state: State, index: int, name: str) -> Steps:
    """Take a due row. The statement itself sees whether the life has ended, on the database's clock."""
    row, worker = state.row, state.workers[index]
    if row is not None and row.owner is None and worker.health is Health.ALIVE:
        life, number = Life(index, worker.epoch), row.attempt + 1
        taken = state._replace(row=row._replace(owner=life, attempt=number, opened=False))
        yield f"{name} takes the row", _at(taken, index, Place.TAKEN, Attempt(life, number, row.provider))


def _open(state: State, index: int, name: str) -> Steps:
    row, attempt = state.row, _attempt(state, index)
    if row is None or not _is_mine(row, attempt):
        yield f"{name} finds the row taken away", _at(state, index, Place.IDLE)
    elif state.is_settled():
        yield f"{name} finds it settled", _at(state._replace(row=None), index, Place.IDLE)
    elif row.in_doubt:
        flagged = state._replace(flagged=True)
        failed = flagged._replace(row=None, status=Status.FAILED)
        yield f"{name} opens: in doubt, at most once", _at(failed, index, Place.IDLE)
        again = flagged._replace(row=row._replace(opened=True, in_doubt=False), status=Status.SENDING)
        yield f"{name} opens: in doubt, at least once", _at(again, index, Place.OPENED, attempt)
    else:
        opened = state._replace(row=row._replace(opened=True), status=Status.SENDING)
        yield f"{name} opens the attempt", _at(opened, index, Place.OPENED, attempt)


def _start(state: State, index: int, name: str, setting: Setting) -> Steps:
    if _may_start(state.workers[index], setting):
        yield f"{name} starts the attempt", _at(state, index, Place.STARTED, _attempt(state, index))


def _begin(state: State, index: int, name: str, setting: Setting) -> Steps:
    """Pass the point of no return; a provider without keys writes a mark first, or stays on this side."""
    attempt = _attempt(state, index)
    if attempt.provider is Provider.RESEND:
        yield from _far_end(state, index, name, setting)
        return
    life = attempt.life if setting.rules.marks_by_life else Life(index, state.workers[index].epoch)
    if _takes_marks(state, life, setting):
        marked = _with_mark(state, life, attempt.number, setting)
        yield f"{name} marks", _at(marked, index, Place.BEGUN, attempt)
    else:
        yield f"{name} is refused the mark", _at(state, index, Outcome.NOT_SENT, attempt)
    if state.budget.lost_replies and state.late_mark is None:
        less = state.budget._replace(lost_replies=state.budget.lost_replies - 1)
        late = state._replace(late_mark=LateMark(life, attempt.number), budget=less)
        yield f"{name} gets no answer to its mark", _at(late, index, Outcome.NOT_SENT, attempt)


def _far_end(state: State, index: int, name: str, setting: Setting) -> Steps:
    attempt, budget = _attempt(state, index), state.budget
    provider = attempt.provider
    knows_key = provider is Provider.RESEND and state.resend == 1
    arrived = state._replace(resend=1) if provider is Provider.RESEND else state._replace(smtp=state.smtp + 1)
    yield f"{provider} accepts {name}'s mail", _at(arrived, index, Outcome.ACCEPTED, attempt)
    if budget.lost_replies:
        less = budget._replace(lost_replies=budget.lost_replies - 1)
        lost = arrived._replace(budget=less)
        yield f"{provider} accepts {name}'s mail, reply lost", _at(lost, index, Outcome.UNKNOWN, attempt)
        lost = state._replace(budget=less)
        yield f"{provider} never gets {name}'s mail, reply lost", _at(lost, index, Outcome.UNKNOWN, attempt)
    if budget.failures:
        failed = state._replace(budget=budget._replace(failures=budget.failures - 1))
        yield f"{name} cannot reach {provider}", _at(failed, index, Outcome.NOT_SENT, attempt)
        # Differs from an unreachable provider only where an answer releases the pin.
        if not setting.rules.pin_is_for_good and not knows_key:
            yield f"{provider} refuses our account to {name}", _at(failed, index, Outcome.MISCONFIGURED, attempt)
    if budget.refusals and not knows_key:
        refused = state._replace(budget=budget._replace(refusals=budget.refusals - 1))
        yield f"{provider} refuses {name}'s mail for good", _at(refused, index, Outcome.PERMANENT, attempt)


def _record(state: State, index: int, name: str, setting: Setting) -> Steps:
    row, attempt, outcome = state.row, _attempt(state, index), state.workers[index].place
    elsewhere = OTHER[attempt.provider]
    may_fail_over = attempt.provider is setting.primary and not (row and row.pinned and setting.rules.pins)
    if outcome is Outcome.NOT_SENT and not setting.rules.one_attempt and may_fail_over:
        inside = _at(state, index, Place.STARTED, attempt._replace(provider=elsewhere))
        yield f"{name} goes on to {elsewhere} inside send", inside
    elif row is None or not _is_mine(row, attempt):
        yield f"{name} records late", _after(_late(state, outcome), index, attempt)
    else:
        yield from _after_outcome(state, row, index, name, setting)


def _after_outcome(state: State, row: Row, index: int, name: str, setting: Setting) -> Steps:
    """Commit what follows from an outcome, fenced by owner and attempt: the caller has looked."""
    attempt, outcome, rules = _attempt(state, index), state.workers[index].place, setting.rules
    gone = state._replace(row=None)
    if outcome is Outcome.MISCONFIGURED:
        row = row._replace(pinned=False)
    if outcome is Outcome.ACCEPTED:
        yield f"{name} records accepted", _after(_accepted(gone), index, attempt)
    elif state.is_settled():
        yield f"{name} records, already settled", _after(gone, index, attempt)
    elif outcome is Outcome.UNKNOWN and attempt.provider is Provider.SMTP:
        waiting = row._replace(owner=None, pinned=rules.pins, in_doubt=True)
        unsure = state._replace(row=waiting, status=Status.UNCERTAIN, flagged=True)
        yield f"{name} records uncertain", _after(unsure, index, attempt)
    elif outcome is Outcome.UNKNOWN:
        waiting = row._replace(owner=None, pinned=rules.pins)
        yield f"{name} records unknown", _after(state._replace(row=waiting, status=Status.QUEUED), index, attempt)
    elif outcome is Outcome.PERMANENT or attempt.number >= setting.max_attempts:
        failed = gone._replace(status=Status.FAILED, flagged=state.flagged or row.pinned)
        yield f"{name} records failed", _after(failed, index, attempt)
    else:
        waiting = row._replace(owner=None)
        yield f"{name} records not sent", _after(state._replace(row=waiting, status=Status.QUEUED), index, attempt)
        if attempt.provider is setting.primary and not row.pinned:
            elsewhere, number = OTHER[attempt.provider], attempt.number + 1
            over = state._replace(row=row._replace(attempt=number, provider=elsewhere))
            yield (
                f"{name} fails over to {elsewhere}",
                _at(over, index, Place.OPENED, Attempt(attempt.life, number, elsewhere)),
            )


def _delete_mark(state: State, index: int, name: str) -> Steps:
    attempt = _attempt(state, index)
    flight = state.flight(attempt.life)
    clean = _with_flight(state, attempt.life, Flight(flight.hash, 0)) if flight.mark == attempt.number else state
    yield f"{name} deletes the mark", _at(clean, index, Place.IDLE)


# --- what happens to workers, and to Redis ------------------------------------------------------------------------------


def _live_and_die(state: State, index: int, name: str) -> Steps:
    worker, budget = state.workers[index], state.budget
    if worker.health is Health.DEAD:
        yield f"{name} restarts, new epoch", _new_life(state, index)
        return
    if budget.kills:
        killed = _with_worker(state, index, Worker(Health.DEAD, worker.epoch, Place.IDLE, None))
        yield f"{name} is killed", killed._replace(budget=budget._replace(kills=budget.kills - 1))
    if worker.health is Health.DECLARED:
        yield f"{name} learns of its death, new epoch", _new_life(state, index)
        return
    if budget.pauses:
        zombie = _with_worker(state, index, worker._replace(health=Health.DECLARED))
        yield f"{name} is declared dead alive", zombie._replace(budget=budget._replace(pauses=budget.pauses - 1))
    if state.flight(Life(index, worker.epoch)).hash is Hash.LOST:
        yield f"{name} sees another Redis, new epoch", _new_life(state, index)


def _redis(state: State, setting: Setting) -> Steps:
    late = state.late_mark
    if late is not None:
        arrived = state._replace(late_mark=None)
        marked = _with_mark(arrived, late.life, late.mark, setting)
        yield "the late mark arrives", marked if _takes_marks(state, late.life, setting) else arrived
    if state.budget.redis_losses:
        lost = Flight(Hash.LOST, 0)
        a, b = state.flights
        flights = ((lost,) * len(a), (lost,) * len(b))
        less = state.budget._replace(redis_losses=state.budget.redis_losses - 1)
        yield "Redis loses the marks", state._replace(flights=flights, budget=less)


# --- adoption, in two steps: Redis, then the row; and the outside world --------------------------------------------------


def _adopt(state: State, setting: Setting) -> Steps:
    row, reading = state.row, state.reading
    if reading is not None:
        yield from _adopt_row(state, reading, setting)
    elif row is not None and row.owner is not None and state.is_dead(row.owner):
        flight = state.flight(row.owner)
        lost = flight.hash is Hash.LOST and setting.rules.lost_is_doubt
        read = state._replace(reading=Reading(row.owner, None if lost else flight.mark))
        if flight.hash is Hash.OPEN and setting.rules.adoption_closes:
            read = _with_flight(read, row.owner, Flight(Hash.CLOSED, flight.mark))
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
        yield "a webhook reports acceptance", _without_free_row(_accepted(state._replace(budget=less)))


# --- small moves ------------------------------------------------------------------------------------------------------


def _attempt(state: State, index: int) -> Attempt:
    attempt = state.workers[index].attempt
    assert attempt is not None
    return attempt


def _is_mine(row: Row, attempt: Attempt) -> bool:
    return row.owner == attempt.life and row.attempt == attempt.number


def _accepted(state: State) -> State:
    return state._replace(status=Status.ACCEPTED) if may_rise(state.status, Status.ACCEPTED) else state


def _without_free_row(state: State) -> State:
    return state._replace(row=None) if state.row is not None and state.row.owner is None else state


def _late(state: State, outcome: Place | Outcome) -> State:
    """Let a fenced outcome lift the status; the row of somebody else is not touched."""
    return _without_free_row(_accepted(state)) if outcome is Outcome.ACCEPTED else state


def _after(state: State, index: int, attempt: Attempt) -> State:
    has_mark = attempt.provider is Provider.SMTP
    return _at(state, index, Place.RECORDED, attempt) if has_mark else _at(state, index, Place.IDLE)


def _at(state: State, index: int, place: Place | Outcome, attempt: Attempt | None = None) -> State:
    return _with_worker(state, index, state.workers[index]._replace(place=place, attempt=attempt))


def _with_worker(state: State, index: int, worker: Worker) -> State:
    a, b = state.workers
    return state._replace(workers=(worker, b) if index == 0 else (a, worker))


def _with_flight(state: State, life: Life, flight: Flight) -> State:
    of_worker = list(state.flights[life.worker])
    of_worker[life.epoch] = flight
    a, b = state.flights
    return state._replace(flights=(tuple(of_worker), b) if life.worker == 0 else (a, tuple(of_worker)))


def _takes_marks(state: State, life: Life, setting: Setting) -> bool:
    found = state.flight(life).hash
    return found is Hash.OPEN or (found is Hash.LOST and not setting.rules.marks_by_redis)


def _with_mark(state: State, life: Life, mark: int, setting: Setting) -> State:
    """Write a mark into an open hash. Attempts only grow, so the greatest mark is the only one anybody will ask for."""
    flight = state.flight(life)
    before = flight.mark if setting.rules.mark_per_attempt else 0
    return _with_flight(state, life, Flight(flight.hash, max(before, mark)))


def _new_life(state: State, index: int) -> State:
    worker = state.workers[index]
    a, b = state.flights
    fresh = (Flight(Hash.OPEN, 0),)
    born = state._replace(flights=(a + fresh, b) if index == 0 else (a, b + fresh))
    return _with_worker(born, index, worker._replace(health=Health.ALIVE, epoch=worker.epoch + 1))
