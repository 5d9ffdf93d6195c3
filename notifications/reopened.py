"""What can become of a row that waited: each change, made of the row as it was taken. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from notifications.content import RenderedContent, RequestContent
from notifications.facts import RecipientFacts, SubtypeSettings, TenantSettings
from notifications.gates import Verdict
from notifications.mail import Mail
from notifications.status import Reason, Status
from notifications.still_wanted import ending_of
from notifications.timing import quiet_until as quiet_end
from notifications.transition import Leaves, Parks, Transition, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The change to commit, and the mail to send once it is."""

    change: Transition
    mail: Mail | None = None


def quiet_until(
    row: Waiting,
    content: RequestContent | RenderedContent,
    subtype: SubtypeSettings,
    recipient: RecipientFacts,
    now: datetime,
) -> datetime | None:
    """Return until when its recipient sleeps; what is pinned has perhaps woken them already."""
    if subtype.ignores_quiet_hours or row.taken.is_pinned:
        return None
    return quiet_end(recipient.quiet, content.addressing.timezone or recipient.timezone, now)


def mail_of(
    row: Waiting, content: RenderedContent, tenant: TenantSettings, *, provider: str, mail_from: str, now: datetime
) -> Mail:
    """Return the attempt that a row is taken for."""
    subtype = tenant.subtypes[row.origin.subtype]
    return Mail(
        id=row.taken.id,
        origin=row.origin,
        owner=row.taken.fence.owner,
        attempt=row.taken.fence.attempt,
        tries=row.tries,
        tried_at=row.tried_at,
        first_tried=row.first_tried,
        waited_for=row.taken.reason,
        provider=provider,
        mail_from=mail_from,
        opened_at=row.taken.opened_at or now.replace(microsecond=0),
        is_pinned=row.taken.is_pinned,
        uncertain_policy=subtype.uncertain_policy,
        is_secret=subtype.is_secret,
        template_name=row.template_name or subtype.slug,
        content=content,
        tenant=tenant,
        span=row.origin.traceparent,
    )


def orphaned(row: Waiting) -> Transition:
    """Return the change of a mail whose tenant, or kind of mail, is gone."""
    reason = Reason.UNCONFIRMED if row.taken.is_pinned else Reason.TENANT_INACTIVE
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=Status.FAILED,
        reason=reason,
        queue=Leaves(),
        forgets_content=True,
    )


def stopped(row: Waiting, subtype: SubtypeSettings, verdict: Verdict, reason: Reason) -> Transition:
    """Return the change of a mail that a gate stops now; what may have gone already is not called skipped."""
    if row.taken.is_pinned:
        return replace(failed(row, subtype, reason), verdict=verdict)
    return replace(ended(row, subtype, ending_of(reason), reason), verdict=verdict)


def failed(row: Waiting, subtype: SubtypeSettings, reason: Reason) -> Transition:
    """Of a pinned mail nobody knows: an earlier attempt may have been accepted."""
    return ended(row, subtype, Status.FAILED, Reason.UNCONFIRMED if row.taken.is_pinned else reason)


def ended(row: Waiting, subtype: SubtypeSettings, status: Status, reason: Reason | None) -> Transition:
    """Return the change of a row that leaves the queue."""
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=status,
        reason=reason,
        queue=Leaves(),
        forgets_content=subtype.is_secret,
    )


def parked(row: Waiting, reason: Reason, due_at: datetime) -> Transition:
    """Return the change of a row that goes on waiting."""
    return Transition(
        id=row.taken.id,
        origin=row.origin,
        fence=row.taken.fence,
        status=Status.QUEUED,
        reason=reason,
        queue=Parks(due_at=due_at, reason=reason, is_pinned=row.taken.is_pinned),
    )
