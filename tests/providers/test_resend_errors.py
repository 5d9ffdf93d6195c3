"""What each error of the API means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from resend.exceptions import NoContentError, ResendError

from providers.receipt import Outcome
from providers.resend.errors import classify, until_midnight

NOW = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
NOT_SENT, THROTTLED, PERMANENT = Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.PERMANENT
MISCONFIGURED, UNKNOWN = Outcome.MISCONFIGURED, Outcome.UNKNOWN


def an_error(code: int | str, name: str, headers: dict[str, str] | None = None) -> ResendError:
    return ResendError(
        code=code, error_type=name, message="to jane@example.org", suggested_action="", headers=headers or {}
    )


@pytest.mark.parametrize(
    ("code", "name", "outcome", "error"),
    [
        (400, "invalid_idempotency_key", PERMANENT, "invalid_idempotency_key"),
        (400, "validation_error", PERMANENT, "validation_error"),
        (401, "missing_api_key", MISCONFIGURED, "missing_api_key"),
        (401, "restricted_api_key", MISCONFIGURED, "restricted_api_key"),
        (403, "invalid_api_key", MISCONFIGURED, "invalid_api_key"),
        (403, "suspended_api_key", MISCONFIGURED, "suspended_api_key"),
        (403, "validation_error", MISCONFIGURED, "sender_refused"),
        (404, "not_found", MISCONFIGURED, "not_found"),
        (405, "method_not_allowed", MISCONFIGURED, "method_not_allowed"),
        (409, "invalid_idempotent_request", PERMANENT, "invalid_idempotent_request"),
        (409, "concurrent_idempotent_requests", UNKNOWN, "concurrent_idempotent_requests"),
        (422, "invalid_attachment", PERMANENT, "invalid_attachment"),
        (422, "invalid_from_address", PERMANENT, "invalid_from_address"),
        (422, "missing_required_field", PERMANENT, "missing_required_field"),
        (422, "validation_error", PERMANENT, "validation_error"),
        (429, "rate_limit_exceeded", THROTTLED, "rate_limit_exceeded"),
        (429, "daily_quota_exceeded", NOT_SENT, "quota"),
        (429, "monthly_quota_exceeded", NOT_SENT, "quota"),
        (403, "email_above_quota", NOT_SENT, "quota"),
        (451, "security_error", PERMANENT, "security_error"),
        (500, "application_error", UNKNOWN, "application_error"),
        (500, "internal_server_error", UNKNOWN, "internal_server_error"),
        (503, "service_unavailable", UNKNOWN, "service_unavailable"),
        (403, "invalid_permission", MISCONFIGURED, "invalid_permission"),
        (422, "missing_required_parameter", PERMANENT, "missing_required_parameter"),
        (409, "resource_locked", UNKNOWN, "resource_locked"),
        # answers of something in front of the API
        (502, "application_error", UNKNOWN, "http_502"),
        (413, "application_error", PERMANENT, "http_413"),
        (429, "application_error", THROTTLED, "http_429"),
        (429, "some_new_limit", THROTTLED, "http_429"),
        # names that nobody has told us of: their text goes no further
        (422, "some_new_name jane@example.org", UNKNOWN, "http_422"),
        ("weird", "some_new_name", UNKNOWN, "http_0"),
    ],
)
def test_an_error_means(code: int | str, name: str, outcome: Outcome, error: str) -> None:
    verdict = classify(an_error(code, name), NOW)

    assert (verdict.outcome, verdict.error) == (outcome, error)


def test_a_used_up_quota_comes_back_at_midnight() -> None:
    assert classify(an_error(429, "daily_quota_exceeded"), NOW).retry_after == timedelta(hours=1, minutes=30)
    assert until_midnight(datetime(2026, 12, 31, tzinfo=UTC)) == timedelta(days=1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"ratelimit-reset": "3"}, 3),
        ({"retry-after": "2", "ratelimit-reset": "9"}, 2),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "Tue, 24 Nov 2026 02:00:00 GMT"}, 1),
        ({"retry-after": "999999999"}, 3600),
        ({}, 1),
    ],
)
def test_a_throttled_account_waits_as_long_as_it_is_told_within_reason(headers: dict[str, str], seconds: int) -> None:
    verdict = classify(an_error(429, "rate_limit_exceeded", headers), NOW)

    assert verdict.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("root", "outcome", "error"),
    [
        (httpx.ConnectError("x"), NOT_SENT, "connect_failed"),
        (httpx.ConnectTimeout("x"), NOT_SENT, "connect_failed"),
        (httpx.PoolTimeout("x"), NOT_SENT, "connect_failed"),
        (httpx.ReadTimeout("x"), UNKNOWN, "timeout"),
        (httpx.WriteTimeout("x"), UNKNOWN, "timeout"),
        (httpx.ReadError("x"), UNKNOWN, "lost"),
        (httpx.WriteError("x"), UNKNOWN, "lost"),
        (httpx.RemoteProtocolError("x"), UNKNOWN, "lost"),
        (LookupError(), UNKNOWN, "lost"),
    ],
)
def test_a_network_error_is_told_by_whether_the_request_can_have_left(
    root: Exception, outcome: Outcome, error: str
) -> None:
    wrapped = an_error(500, "HttpClientError")
    wrapped.__context__ = RuntimeError("as the SDK's own client does")
    wrapped.__context__.__cause__ = root

    verdict = classify(wrapped, NOW)

    assert (verdict.outcome, verdict.error) == (outcome, error)


def test_no_content_is_unknown() -> None:
    assert classify(NoContentError(), NOW).outcome is UNKNOWN
