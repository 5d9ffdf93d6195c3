"""The states of a notification, their rank, and the words that say why (DESIGN §8)."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What became of a notification. Where it waits is the queue's business, not the status's."""

    QUEUED = "queued"
    """Waits, for the reason beside it, until its due time."""
    SENDING = "sending"
    """An attempt is open."""
    UNCERTAIN = "uncertain"
    """An attempt may have succeeded; the subtype's policy decides what follows."""
    COLLECTED = "collected"
    """Lies in a digest that is still open."""
    DIGESTED = "digested"
    """Told in a digest, a notification of its own."""
    SKIPPED = "skipped"
    """A gate decided that nobody is to be told; the reason says which."""
    FAILED = "failed"
    """It will not be sent; the reason says why. Can be re-driven."""
    CANCELLED = "cancelled"
    """Withdrawn while it waited."""
    ACCEPTED = "accepted"
    """A provider took it. Terminal where the provider reports no delivery."""
    DELAYED = "delayed"
    """The provider is still trying."""
    DELIVERED = "delivered"
    """The recipient's server took it."""
    SUPPRESSED = "suppressed"
    """Not sent because the address is on a suppression list."""
    BOUNCED = "bounced"
    """The recipient's server refused it for good."""
    COMPLAINED = "complained"
    """The recipient marked it as spam."""


RANK: dict[Status, int] = {
    Status.QUEUED: 0,
    Status.SENDING: 0,
    Status.UNCERTAIN: 0,
    Status.COLLECTED: 0,
    Status.DIGESTED: 1,
    Status.SKIPPED: 1,
    Status.FAILED: 1,
    Status.CANCELLED: 1,
    Status.ACCEPTED: 2,
    Status.DELAYED: 3,
    Status.DELIVERED: 4,
    Status.SUPPRESSED: 5,
    Status.BOUNCED: 7,
    Status.COMPLAINED: 8,
}
"""A report moves a notification only to a higher rank; rank 0 moves freely, together with its queue row."""


class Reason(StrEnum):
    """One vocabulary for every why: the row, the metric label and the answer of `outbound why`."""

    # skipped or suppressed by a gate
    EXPIRED = "expired"
    SERVICE_DISABLED = "service_disabled"
    TENANT_INACTIVE = "tenant_inactive"
    TENANT_DISABLED = "tenant_disabled"
    CATEGORY_OFF = "category_off"
    SUBTYPE_OFF = "subtype_off"
    OPTED_OUT = "opted_out"
    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    SUPPRESSED = "suppressed"
    ACTOR_IS_RECIPIENT = "actor_is_recipient"
    # an event that led to nothing
    DUPLICATE = "duplicate"
    NO_RECIPIENTS = "no_recipients"
    # queued
    RATE = "rate"
    BACKLOG = "backlog"
    RENDERING = "rendering"
    RETRY = "retry"
    DIGEST = "digest"
    QUIET_HOURS = "quiet_hours"
    SCHEDULED = "scheduled"
    THROTTLED = "throttled"
    BREAKER = "breaker"
    SENDER = "sender"
    HANDED_BACK = "handed_back"
    IN_DOUBT = "in_doubt"
    UNCONFIRMED = "unconfirmed"
    # failed
    PERMANENT = "permanent"
    ATTACHMENT = "attachment"
    UNSUPPORTED = "unsupported"
    EXHAUSTED = "exhausted"
    CONTENT_GONE = "content_gone"
    # withdrawn
    CANCELLED = "cancelled"
    # bounced
    HARD_BOUNCE = "hard_bounce"
    # dead letters
    UNDECODABLE = "undecodable"
    UNSUPPORTED_SPECVERSION = "unsupported_specversion"
    MISSING_TENANT = "missing_tenant"
    UNKNOWN_TENANT = "unknown_tenant"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_ENVELOPE = "invalid_envelope"
    INVALID_DATA = "invalid_data"
    TOO_LARGE = "too_large"
    POISON = "poison"


def may_rise(current: Status, new: Status) -> bool:
    """Tell whether a report of `new` changes a notification that is `current`."""
    return RANK[current] == 0 or RANK[new] > RANK[current]
