"""From what an attempt came to, to the change that is written, and the attempt that follows it at once if any. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from notifications.after import Accepted, Bounced, Continues, Failed, Next, Waits
from notifications.mail import Mail
from notifications.status import Reason, Status
from notifications.transition import AttemptRow, Fence, Leaves, Opens, Parks, QueueChange, Transition
from providers.receipt import QUOTA, SendReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """One finished attempt; `receipt` None means that the worker is stopping and never opened it."""

    mail: Mail
    receipt: SendReceipt | None
    started_at: datetime
    finished_at: datetime


def change_after(
    mail: Mail,
    next_: Next,
    *,
    attempt: AttemptRow | None,
    next_mail_from: str | None = None,
    is_recipient_refused: bool = False,
) -> Transition:
    """Return the change that an outcome makes of a notification.

    `attempt` is what enters the ledger; `next_mail_from` the From address at the next provider, where the outcome says
    to continue at one.
    """
    status, reason, queue = _told(mail, next_, next_mail_from)
    return Transition(
        id=mail.id,
        origin=mail.origin,
        fence=Fence(owner=mail.owner, attempt=mail.attempt),
        status=status,
        reason=reason,
        queue=queue,
        attempt=attempt,
        forgets_content=mail.is_secret and isinstance(queue, Leaves),
        suppresses=is_recipient_refused and isinstance(next_, Bounced | Failed),
    )


def handed_back(mail: Mail, due_at: datetime) -> Transition:
    """Return the change of a mail that was never opened at a provider and goes back to whoever comes next."""
    return Transition(
        id=mail.id,
        origin=mail.origin,
        fence=Fence(owner=mail.owner, attempt=mail.attempt),
        status=Status.QUEUED,
        reason=Reason.HANDED_BACK,
        queue=Parks(due_at=due_at, reason=Reason.HANDED_BACK, is_pinned=mail.is_pinned),
    )


def continued(mail: Mail, change: Transition) -> Mail | None:
    """Return the next attempt of a change that keeps the row open, once it is committed."""
    if not isinstance(change.queue, Opens):
        return None
    counts = change.attempt is not None and change.attempt.error != QUOTA
    return replace(
        mail,
        attempt=change.queue.attempt,
        tries=mail.tries + counts,
        first_tried=mail.first_tried or (change.attempt.started_at if counts and change.attempt is not None else None),
        waited_for=None,
        tried_at=mail.tried_at | ({mail.provider} if change.attempt is not None else frozenset()),
        provider=change.queue.provider,
        mail_from=change.queue.mail_from,
    )


def _told(mail: Mail, next_: Next, next_mail_from: str | None) -> tuple[Status, Reason | None, QueueChange]:
    match next_:
        case Accepted():
            return Status.ACCEPTED, None, Leaves()
        case Bounced():
            return Status.BOUNCED, Reason.HARD_BOUNCE, Leaves()
        case Failed(reason=reason):
            return Status.FAILED, reason, Leaves()
        case Waits(status=status, reason=reason, due_at=due_at, is_pinned=is_pinned):
            return status, reason, Parks(due_at=due_at, reason=reason, is_pinned=is_pinned)
        case Continues(provider=provider):
            opened = Opens(
                attempt=mail.attempt + 1,
                provider=provider,
                mail_from=next_mail_from or mail.mail_from,
                opened_at=mail.opened_at,
            )
            return Status.SENDING, None, opened


def attempt_row(attempted: Attempted, receipt: SendReceipt, next_: Next, worker: str) -> AttemptRow | None:
    """Return an attempt's line of the ledger; None for one that was never opened at the provider."""
    if isinstance(next_, Waits | Continues) and not next_.was_tried:
        return None
    return AttemptRow(
        n=attempted.mail.attempt,
        provider=receipt.provider,
        mail_from=attempted.mail.mail_from,
        outcome=receipt.outcome.value,
        error=receipt.error,
        reply=_storable(receipt.smtp_response),
        provider_message_id=receipt.provider_message_id,
        worker=worker,
        started_at=attempted.started_at,
        finished_at=attempted.finished_at,
    )


def _storable(reply: str | None) -> str | None:
    """A far end may answer anything; Postgres text holds no NUL."""
    return None if reply is None else reply.replace("\0", "\ufffd")[:2000]
