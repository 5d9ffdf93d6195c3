"""What an error of the API means for the mail: one table by (HTTP status, error name).

Names: https://resend.com/docs/api-reference/errors. The SDK's exception classes cover few of them (a 403
validation_error is a plain ResendError), so classes are not looked at. Messages can echo an address; only names go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
from resend.exceptions import NoContentError, ResendError

from providers.receipt import QUOTA, SENDER_REFUSED, Outcome

_DEFAULT_RETRY_SECONDS: Final = 1  # the API's window is one second
_LONGEST_RETRY_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The meaning of an error. `error` is a constant name, `status` the HTTP status if there was an answer."""

    outcome: Outcome
    error: str
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
# Newer names, seen without a documented status.
_BY_NAME: Final[Mapping[str, Outcome]] = {
    "email_above_quota": Outcome.NOT_SENT,
    "invalid_permission": Outcome.MISCONFIGURED,
    "suspended_api_key": Outcome.MISCONFIGURED,
    "missing_required_parameter": Outcome.PERMANENT,
    "resource_locked": Outcome.UNKNOWN,
    "service_unavailable": Outcome.UNKNOWN,
}
# What a proxy in front of the API answers, without a name of the API's.
_BY_STATUS: Final[Mapping[int, Outcome]] = {413: Outcome.PERMANENT, 429: Outcome.THROTTLED}
_QUOTA_NAMES: Final = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded", "email_above_quota"})
_UNNAMED: Final = "application_error"  # what the SDK calls an answer that is not JSON
# The request certainly did not leave: no connection, or none free in our own pool.
_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def classify(error: ResendError | NoContentError, now: datetime) -> Verdict:
    """Return what an SDK error means. What is not in the table may have been accepted: unknown."""
    if isinstance(error, NoContentError):
        return Verdict(outcome=Outcome.UNKNOWN, error="no_content")
    if error.error_type == "HttpClientError":
        return _network(error)
    status, name = _status(error), error.error_type
    if name in _QUOTA_NAMES:
        return Verdict(outcome=Outcome.NOT_SENT, error=QUOTA, status=status, retry_after=until_midnight(now))
    outcome = _BY_STATUS_AND_NAME.get((status, name)) or _BY_NAME.get(name)
    if outcome is None:
        unnamed = name == _UNNAMED or status == 429  # noqa: PLR2004 -- RFC 6585 §4, whatever its name
        outcome = _BY_STATUS.get(status, Outcome.UNKNOWN) if unnamed else Outcome.UNKNOWN
        return Verdict(
            outcome=outcome, error=f"http_{status}", status=status, retry_after=_retry_after(outcome, error.headers)
        )
    constant = SENDER_REFUSED if (status, name) == (403, "validation_error") else name
    return Verdict(outcome=outcome, error=constant, status=status, retry_after=_retry_after(outcome, error.headers))


def until_midnight(now: datetime) -> timedelta:
    """Return how long it is until quotas are counted anew: the next midnight in UTC. `now` is in UTC."""
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return tomorrow - now


def _network(error: BaseException) -> Verdict:
    """Classify by the httpx error below: the SDK gives all of them the same name."""
    root: BaseException | None = error
    while root is not None and not isinstance(root, httpx.HTTPError):
        root = root.__cause__ or root.__context__
    if isinstance(root, _NEVER_LEFT):
        return Verdict(outcome=Outcome.NOT_SENT, error="connect_failed")
    return Verdict(outcome=Outcome.UNKNOWN, error="timeout" if isinstance(root, httpx.TimeoutException) else "lost")


def _status(error: ResendError) -> int:
    code = str(error.code)
    return int(code) if code.isascii() and code.isdigit() else 0


def _retry_after(outcome: Outcome, headers: Mapping[str, str]) -> timedelta | None:
    if outcome is not Outcome.THROTTLED:
        return None
    lowered = {name.lower(): value for name, value in headers.items()}
    for name in ("retry-after", "ratelimit-reset"):
        value = lowered.get(name, "").strip()
        if value.isascii() and value.isdigit():
            return timedelta(seconds=min(max(int(value), _DEFAULT_RETRY_SECONDS), _LONGEST_RETRY_SECONDS))
    return timedelta(seconds=_DEFAULT_RETRY_SECONDS)
