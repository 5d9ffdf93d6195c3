"""What an outcome means for a notification: the one place where retry, failover and giving up are decided. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.categories import UncertainPolicy
from notifications.mail import Mail
from notifications.status import Reason, Status
from providers.receipt import NOT_BEGUN, PAUSED, QUOTA, Outcome, SendReceipt

REPEATED = "invalid_idempotent_request"
"""Resend's answer to a known key with another payload: on a repeat it proves that the first attempt was accepted."""


GOES_ELSEWHERE = frozenset({Outcome.NOT_SENT, Outcome.MISCONFIGURED})
"""What may lead to another provider: the one that was asked certainly does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again and when to stop.

    `base` doubles with every try up to `cap`; `jitter` in [0, 1) is drawn by the caller. A repeat at a provider with
    idempotency is safe for `key_lifetime` (Resend keeps a key 24 h).
    """

    base: timedelta = timedelta(seconds=30)
    cap: timedelta = timedelta(hours=1)
    max_tries: int = 12
    max_age: timedelta = timedelta(hours=24)
    uncertain_delay: timedelta = timedelta(minutes=5)
    key_lifetime: timedelta = timedelta(hours=23)
    hand_back_delay: timedelta = timedelta(seconds=1)

    def wait(self, tries: int, jitter: float) -> timedelta:
        """Return the pause after `tries` attempts: full exponential, of which the second half is drawn at random."""
        full: timedelta = min(self.base * 2 ** min(tries, 20), self.cap)
        return full / 2 + full / 2 * jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has it."""

    status: Status = Status.ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Back to the queue until `due_at`. `was_tried` is false where nothing was opened at a provider."""

    status: Status
    reason: Reason
    due_at: datetime
    is_pinned: bool = False
    was_tried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Continues:
    """The next attempt, at another provider, as a committed transition of the row."""

    provider: str
    status: Status = Status.SENDING
    was_tried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It will not be sent."""

    reason: Reason
    status: Status = Status.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounced:
    """The mailbox was refused for good, in the answer itself: nothing more is sent to it."""

    status: Status = Status.BOUNCED


Next = Accepted | Waits | Continues | Bounced | Failed


def after(
    receipt: SendReceipt,
    mail: Mail,
    *,
    now: datetime,
    policy: RetryPolicy,
    other_provider: str | None,
    is_idempotent: bool,
    jitter: float,
) -> Next:
    """Say what follows from one attempt's receipt.

    `other_provider` is the provider this mail may fail over to, if any. A pinned mail never does: an earlier attempt of
    it may still be accepted where it is, whatever this one's answer was. And once failed over, it never goes back.
    """
    if receipt.error == NOT_BEGUN:
        return _waits(Reason.HANDED_BACK, now + policy.hand_back_delay, mail, was_tried=False)
    if receipt.error in {PAUSED, QUOTA}:
        return _after_pause(receipt, mail, now=now, policy=policy, other_provider=other_provider)
    if receipt.error == REPEATED:
        # Only a repeat can meet a known key: an earlier attempt was accepted under it.
        return Accepted() if mail.is_pinned or mail.tries else _failed(mail, Reason.PERMANENT)
    match receipt.outcome:
        case Outcome.ACCEPTED:
            return Accepted()
        case Outcome.PERMANENT if receipt.recipient_refused and not mail.is_pinned:
            return Bounced()
        case Outcome.PERMANENT:
            return _failed(mail, Reason.PERMANENT)
        case Outcome.UNKNOWN:
            return after_unknown(mail, now=now, policy=policy, is_idempotent=is_idempotent, jitter=jitter)
        case Outcome.THROTTLED:
            return _waits(Reason.THROTTLED, now + (receipt.retry_after or policy.base), mail, was_tried=False)
        case outcome if outcome in GOES_ELSEWHERE and other_provider is not None and mail.may_move:
            return Continues(provider=other_provider)
        case _:
            return _retry(mail, receipt.retry_after, now=now, policy=policy, jitter=jitter)


def _after_pause(
    receipt: SendReceipt, mail: Mail, *, now: datetime, policy: RetryPolicy, other_provider: str | None
) -> Next:
    """Nobody looked at the mail: the provider rests, its quota is used up, or its account has no attempt free.

    It costs no try, however long. Only where a quota was found out by asking, the ledger says so.
    """
    due_at = now + (receipt.retry_after or policy.base)
    was_tried = receipt.error == QUOTA
    if receipt.outcome is Outcome.THROTTLED:
        return _waits(Reason.THROTTLED, due_at, mail, was_tried=was_tried)
    if other_provider is not None and mail.may_move:
        return Continues(provider=other_provider, was_tried=was_tried)
    return _waits(Reason.BREAKER, due_at, mail, was_tried=was_tried)


def after_unknown(mail: Mail, *, now: datetime, policy: RetryPolicy, is_idempotent: bool, jitter: float) -> Next:
    """Say what follows from an attempt that may have been accepted: the same provider and key, or the policy's word."""
    if is_idempotent:
        due_at = now + policy.wait(mail.tries, jitter)
        # A dead worker's attempt, which is in no ledger, may have used the key as early as the mail was opened.
        key_since = mail.first_tried or (mail.opened_at if mail.is_pinned else now)
        if due_at - key_since >= policy.key_lifetime:
            return Failed(reason=Reason.UNCONFIRMED)
        return Waits(status=Status.QUEUED, reason=Reason.RETRY, due_at=due_at, is_pinned=True)
    if mail.uncertain_policy is UncertainPolicy.AT_MOST_ONCE or mail.tries + 1 >= policy.max_tries:
        return Failed(reason=Reason.UNCONFIRMED)
    return Waits(
        status=Status.UNCERTAIN, reason=Reason.UNCONFIRMED, due_at=now + policy.uncertain_delay, is_pinned=True
    )


def _retry(mail: Mail, retry_after: timedelta | None, *, now: datetime, policy: RetryPolicy, jitter: float) -> Next:
    due_at = now + max(policy.wait(mail.tries, jitter), retry_after or timedelta())
    if mail.tries + 1 >= policy.max_tries or due_at - (mail.first_tried or now) > policy.max_age:
        return _failed(mail, Reason.EXHAUSTED)
    return _waits(Reason.RETRY, due_at, mail)


def _failed(mail: Mail, reason: Reason) -> Failed:
    """Of a pinned mail nobody knows: an earlier attempt may have been accepted."""
    return Failed(reason=Reason.UNCONFIRMED if mail.is_pinned else reason)


def _waits(reason: Reason, due_at: datetime, mail: Mail, *, was_tried: bool = True) -> Waits:
    return Waits(status=Status.QUEUED, reason=reason, due_at=due_at, is_pinned=mail.is_pinned, was_tried=was_tried)
