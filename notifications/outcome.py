"""From what an attempt came to, to the change that is written, and the attempt that follows it at once if any. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from notifications.after import Accepted, Continues, Failed, Next, Waits
from notifications.mail import Mail
from notifications.status import Reason, Status
from notifications.transition import AttemptRow, Fence, Leaves, Opens, Parks, QueueChange, Transition
from providers.receipt import SendReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """One finished attempt; `receipt` None means that the worker is stopping and never opened it."""

    mail: Mail
    receipt: SendReceipt | None
    started_at: datetime
    finished_at: datetime


def change_after(attempted: Attempted, next_: Next, worker: str, next_mail_from: str | None) -> Transition:
    """Return the change that an outcome makes of a notification.

    `next_mail_from` is the From address at the next provider, where the outcome says to continue at one.
    """
    mail, receipt = attempted.mail, attempted.receipt
    status, reason, queue = _told(mail, next_, next_mail_from)
    was_tried = receipt is not None and not (isinstance(next_, Waits) and not next_.was_tried)
    return Transition(
        id=mail.id,
        origin=mail.origin,
        fence=Fence(owner=mail.owner, attempt=mail.attempt),
        status=status,
        reason=reason,
        queue=queue,
        attempt=_attempt_row(attempted, receipt, worker) if receipt is not None and was_tried else None,
        forgets_content=mail.is_secret and isinstance(queue, Leaves),
        suppresses=receipt is not None and receipt.recipient_refused and isinstance(next_, Failed),
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
    return replace(
        mail,
        attempt=change.queue.attempt,
        tries=mail.tries + 1,
        provider=change.queue.provider,
        mail_from=change.queue.mail_from,
    )


def _told(mail: Mail, next_: Next, next_mail_from: str | None) -> tuple[Status, Reason | None, QueueChange]:
    match next_:
        case Accepted():
            return Status.ACCEPTED, None, Leaves()
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


def _attempt_row(attempted: Attempted, receipt: SendReceipt, worker: str) -> AttemptRow:
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
