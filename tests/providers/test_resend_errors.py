"""What each error of the API means, and that no answer whatever breaks the sender."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from resend.exceptions import NoContentError, ResendError

from providers.receipt import Outcome, SendReceipt
from providers.resend import ResendConfig, ResendProvider
from providers.resend.errors import classify
from providers.resend.transport import Answer
from tests.providers.messages import a_message, yes
from tests.wires.resend import RESEND

NOW = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
NOT_SENT, THROTTLED, PERMANENT = Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.PERMANENT
MISCONFIGURED, UNKNOWN = Outcome.MISCONFIGURED, Outcome.UNKNOWN

ERRORS = [
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
    (422, "invalid_access", PERMANENT, "invalid_access"),
    (422, "invalid_parameter", PERMANENT, "invalid_parameter"),
    (422, "invalid_region", PERMANENT, "invalid_region"),
    (422, "missing_required_field", PERMANENT, "missing_required_field"),
    (422, "validation_error", PERMANENT, "validation_error"),
    (429, "rate_limit_exceeded", THROTTLED, "rate_limit_exceeded"),
    (429, "daily_quota_exceeded", NOT_SENT, "quota"),
    (429, "monthly_quota_exceeded", NOT_SENT, "quota"),
    (451, "security_error", PERMANENT, "security_error"),
    (500, "application_error", UNKNOWN, "application_error"),
    (500, "internal_server_error", UNKNOWN, "internal_server_error"),
    # newer ones
    (403, "email_above_quota", NOT_SENT, "quota"),
    (403, "invalid_permission", MISCONFIGURED, "invalid_permission"),
    (409, "resource_locked", UNKNOWN, "resource_locked"),
    (422, "missing_required_parameter", PERMANENT, "missing_required_parameter"),
    (503, "service_unavailable", UNKNOWN, "service_unavailable"),
    # answers of something in front of the API
    (408, "application_error", UNKNOWN, "http_408"),
    (413, "application_error", PERMANENT, "http_413"),
    (429, "application_error", THROTTLED, "http_429"),
    (429, "some_new_limit", THROTTLED, "http_429"),
    (502, "application_error", UNKNOWN, "http_502"),
    # names that nobody has told us of: their text goes no further
    (422, "some_new_name jane@example.org", UNKNOWN, "http_422"),
    (403, "some_new_name", UNKNOWN, "http_403"),
    # a server in trouble is in trouble, whatever it calls that
    (500, "daily_quota_exceeded", UNKNOWN, "http_500"),
    (503, "suspended_api_key", UNKNOWN, "http_503"),
]


def an_error(code: int | str, name: str) -> ResendError:
    return ResendError(code=code, error_type=name, message="to jane@example.org", suggested_action="")


def an_answer(status: int, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, httpx.Headers(headers or {}))


@pytest.mark.parametrize(("status", "name", "outcome", "error"), ERRORS)
def test_an_error_means(status: int, name: str, outcome: Outcome, error: str) -> None:
    verdict = classify(an_error(status, name), an_answer(status), NOW)

    assert (verdict.outcome, verdict.error, verdict.status) == (outcome, error, status)


def test_every_documented_error_is_in_the_table() -> None:
    samples = RESEND / "samples" / "api-errors.json"
    if not samples.exists():
        pytest.skip("the samples are not beside this repository")

    documented = {(error["statusCode"], error["name"]) for error in json.loads(samples.read_text())}

    assert documented - {(status, name) for status, name, _, _ in ERRORS} == set()


@pytest.mark.parametrize(
    ("name", "now", "wait"),
    [
        ("daily_quota_exceeded", NOW, timedelta(hours=1, minutes=30)),
        ("email_above_quota", NOW, timedelta(hours=1, minutes=30)),
        ("monthly_quota_exceeded", NOW, timedelta(days=6, hours=1, minutes=30)),
        ("daily_quota_exceeded", datetime(2026, 12, 31, tzinfo=UTC), timedelta(days=1)),
        ("monthly_quota_exceeded", datetime(2026, 12, 31, 23, tzinfo=UTC), timedelta(hours=1)),
        ("monthly_quota_exceeded", datetime(2027, 1, 31, tzinfo=UTC), timedelta(days=1)),
        ("monthly_quota_exceeded", datetime(2028, 2, 1, tzinfo=UTC), timedelta(days=29)),
    ],
)
def test_a_used_up_quota_comes_back_when_its_day_or_month_is_over(name: str, now: datetime, wait: timedelta) -> None:
    assert classify(an_error(429, name), an_answer(429, {"retry-after": "1"}), now).retry_after == wait


def test_a_throttled_account_waits_as_long_as_it_is_told() -> None:
    verdict = classify(an_error(429, "rate_limit_exceeded"), an_answer(429, {"Retry-After": "7"}), NOW)

    assert verdict.retry_after == timedelta(seconds=7)


def test_the_answer_s_own_status_counts_and_not_what_the_sdk_makes_of_it() -> None:
    assert classify(an_error("weird", "validation_error"), an_answer(200), NOW).error == "no_id"
    assert classify(an_error(500, "application_error"), an_answer(204), NOW).error == "no_id"
    assert classify(NoContentError(), an_answer(200), NOW).outcome is UNKNOWN
    assert classify(RecursionError(), an_answer(422), NOW).outcome is UNKNOWN
    assert classify(None, an_answer(302), NOW).error == "http_302"


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

    verdict = classify(wrapped, None, NOW)

    assert (verdict.outcome, verdict.error, verdict.status) == (outcome, error, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([name for _, name, _, _ in ERRORS])
ERROR_BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | JSON,
        "statusCode": st.sampled_from([200, 403, 422, 429, 500]) | JSON,
        "message": JSON,
        "id": st.text() | JSON,
    },
)
BODIES = st.binary(max_size=200) | (ERROR_BODIES | JSON).map(lambda body: json.dumps(body).encode())
HEADER_VALUES = st.sampled_from(["1", "10;w=1", "0", "-1", "9" * 40, "Tue, 24 Nov 2026 02:00:00 GMT", "٣"]) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), max_size=20
)
HEADERS = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["application/json", "text/html", "Application/JSON; x=y", ""]) | HEADER_VALUES},
    optional=dict.fromkeys(
        ["retry-after", "ratelimit-limit", "ratelimit-reset", "ratelimit-policy", "http_headers"], HEADER_VALUES
    ),
)


def sent(status: int, headers: dict[str, str], body: bytes) -> SendReceipt:
    """What one attempt comes to where the far end answers this."""

    def far_end(_: httpx.Request) -> httpx.Response:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return httpx.Response(status, headers=raw, content=body)

    async def send() -> SendReceipt:
        async with httpx.AsyncClient(transport=httpx.MockTransport(far_end)) as client:
            provider = ResendProvider(ResendConfig(api_key="re_x"), client=client, now=lambda: NOW)
            await provider.is_healthy()
            return await provider.send(a_message(), yes)

    return asyncio.run(send())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    status=st.sampled_from([200, 201, 204, 301, 400, 403, 409, 422, 429, 500, 503]) | st.integers(200, 999),
    headers=HEADERS,
    body=BODIES,
)
def test_no_answer_breaks_the_sender_and_only_an_id_is_an_accepted_mail(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    receipt = sent(status, headers, body)

    if receipt.outcome is Outcome.ACCEPTED:
        assert 200 <= status < 300
        assert receipt.provider_message_id == json.loads(body)["id"]
    elif not 400 <= status < 500:
        assert receipt.outcome is UNKNOWN
    if receipt.outcome is not Outcome.ACCEPTED:
        assert receipt.error in {error for _, _, _, error in ERRORS} | {"no_id", f"http_{status}"}
        assert receipt.provider_message_id is None
    assert receipt.retry_after is None or receipt.retry_after >= timedelta(seconds=1)
    assert receipt.account_rate is None or 0 < receipt.account_rate < 1e9
