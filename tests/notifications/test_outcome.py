"""The change an outcome makes of a notification, and the attempt that follows at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notifications.after import Accepted, Bounced, Continues, Failed, Next, Waits
from notifications.outcome import Attempted, attempt_row, change_after, continued, handed_back
from notifications.status import Reason, Status
from notifications.transition import AttemptRow, Fence, Leaves, Opens, Parks
from providers.receipt import Outcome, SendReceipt
from tests.notifications.builders import NOTIFICATION, NOW, a_mail, a_receipt, later

RETRY = Waits(status=Status.QUEUED, reason=Reason.RETRY, due_at=later(minutes=1), is_pinned=True)
UNTRIED = replace(RETRY, reason=Reason.THROTTLED, was_tried=False)
FAILED = Failed(reason=Reason.PERMANENT)
MOVES = Continues(provider="resend")


def attempted(receipt: SendReceipt, **mail: object) -> Attempted:
    return Attempted(mail=a_mail(**mail), receipt=receipt, started_at=NOW, finished_at=later(milliseconds=20))


@pytest.mark.parametrize(
    ("next_", "status", "reason", "queue"),
    [
        (Accepted(), Status.ACCEPTED, None, Leaves()),
        (FAILED, Status.FAILED, Reason.PERMANENT, Leaves()),
        (Bounced(), Status.BOUNCED, Reason.HARD_BOUNCE, Leaves()),
        (RETRY, Status.QUEUED, Reason.RETRY, Parks(due_at=later(minutes=1), reason=Reason.RETRY, is_pinned=True)),
        (
            MOVES,
            Status.SENDING,
            None,
            Opens(attempt=4, provider="resend", mail_from="noreply@fallback.example", opened_at=NOW),
        ),
    ],
)
def test_row_and_status_move_together_under_the_attempt_s_fence(
    next_: Next, status: Status, reason: Reason | None, queue: object
) -> None:
    change = change_after(a_mail(), next_, attempt=None, next_mail_from="noreply@fallback.example")

    assert (change.id, change.fence) == (NOTIFICATION, Fence(owner=7, attempt=3))
    assert (change.status, change.reason, change.queue) == (status, reason, queue)


def test_an_attempt_enters_the_ledger_once_it_was_made() -> None:
    receipt = a_receipt(Outcome.TEMPORARY, error="greylisted", smtp_response="450 later", provider_message_id="id-1")

    row = attempt_row(attempted(receipt), receipt, RETRY, "worker:7")

    assert row == AttemptRow(
        n=3,
        provider="smtp",
        mail_from="noreply@acme.example.com",
        outcome="temporary",
        error="greylisted",
        reply="450 later",
        provider_message_id="id-1",
        worker="worker:7",
        started_at=NOW,
        finished_at=later(milliseconds=20),
    )
    assert change_after(a_mail(), RETRY, attempt=row).attempt is row
    assert attempt_row(attempted(receipt), receipt, UNTRIED, "worker:7") is None


def test_a_reply_is_kept_in_part_and_without_nul() -> None:
    receipt = a_receipt(smtp_response="250 \0" + "x" * 5000)

    row = attempt_row(attempted(receipt), receipt, Accepted(), "worker:7")

    assert row is not None
    assert row.reply is not None
    assert row.reply.startswith("250 \ufffdx")
    assert len(row.reply) == 2000


@pytest.mark.parametrize("is_secret", [False, True])
@pytest.mark.parametrize(
    ("next_", "is_over"),
    [(Accepted(), True), (Bounced(), True), (FAILED, True), (RETRY, False), (MOVES, False)],
)
def test_a_secret_is_forgotten_when_it_is_over_and_not_before(next_: Next, is_over: bool, is_secret: bool) -> None:
    change = change_after(a_mail(is_secret=is_secret), next_, attempt=None)

    assert change.forgets_content == (is_secret and is_over)


@pytest.mark.parametrize(
    ("refused", "next_", "suppresses"),
    [(True, Bounced(), True), (True, FAILED, True), (False, FAILED, False), (True, RETRY, False)],
)
def test_only_a_refused_mailbox_that_failed_for_good_is_suppressed(
    refused: bool, next_: Next, suppresses: bool
) -> None:
    change = change_after(a_mail(), next_, attempt=None, is_recipient_refused=refused)

    assert change.suppresses == suppresses


def test_the_next_attempt_is_the_same_mail_at_the_other_provider() -> None:
    mail, receipt = a_mail(tries=1, tried_at=frozenset({"smtp"})), a_receipt(Outcome.NOT_SENT)
    row = attempt_row(attempted(receipt), receipt, MOVES, "worker:7")

    assert row is not None
    next_ = continued(mail, change_after(mail, MOVES, attempt=row, next_mail_from="noreply@fallback.example"))
    assert next_ == replace(
        mail, attempt=4, tries=2, first_tried=NOW, provider="resend", mail_from="noreply@fallback.example"
    )
    assert not next_.may_move


def test_who_goes_on_from_a_provider_that_rests_has_not_been_tried_there() -> None:
    mail, receipt = a_mail(), a_receipt(Outcome.NOT_SENT, error="paused")
    moves = Continues(provider="resend", was_tried=False)

    assert attempt_row(attempted(receipt), receipt, moves, "worker:7") is None
    next_ = continued(mail, change_after(mail, moves, attempt=None))
    assert next_ == replace(mail, attempt=4, provider="resend")
    assert next_.may_move


@pytest.mark.parametrize("next_", [Accepted(), Bounced(), FAILED, RETRY])
def test_nothing_follows_what_is_over_or_waits(next_: Next) -> None:
    assert continued(a_mail(), change_after(a_mail(), next_, attempt=None)) is None


@pytest.mark.parametrize("is_pinned", [False, True])
def test_what_is_handed_back_was_never_tried(is_pinned: bool) -> None:
    change = handed_back(a_mail(is_pinned=is_pinned, is_secret=True), NOW)

    assert (change.status, change.reason) == (Status.QUEUED, Reason.HANDED_BACK)
    assert change.queue == Parks(due_at=NOW, reason=Reason.HANDED_BACK, is_pinned=is_pinned)
    assert change.fence == Fence(owner=7, attempt=3)
    assert change.attempt is None
    assert not change.forgets_content


def test_an_attempt_that_found_the_quota_used_up_is_no_try() -> None:
    mail, receipt = a_mail(), a_receipt(Outcome.NOT_SENT, error="quota")
    row = attempt_row(attempted(receipt), receipt, MOVES, "worker:7")

    next_ = continued(mail, change_after(mail, MOVES, attempt=row, next_mail_from=None))

    assert next_ is not None
    assert (next_.tries, next_.first_tried, next_.tried_at) == (0, None, {"smtp"})
