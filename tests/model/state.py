"""The state of one notification between two workers, a flight hash per life, and two far ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from notifications.status import RANK, Status
from providers.receipt import Outcome


class Provider(StrEnum):
    """The two kinds of far end."""

    SMTP = "smtp"
    """Forgets what it was given: a repeat is a second mail. Marks tell whether an attempt began."""
    RESEND = "resend"
    """Idempotent by key: a repeat is no second mail. Needs no marks."""


OTHER = {Provider.SMTP: Provider.RESEND, Provider.RESEND: Provider.SMTP}


class Health(StrEnum):
    """What the process does, and what the others believe of its current life.

    That a heartbeat is late but the life not yet over needs no word of its own: it only forbids what a living worker
    may also leave undone, and every step here may be left undone for as long as one likes.
    """

    ALIVE = "alive"
    DECLARED = "declared"
    """Runs, but its life has ended in the eyes of the others: a zombie."""
    DEAD = "dead"
    """Killed. Adoption may follow at once or much later."""


class Place(StrEnum):
    """How far a worker is with its attempt; after the far end has spoken, its place is the `Outcome`."""

    IDLE = "idle"
    TAKEN = "taken"
    OPENED = "opened"
    STARTED = "started"
    """The heartbeat was looked at and was fresh; from here on a pause may last for ever."""
    BEGUN = "begun"
    """The mark was written: the next thing that happens, happens at the far end."""
    RECORDED = "recorded"
    """The outcome is committed, the mark not yet deleted."""


class Hash(StrEnum):
    """The flight hash of one life."""

    OPEN = "open"
    CLOSED = "closed"
    """Adopted: takes no mark any more, still tells the old ones."""
    LOST = "lost"
    """Redis came back as another: takes no mark, and what was marked is unknown."""


# NamedTuples, not frozen dataclasses: a search lives on hashing and comparing, which a tuple does in C.
class Life(NamedTuple):
    """A worker's name and epoch: what owns rows and has a flight hash."""

    worker: int
    epoch: int


class Attempt(NamedTuple):
    """What a worker keeps in memory about the attempt it makes."""

    life: Life
    number: int
    provider: Provider


class Worker(NamedTuple):
    """One process."""

    health: Health
    epoch: int
    place: Place | Outcome
    attempt: Attempt | None


class Row(NamedTuple):
    """The row of `send_queue`."""

    owner: Life | None
    attempt: int
    provider: Provider
    opened: bool
    """The attempt of this number was opened (`opened_at` is set)."""
    pinned: bool
    in_doubt: bool
    """The reason is `unconfirmed`: the next open applies the uncertain policy."""


class Flight(NamedTuple):
    """The flight hash of one life; `mark` is the marked attempt of our notification, 0 for none."""

    hash: Hash
    mark: int


class LateMark(NamedTuple):
    """A mark whose answer did not come in time: the attempt was given up, and yet it may still be written."""

    life: Life
    mark: int


class Reading(NamedTuple):
    """What an adopter has read and not yet committed; `mark` is None when the marks are lost."""

    life: Life
    mark: int | None


class Budget(NamedTuple):
    """How often each misfortune may still happen. Every loop of the protocol costs some, so the search ends.

    `failures` are providers out of reach, `refusals` permanent ones, `pauses` the declarations of death while alive.
    """

    kills: int = 1
    pauses: int = 1
    redis_losses: int = 0
    lost_replies: int = 1
    failures: int = 1
    refusals: int = 0
    webhooks: int = 1


