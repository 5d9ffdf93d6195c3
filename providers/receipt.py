"""What one attempt at one provider came to, in words that say what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

SENDER_REFUSED: Final = "sender_refused"
"""The one `error` that concerns a sender domain, not the account: other domains may go on with this provider."""
NOT_BEGUN: Final = "not_begun"
"""The one `error` that is our own doing: `begin` said no, the provider is not to blame."""
PAUSED: Final = "paused"
"""The one `error` of an attempt that was never made: the provider rests, or its account has no credit; see
`retry_after`."""
QUOTA: Final = "quota"
"""The account's day or month is used up; `retry_after` says until when."""


class Outcome(StrEnum):
    """Outcomes are named by what to do, not by what went wrong (DESIGN §11)."""

    ACCEPTED = "accepted"
    """The provider has the message."""
    NOT_SENT = "not_sent"
    """The provider certainly does not have it and the message is not to blame: fail over, or retry later."""
    TEMPORARY = "temporary"
    """Refused for now (greylisting, mailbox full): the same provider, later."""
    THROTTLED = "throttled"
    """The account is over its rate: wait, for every message of this provider."""
    PERMANENT = "permanent"
    """Refused for good: stop."""
    MISCONFIGURED = "misconfigured"
    """Our credentials or sender domain are refused: fail over and alert."""
    UNKNOWN = "unknown"
    """It may have been accepted: the same provider with the same key, later; never fail over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReceipt:
    """The result of one attempt.

    `smtp_response` is the provider's reply as it came (it may hold an address: the database only, never a log line).
    `error` is a short constant name for metrics and logs. `retry_after` is the provider's own wish, if it named one.
    `account_rate` is how many requests a second the whole account may make, where the answer told.
    `recipient_refused` marks a permanent refusal that concerns the mailbox itself (a hard bounce, RFC 3463 x.1.x).
    """

    provider: str
    outcome: Outcome
    timestamp: datetime
    tenant_id: UUID
    from_domain: str
    provider_message_id: str | None = None
    smtp_response: str | None = None
    reply_code: int | None = None
    enhanced_status_code: str | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    account_rate: float | None = None
    recipient_refused: bool = False
    tags: tuple[str, ...] = ()
