"""What an answer other than an accepted mail means: one table by (HTTP status, error name).

Names: https://resend.com/docs/api-reference/errors. The SDK's exception classes cover few of them (a 403
validation_error is a plain ResendError), so classes are not looked at; nor is its `code`, which a body can set. What
nobody has told us of is unknown. Messages can echo an address: only names from the table, and numbers, go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from resend.exceptions import ResendError

from providers.receipt import QUOTA, SENDER_REFUSED, Outcome
from providers.resend.limits import until_next_month, until_tomorrow, wait_for_rate
from providers.resend.transport import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The meaning of an answer. `error` is a constant name, `status` the HTTP status if there was an answer."""

    outcome: Outcome
    error: str | None = None
    status: int | None = None
    retry_after: timedelta | None = None


_BY_STATUS_AND_NAME: Final[Mapping[tuple[int, str], Outcome]] = {
    (400, "invalid_idempotency_key"): Outcome.PERMANENT,
    (400, "validation_error"): Outcome.PERMANENT,
    (401, "missing_api_key"): Outcome.MISCONFIGURED,
    (401, "restricted_api_key"): Outcome.MISCONFIGURED,
    (403, "invalid_api_key"): Outcome.MISCONFIGURED,
    (403, "suspended_api_key"): Outcome.MISCONFIGURED,
    (403, "validation_error"): Outcome.MISCONFIGURED,  # the From domain is not verified
    # One fixed path and method are used: these two mean a wrong RESEND_API_URL, not a wrong mail.
    (404, "not_found"): Outcome.MISCONFIGURED,
    (405, "method_not_allowed"): Outcome.MISCONFIGURED,
    # On a repeat this proves that the first attempt was taken; whoever knows that it is a repeat decides.
    (409, "invalid_idempotent_request"): Outcome.PERMANENT,
    (409, "concurrent_idempotent_requests"): Outcome.UNKNOWN,
    (422, "invalid_attachment"): Outcome.PERMANENT,
    (422, "invalid_from_address"): Outcome.PERMANENT,
    (422, "invalid_access"): Outcome.PERMANENT,
    (422, "invalid_parameter"): Outcome.PERMANENT,
    (422, "invalid_region"): Outcome.PERMANENT,
    (422, "missing_required_field"): Outcome.PERMANENT,
    (422, "validation_error"): Outcome.PERMANENT,
    (429, "rate_limit_exceeded"): Outcome.THROTTLED,
    (429, "daily_quota_exceeded"): Outcome.NOT_SENT,
    (429, "monthly_quota_exceeded"): Outcome.NOT_SENT,
    (451, "security_error"): Outcome.PERMANENT,
    (500, "application_error"): Outcome.UNKNOWN,
    (500, "internal_server_error"): Outcome.UNKNOWN,
    (503, "service_unavailable"): Outcome.UNKNOWN,
}
# Names whose meaning does not hang on the status, newer ones among them that came without one. They count with any 4xx.
_BY_NAME: Final[Mapping[str, Outcome]] = {
    "email_above_quota": Outcome.NOT_SENT,  # nobody says which one: it is asked again when the day is over
    "daily_quota_exceeded": Outcome.NOT_SENT,
    "monthly_quota_exceeded": Outcome.NOT_SENT,
    "invalid_permission": Outcome.MISCONFIGURED,
    "suspended_api_key": Outcome.MISCONFIGURED,
    "missing_required_parameter": Outcome.PERMANENT,
    "resource_locked": Outcome.UNKNOWN,
}
# What a proxy in front of the API answers, without a name of the API's; RFC 6585 §4 for 429, whatever its name.
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_UNNAMED: Final = "application_error"  # what the SDK calls an answer that is not JSON
_SENDER_NOT_VERIFIED: Final = (403, "validation_error")
_MONTHLY: Final = "monthly_quota_exceeded"
# The request certainly did not leave: no connection, or none free in our own pool.
_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def classify(error: Exception | None, answer: Answer | None, now: datetime) -> Verdict:
    """Return the meaning of an answer that does not name a mail, or of none at all. `now` is in UTC.

    `error` is what the SDK raised, if anything. It may be of any class: the SDK reads the answer unguarded, so a body
    nested too deeply is a RecursionError, and a name that is a list a TypeError.
    """
    if answer is None:
        return _network(error)
    if not answer.is_refusal:
        # Whatever the body says: it may have been accepted.
        name = "no_id" if answer.is_success else f"http_{answer.status}"
        return Verdict(outcome=Outcome.UNKNOWN, error=name, status=answer.status)
    return _refused(answer, error_name(error) or _UNNAMED, now)


def error_name(error: Exception | None) -> str | None:
    """Return the API's name for an error, if it is one of the API's and has one."""
    name = error.error_type if isinstance(error, ResendError) else None
    return name if isinstance(name, str) else None


def _refused(answer: Answer, name: str, now: datetime) -> Verdict:
    """Read the table. An error of the server (5xx) means only that nobody knows."""
    status = answer.status
    outcome, constant = _BY_STATUS_AND_NAME.get((status, name)), name
    if outcome is None and not answer.is_server_error:
        outcome = _BY_NAME.get(name)
    if outcome is None:
        outcome, constant = _without_name(status, name), f"http_{status}"
    if outcome is Outcome.NOT_SENT:
        until = until_next_month(now) if name == _MONTHLY else until_tomorrow(now)
        return Verdict(outcome=outcome, error=QUOTA, status=status, retry_after=until)
    if outcome is Outcome.THROTTLED:
        return Verdict(outcome=outcome, error=constant, status=status, retry_after=wait_for_rate(answer.headers))
    if (status, name) == _SENDER_NOT_VERIFIED:
        constant = SENDER_REFUSED
    return Verdict(outcome=outcome, error=constant, status=status)


def _without_name(status: int, name: str) -> Outcome:
    if status == _TOO_MANY:
        return Outcome.THROTTLED
    return Outcome.PERMANENT if status == _TOO_LARGE and name == _UNNAMED else Outcome.UNKNOWN


def _network(error: Exception | None) -> Verdict:
    """Classify by the httpx error below: the SDK gives all of them the same name."""
    root: BaseException | None = error
    while root is not None and not isinstance(root, httpx.HTTPError):
        root = root.__cause__ or root.__context__
    if isinstance(root, _NEVER_LEFT):
        return Verdict(outcome=Outcome.NOT_SENT, error="connect_failed")
    return Verdict(outcome=Outcome.UNKNOWN, error="timeout" if isinstance(root, httpx.TimeoutException) else "lost")
