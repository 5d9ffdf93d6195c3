"""The row protocol as steps from state to state: what a worker, an adopter, the far ends and misfortune may do next."""

from __future__ import annotations

from notifications.status import Status
from providers.receipt import Outcome
from tests.model.misfortunes import NAMES, Steps, misfortunes, takes_marks, with_mark
from tests.model.state import (
    OTHER,
    Attempt,
    Flight,
    Health,
    LateMark,
    Life,
    Place,
    Provider,
    Row,
    Setting,
    State,
    Worker,
)


def steps(state: State, setting: Setting) -> Steps:
    """Yield every step that is possible in `state`."""
    for index in (0, 1):
        name, worker = NAMES[index], state.workers[index]
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
    yield from misfortunes(state, setting)


def _may_start(worker: Worker, setting: Setting) -> bool:
    """Look at the heartbeat: whoever is declared dead has one that is too old, and can see it."""
    return worker.health is Health.ALIVE or not setting.rules.heartbeat


def _take(state: State, index: int, name: str) -> Steps:
    """Take a due row. The statement itself sees whether the life has ended, on the database's clock."""
    row, worker = state.row, state.workers[index]
    if row is not None and row.owner is None and worker.health is Health.ALIVE:
        life, number = Life(index, worker.epoch), row.attempt + 1
        taken = state._replace(row=row._replace(owner=life, attempt=number, opened=False))
        yield f"{name} takes the row", taken.at(index, Place.TAKEN, Attempt(life, number, row.provider))


def _open(state: State, index: int, name: str) -> Steps:
    row, attempt = state.row, _attempt(state, index)
    if row is None or not state.is_mine(attempt):
        yield f"{name} finds the row taken away", state.at(index, Place.IDLE)
    elif state.is_settled():
        gone = state._replace(row=None)
        yield f"{name} finds it settled", gone.at(index, Place.IDLE)
    elif row.in_doubt:
        flagged = state._replace(flagged=True)
        failed = flagged._replace(row=None, status=Status.FAILED)
        yield f"{name} opens: in doubt, at most once", failed.at(index, Place.IDLE)
        again = flagged._replace(row=row._replace(opened=True, in_doubt=False), status=Status.SENDING)
        yield f"{name} opens: in doubt, at least once", again.at(index, Place.OPENED, attempt)
    else:
        opened = state._replace(row=row._replace(opened=True), status=Status.SENDING)
        yield f"{name} opens the attempt", opened.at(index, Place.OPENED, attempt)


def _start(state: State, index: int, name: str, setting: Setting) -> Steps:
    if _may_start(state.workers[index], setting):
        yield f"{name} starts the attempt", state.at(index, Place.STARTED, _attempt(state, index))


def _begin(state: State, index: int, name: str, setting: Setting) -> Steps:
    """Pass the point of no return; a provider without keys writes a mark first, or stays on this side."""
    attempt = _attempt(state, index)
    if attempt.provider is Provider.RESEND:
        yield from _far_end(state, index, name, setting)
        return
    life = attempt.life if setting.rules.marks_by_life else Life(index, state.workers[index].epoch)
    if takes_marks(state, life, setting):
        marked = with_mark(state, life, attempt.number, setting)
        yield f"{name} marks", marked.at(index, Place.BEGUN, attempt)
    else:
        yield f"{name} is refused the mark", state.at(index, Outcome.NOT_SENT, attempt)
    if state.budget.lost_replies and state.late_mark is None:
        less = state.budget._replace(lost_replies=state.budget.lost_replies - 1)
        late = state._replace(late_mark=LateMark(life, attempt.number), budget=less)
        yield f"{name} gets no answer to its mark", late.at(index, Outcome.NOT_SENT, attempt)


def _far_end(state: State, index: int, name: str, setting: Setting) -> Steps:
    attempt, budget = _attempt(state, index), state.budget
    provider = attempt.provider
    knows_key = provider is Provider.RESEND and state.resend == 1
    arrived = state._replace(resend=1) if provider is Provider.RESEND else state._replace(smtp=state.smtp + 1)
    yield f"{provider} accepts {name}'s mail", arrived.at(index, Outcome.ACCEPTED, attempt)
    if budget.lost_replies:
        less = budget._replace(lost_replies=budget.lost_replies - 1)
        lost = arrived._replace(budget=less)
        yield f"{provider} accepts {name}'s mail, reply lost", lost.at(index, Outcome.UNKNOWN, attempt)
        lost = state._replace(budget=less)
        yield f"{provider} never gets {name}'s mail, reply lost", lost.at(index, Outcome.UNKNOWN, attempt)
    if budget.failures:
        failed = state._replace(budget=budget._replace(failures=budget.failures - 1))
        yield f"{name} cannot reach {provider}", failed.at(index, Outcome.NOT_SENT, attempt)
        # Differs from an unreachable provider only where an answer releases the pin.
        if not setting.rules.pin_is_for_good and not knows_key:
            yield f"{provider} refuses our account to {name}", failed.at(index, Outcome.MISCONFIGURED, attempt)
    if budget.refusals and not knows_key:
        refused = state._replace(budget=budget._replace(refusals=budget.refusals - 1))
        yield f"{provider} refuses {name}'s mail for good", refused.at(index, Outcome.PERMANENT, attempt)


def _record(state: State, index: int, name: str, setting: Setting) -> Steps:
    row, attempt, outcome = state.row, _attempt(state, index), state.workers[index].place
    elsewhere = OTHER[attempt.provider]
    may_fail_over = attempt.provider is setting.primary and not (row and row.pinned and setting.rules.pins)
    if outcome is Outcome.NOT_SENT and not setting.rules.one_attempt and may_fail_over:
        inside = state.at(index, Place.STARTED, attempt._replace(provider=elsewhere))
        yield f"{name} goes on to {elsewhere} inside send", inside
    elif row is None or not state.is_mine(attempt):
        late = state.with_acceptance() if outcome is Outcome.ACCEPTED else state
        yield f"{name} records late", _after(late, index, attempt)
    else:
        yield from _after_outcome(state, row, index, name, setting)


def _after_outcome(state: State, row: Row, index: int, name: str, setting: Setting) -> Steps:
    """Commit what follows from an outcome, fenced by owner and attempt: the caller has looked."""
    attempt, outcome, rules = _attempt(state, index), state.workers[index].place, setting.rules
    gone = state._replace(row=None)
    if outcome is Outcome.MISCONFIGURED:
        row = row._replace(pinned=False)
    if outcome is Outcome.ACCEPTED:
        yield f"{name} records accepted", _after(gone.with_acceptance(), index, attempt)
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
                over.at(index, Place.OPENED, Attempt(attempt.life, number, elsewhere)),
            )


def _delete_mark(state: State, index: int, name: str) -> Steps:
    attempt = _attempt(state, index)
    flight = state.flight(attempt.life)
    clean = state.with_flight(attempt.life, Flight(flight.hash, 0)) if flight.mark == attempt.number else state
    yield f"{name} deletes the mark", clean.at(index, Place.IDLE)


def _attempt(state: State, index: int) -> Attempt:
    attempt = state.workers[index].attempt
    assert attempt is not None
    return attempt


def _after(state: State, index: int, attempt: Attempt) -> State:
    has_mark = attempt.provider is Provider.SMTP
    return state.at(index, Place.RECORDED, attempt) if has_mark else state.at(index, Place.IDLE)
