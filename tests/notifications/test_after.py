"""What follows from an attempt: every outcome, in every situation that changes its meaning."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.after import REPEATED, Accepted, Bounced, Continues, Failed, Next, RetryPolicy, Waits, after
from notifications.categories import UncertainPolicy
from notifications.status import Reason, Status
from providers.receipt import NOT_BEGUN, PAUSED, QUOTA, Outcome, SendReceipt
from tests.notifications.builders import NOW, a_mail, a_receipt

POLICY = RetryPolicy(
    base=timedelta(seconds=30),
    cap=timedelta(hours=1),
    max_tries=12,
    max_age=timedelta(hours=24),
    uncertain_delay=timedelta(minutes=5),
)
LATER = timedelta(seconds=15)
"""The first retry with jitter 0: half of the base."""


def waits(
    reason: Reason, delay: timedelta, *, status: Status = Status.QUEUED, pinned: bool, tried: bool = True
) -> Waits:
    return Waits(status=status, reason=reason, due_at=NOW + delay, is_pinned=pinned, was_tried=tried)


def verdict(
    receipt: SendReceipt, *, pinned: bool = False, idempotent: bool = False, other: str | None = None, **mail: object
) -> Next:
    return after(
        receipt,
        a_mail(is_pinned=pinned, **mail),
        now=NOW,
        policy=POLICY,
        other_provider=other,
        is_idempotent=idempotent,
        jitter=0.0,
    )


RETRY = (Waits, Reason.RETRY)
MOVES = (Continues, None)
# (pinned, idempotent, another provider) in this order:
SITUATIONS = [
    (pinned, idempotent, other) for pinned in (False, True) for idempotent in (False, True) for other in (False, True)
]
EXPECTED: dict[Outcome, list[tuple[type, Reason | None]]] = {
    Outcome.ACCEPTED: [(Accepted, None)] * 8,
    # Of a pinned mail nobody knows whether an earlier attempt was accepted: it fails as unconfirmed.
    Outcome.PERMANENT: [(Failed, Reason.PERMANENT)] * 4 + [(Failed, Reason.UNCONFIRMED)] * 4,
    Outcome.TEMPORARY: [RETRY] * 8,
    Outcome.THROTTLED: [(Waits, Reason.THROTTLED)] * 8,
    Outcome.NOT_SENT: [RETRY, MOVES, RETRY, MOVES, RETRY, RETRY, RETRY, RETRY],
    Outcome.MISCONFIGURED: [RETRY, MOVES, RETRY, MOVES, RETRY, RETRY, RETRY, RETRY],
    Outcome.UNKNOWN: [(Waits, Reason.UNCONFIRMED)] * 2 + [RETRY] * 2 + [(Waits, Reason.UNCONFIRMED)] * 2 + [RETRY] * 2,
}


def test_the_table_knows_every_outcome() -> None:
    assert set(EXPECTED) == set(Outcome)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize(("number", "situation"), list(enumerate(SITUATIONS)))
def test_an_outcome_means_what_the_table_says(
    outcome: Outcome, number: int, situation: tuple[bool, bool, bool]
) -> None:
    pinned, idempotent, has_other = situation

    next_ = verdict(a_receipt(outcome), pinned=pinned, idempotent=idempotent, other="resend" if has_other else None)

    assert (type(next_), getattr(next_, "reason", None)) == EXPECTED[outcome][number]
    if isinstance(next_, Continues):
        assert (next_.provider, next_.status) == ("resend", Status.SENDING)
    if isinstance(next_, Waits):
        assert next_.is_pinned == (pinned or outcome is Outcome.UNKNOWN)
        assert next_.was_tried == (outcome is not Outcome.THROTTLED)


def test_an_unknown_outcome_without_idempotency_is_told_as_uncertain() -> None:
    expected = waits(Reason.UNCONFIRMED, timedelta(minutes=5), status=Status.UNCERTAIN, pinned=True)

    assert verdict(a_receipt(Outcome.UNKNOWN), other="resend") == expected


def test_an_unknown_outcome_with_idempotency_is_repeated_at_the_same_provider() -> None:
    expected = waits(Reason.RETRY, LATER, pinned=True)

    assert verdict(a_receipt(Outcome.UNKNOWN), idempotent=True, other="smtp") == expected


@pytest.mark.parametrize(("hours", "expected"), [(22.99, Waits), (23, Failed)])
def test_a_repeat_under_a_key_ends_before_the_provider_forgets_the_key(hours: float, expected: type) -> None:
    next_ = verdict(a_receipt(Outcome.UNKNOWN), idempotent=True, first_tried=NOW - timedelta(hours=hours))

    assert type(next_) is expected
    assert not isinstance(next_, Failed) or next_.reason is Reason.UNCONFIRMED


def test_at_most_once_gives_an_uncertain_mail_up() -> None:
    next_ = verdict(a_receipt(Outcome.UNKNOWN), uncertain_policy=UncertainPolicy.AT_MOST_ONCE)

    assert next_ == Failed(reason=Reason.UNCONFIRMED)


def test_at_most_once_does_not_matter_where_a_repeat_is_no_second_mail() -> None:
    next_ = verdict(a_receipt(Outcome.UNKNOWN), idempotent=True, uncertain_policy=UncertainPolicy.AT_MOST_ONCE)

    assert isinstance(next_, Waits)


@pytest.mark.parametrize(
    ("outcome", "tries", "expected"),
    [
        (Outcome.TEMPORARY, 10, Reason.RETRY),
        (Outcome.TEMPORARY, 11, Reason.EXHAUSTED),
        (Outcome.NOT_SENT, 10, Reason.RETRY),
        (Outcome.NOT_SENT, 11, Reason.EXHAUSTED),
        (Outcome.UNKNOWN, 10, Reason.UNCONFIRMED),
        (Outcome.UNKNOWN, 11, Reason.UNCONFIRMED),
    ],
)
def test_the_twelfth_attempt_is_the_last(outcome: Outcome, tries: int, expected: Reason) -> None:
    next_ = verdict(a_receipt(outcome), tries=tries)

    assert isinstance(next_, Failed) == (tries == 11)
    assert getattr(next_, "reason", None) is expected


def test_a_mail_too_old_for_another_attempt_is_exhausted() -> None:
    young = a_receipt(Outcome.TEMPORARY, retry_after=timedelta(hours=23))
    old = a_receipt(Outcome.TEMPORARY, retry_after=timedelta(hours=25))

    assert verdict(young) == waits(Reason.RETRY, timedelta(hours=23), pinned=False)
    assert verdict(old) == Failed(reason=Reason.EXHAUSTED)
    assert verdict(old, pinned=True) == Failed(reason=Reason.UNCONFIRMED)


def test_the_provider_s_wish_is_honoured_where_it_is_longer_than_ours() -> None:
    assert verdict(a_receipt(Outcome.TEMPORARY, retry_after=timedelta(seconds=1))) == waits(
        Reason.RETRY, LATER, pinned=False
    )
    assert verdict(a_receipt(Outcome.THROTTLED, retry_after=timedelta(seconds=7))) == waits(
        Reason.THROTTLED, timedelta(seconds=7), pinned=False, tried=False
    )


def test_the_pause_doubles_up_to_the_cap_and_half_of_it_is_drawn() -> None:
    halves = [POLICY.wait(tries, 0.0).total_seconds() for tries in range(9)]

    assert halves == [15, 30, 60, 120, 240, 480, 960, 1800, 1800]
    assert POLICY.wait(1, 0.5) == timedelta(seconds=45)
    assert POLICY.wait(10_000, 0.999) <= POLICY.cap


@pytest.mark.parametrize(
    "receipt",
    [
        a_receipt(Outcome.THROTTLED, retry_after=timedelta(seconds=5)),
        a_receipt(Outcome.NOT_SENT, error=NOT_BEGUN),
        a_receipt(Outcome.NOT_SENT, error=PAUSED, retry_after=timedelta(seconds=5)),
        a_receipt(Outcome.NOT_SENT, error=QUOTA, retry_after=timedelta(days=20)),
    ],
    ids=["rate", "mark", "breaker", "quota"],
)
def test_what_nobody_looked_at_waits_however_long_and_often(receipt: SendReceipt) -> None:
    next_ = verdict(receipt, tries=50, opened_at=NOW - timedelta(days=40), first_tried=NOW - timedelta(days=30))

    assert isinstance(next_, Waits)


def test_a_long_wait_before_the_first_attempt_makes_a_mail_no_older() -> None:
    waited = {"opened_at": NOW - timedelta(days=9)}

    assert isinstance(verdict(a_receipt(Outcome.NOT_SENT, error="connect_failed"), **waited), Waits)
    assert isinstance(verdict(a_receipt(Outcome.UNKNOWN), idempotent=True, **waited), Waits)


def test_a_dead_worker_s_attempt_may_have_used_the_key_when_the_mail_was_opened() -> None:
    next_ = verdict(a_receipt(Outcome.UNKNOWN), idempotent=True, pinned=True, opened_at=NOW - timedelta(hours=23))

    assert next_ == Failed(reason=Reason.UNCONFIRMED)


@pytest.mark.parametrize("pinned", [False, True])
def test_what_was_never_begun_waits_a_moment_and_keeps_its_place(pinned: bool) -> None:
    receipt = a_receipt(Outcome.NOT_SENT, error=NOT_BEGUN)

    expected = waits(Reason.HANDED_BACK, timedelta(seconds=1), pinned=pinned, tried=False)
    assert verdict(receipt, pinned=pinned, other="resend", tries=50) == expected


@pytest.mark.parametrize(
    ("pinned", "tries", "expected"),
    [
        (True, 0, Accepted()),
        (False, 1, Accepted()),
        (False, 0, Failed(reason=Reason.PERMANENT)),
    ],
)
def test_a_known_key_with_another_payload_proves_acceptance_only_on_a_repeat(
    pinned: bool, tries: int, expected: Next
) -> None:
    receipt = a_receipt(Outcome.PERMANENT, error=REPEATED)

    assert verdict(receipt, pinned=pinned, tries=tries, idempotent=True) == expected


@pytest.mark.parametrize(("pinned", "expected"), [(False, Bounced()), (True, Failed(reason=Reason.UNCONFIRMED))])
def test_a_refused_mailbox_has_bounced_unless_an_earlier_attempt_may_have_arrived(pinned: bool, expected: Next) -> None:
    receipt = a_receipt(Outcome.PERMANENT, recipient_refused=True)

    assert verdict(receipt, pinned=pinned, other="resend", tries=3) == expected


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("other", [None, "resend"])
def test_waiting_for_an_account_leads_nowhere_else_and_costs_no_try(pinned: bool, other: str | None) -> None:
    receipt = a_receipt(Outcome.THROTTLED, error=PAUSED, retry_after=timedelta(seconds=7))

    expected = waits(Reason.THROTTLED, timedelta(seconds=7), pinned=pinned, tried=False)
    assert verdict(receipt, pinned=pinned, other=other, tries=50, opened_at=NOW - timedelta(days=3)) == expected


@pytest.mark.parametrize(
    ("pinned", "tried_at", "other", "moves"),
    [
        (False, frozenset(), "resend", True),
        (False, frozenset({"smtp"}), "resend", True),
        (False, frozenset(), None, False),
        (False, frozenset({"resend"}), "resend", False),
        (True, frozenset({"smtp"}), "resend", False),
    ],
)
def test_a_provider_that_rests_is_left_where_that_may_be_and_else_waited_for_without_end(
    pinned: bool, tried_at: frozenset[str], other: str | None, moves: bool
) -> None:
    receipt = a_receipt(Outcome.NOT_SENT, error=PAUSED, retry_after=timedelta(seconds=20))

    next_ = verdict(receipt, pinned=pinned, other=other, tried_at=tried_at, tries=50, opened_at=NOW - timedelta(days=3))

    assert next_ == (
        Continues(provider="resend", was_tried=False)
        if moves
        else waits(Reason.BREAKER, timedelta(seconds=20), pinned=pinned, tried=False)
    )


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.MISCONFIGURED])
def test_once_failed_over_a_mail_is_retried_where_it_is(outcome: Outcome) -> None:
    next_ = verdict(a_receipt(outcome), other="resend", tries=1, tried_at=frozenset({"resend"}))

    assert next_ == waits(Reason.RETRY, timedelta(seconds=30), pinned=False)