class State(NamedTuple):
    """Everything there is to know at one instant."""

    row: Row | None
    status: Status
    flagged: bool
    """The trail says `uncertain` or `failed(unconfirmed)`: whoever asks learns that it may have gone out."""
    workers: tuple[Worker, Worker]
    flights: tuple[tuple[Flight, ...], tuple[Flight, ...]]
    """By worker, then by epoch."""
    reading: Reading | None
    late_mark: LateMark | None
    smtp: int
    """Mails at the SMTP far end."""
    resend: int
    """Mails at the far end that knows keys: 0 or 1."""
    budget: Budget

    def flight(self, life: Life) -> Flight:
        """Return the flight hash of `life`."""
        return self.flights[life.worker][life.epoch]

    def is_dead(self, life: Life) -> bool:
        """Tell whether everybody may adopt the rows of `life`."""
        worker = self.workers[life.worker]
        return life.epoch < worker.epoch or worker.health is not Health.ALIVE

    def is_mine(self, attempt: Attempt) -> bool:
        """Tell whether a transition that names owner and attempt would find the row."""
        return self.row is not None and self.row.owner == attempt.life and self.row.attempt == attempt.number

    def is_settled(self) -> bool:
        """Tell whether the status has left rank 0."""
        return RANK[self.status] > 0

    def with_worker(self, index: int, worker: Worker) -> State:
        """Return the state with another worker of that index."""
        a, b = self.workers
        return self._replace(workers=(worker, b) if index == 0 else (a, worker))

    def at(self, index: int, place: Place | Outcome, attempt: Attempt | None = None) -> State:
        """Return the state with that worker somewhere else, holding `attempt` and nothing else in memory."""
        return self.with_worker(index, self.workers[index]._replace(place=place, attempt=attempt))

    def with_flight(self, life: Life, flight: Flight) -> State:
        """Return the state with another flight hash for `life`, which may be a worker's next one."""
        a, b = self.flights
        old = self.flights[life.worker]
        new = (*old[: life.epoch], flight, *old[life.epoch + 1 :])
        return self._replace(flights=(new, b) if life.worker == 0 else (a, new))

    def with_acceptance(self) -> State:
        """Return the state after proof of acceptance: the status rises, a row that nobody owns is deleted."""
        row = self.row if self.row is not None and self.row.owner is not None else None
        return self._replace(row=row, status=Status.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the protocol, each of which can be taken away. All but the last are needed."""

    adoption_closes: bool = True
    """Adoption reads the marks and closes the flight hash in one step, so that a late mark is refused."""
    pins: bool = True
    """A row with an attempt that was open at a provider and whose fate is unknown stays with that provider."""
    pin_is_for_good: bool = True
    """A later refusal by that provider does not release the row: an older attempt may still be on its way there."""
    one_attempt: bool = True
    """A second provider is a committed transition of the row, never a loop inside `send`."""
    marks_by_life: bool = True
    """A mark goes into the hash of the life that took the row, not into that of the worker's newest life."""
    mark_per_attempt: bool = True
    """Each attempt has its own field in the flight hash; with one field a notification, the last to write would win."""
    marks_by_redis: bool = True
    """A mark goes only to the Redis (run_id) the life began with: a replica that took over may still say `open`."""
    lost_is_doubt: bool = True
    """Marks that Redis lost count as made, not as absent."""
    heartbeat: bool = True
    """No attempt starts when the last heartbeat is too old. It spares repeats; safety must not rest on it."""


INTACT = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one exploration is about."""

    primary: Provider
    budget: Budget
    rules: Rules = INTACT
    max_attempts: int = 3


def first_states(setting: Setting) -> list[State]:
    """Return what a claim leaves behind: a row that worker A sends at once, or one that waits."""
    life = Life(0, 0)
    idle = Worker(Health.ALIVE, 0, Place.IDLE, None)
    opened = idle._replace(place=Place.OPENED, attempt=Attempt(life, 1, setting.primary))
    flights = ((Flight(Hash.OPEN, 0),), (Flight(Hash.OPEN, 0),))
    mine = State(
        row=Row(owner=life, attempt=1, provider=setting.primary, opened=True, pinned=False, in_doubt=False),
        status=Status.SENDING,
        flagged=False,
        workers=(opened, idle),
        flights=flights,
        reading=None,
        late_mark=None,
        smtp=0,
        resend=0,
        budget=setting.budget,
    )
    waiting = Row(owner=None, attempt=0, provider=setting.primary, opened=False, pinned=False, in_doubt=False)
    return [mine, mine._replace(row=waiting, status=Status.QUEUED, workers=(idle, idle))]
