"""What the API tells of its limits: the account's rate on every answer, and how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from providers.receipt import Outcome
from providers.resend import ResendConfig, ResendProvider
from providers.resend.limits import account_rate, wait_for_rate
from tests.providers.messages import a_message, yes
from tests.wires.resend import Raw, Refuse, resend_wire

TEN = {"ratelimit-limit": "10", "ratelimit-remaining": "9", "ratelimit-reset": "1"}


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        (TEN, 10.0),
        ({"RateLimit-Limit": " 5 "}, 5.0),
        # the window is named (draft-06: its own header; draft-03: behind the limit)
        ({"ratelimit-limit": "100", "ratelimit-policy": "100;w=60", "ratelimit-reset": "7"}, 100 / 60),
        ({"ratelimit-limit": "100, 100;w=10"}, 10.0),
        ({"ratelimit-limit": "10", "ratelimit-policy": "1000;w=3600, 10; comment=x; w=2"}, 5.0),
        # it is not, but it is at least as long as it still lasts
        ({"ratelimit-limit": "60", "ratelimit-reset": "30"}, 2.0),
        ({"ratelimit-limit": "10", "ratelimit-reset": "0"}, 10.0),
        # nothing that can be read
        ({}, None),
        ({"ratelimit-limit": "0"}, None),
        ({"ratelimit-limit": "-3"}, None),
        ({"ratelimit-limit": "many"}, None),
        ({"ratelimit-limit": "9" * 30}, None),
        ({"ratelimit-limit": "10", "ratelimit-reset": "1764000000"}, 10.0),
        ({"ratelimit-limit": "10", "ratelimit-reset": "176400000"}, None),
        ({"ratelimit-limit": "10", "ratelimit-policy": "10;w=0"}, 10.0),
    ],
)
def test_the_account_s_rate_is_the_limit_per_window(headers: dict[str, str], rate: float | None) -> None:
    assert account_rate(httpx.Headers(headers)) == rate


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"ratelimit-reset": "3"}, 3),
        ({"retry-after": "2", "ratelimit-reset": "9"}, 2),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "²"}, 1),  # a digit to str.isdigit, but not to int
        ({"retry-after": "Tue, 24 Nov 2026 02:00:00 GMT"}, 1),
        ({"retry-after": "999999999"}, 3600),
        ({}, 1),
    ],
)
def test_a_throttled_account_waits_as_long_as_it_is_told_within_reason(headers: dict[str, str], seconds: int) -> None:
    assert wait_for_rate(httpx.Headers(headers, encoding="utf-8")) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, Outcome.ACCEPTED),
        (Refuse(422, "validation_error"), Outcome.PERMANENT),
        (Refuse(429, "rate_limit_exceeded", {"retry-after": "1"}), Outcome.THROTTLED),
        (Refuse(500, "internal_server_error"), Outcome.UNKNOWN),
        # where the SDK hides the headers: a list, nothing, and what is not JSON
        (Raw(200, b"[1]", headers=TEN), Outcome.UNKNOWN),
        (Raw(200, b"null", headers=TEN), Outcome.UNKNOWN),
        (Raw(204, b"", headers=TEN), Outcome.UNKNOWN),
        (Raw(503, b"<html>", "text/html", headers=TEN), Outcome.UNKNOWN),
    ],
)
async def test_every_answer_tells_the_account_s_rate(fault: Refuse | Raw | None, outcome: Outcome) -> None:
    async with resend_wire() as wire:
        wire.team("re_test").requests_per_second = 10
        if fault is not None:
            wire.once(fault)
        provider = ResendProvider(ResendConfig(api_key="re_test", base_url=wire.base_url))
        receipt = await provider.send(a_message(), yes)
        await provider.aclose()

    assert (receipt.outcome, receipt.account_rate) == (outcome, 10.0)


async def test_a_connection_that_fails_tells_no_rate() -> None:
    provider = ResendProvider(ResendConfig(api_key="re_test", base_url="http://127.0.0.1:1"))
    receipt = await provider.send(a_message(), yes)
    await provider.aclose()

    assert (receipt.outcome, receipt.account_rate) == (Outcome.NOT_SENT, None)
    assert provider.account_rate == 2.0


async def test_an_account_over_its_rate_or_quota_is_told_so_and_until_when() -> None:
    clock = [datetime(2026, 11, 24, 22, 30, tzinfo=UTC)]
    async with resend_wire(now=lambda: clock[0]) as wire:
        team = wire.join("re_a", "re_b")
        team.requests_per_second, team.daily_quota, team.monthly_quota = 2, 3, 4
        first, second = (
            ResendProvider(ResendConfig(api_key=key, base_url=wire.base_url), now=lambda: clock[0])
            for key in ("re_a", "re_b")
        )

        async def attempt(provider: ResendProvider, number: int) -> tuple[Outcome, str | None, timedelta | None]:
            receipt = await provider.send(a_message(notification_id=UUID(int=number)), yes)
            return receipt.outcome, receipt.error, receipt.retry_after

        accepted = (Outcome.ACCEPTED, None, None)
        assert [await attempt(first, 1), await attempt(second, 2)] == [accepted, accepted]
        assert await attempt(first, 3) == (Outcome.THROTTLED, "rate_limit_exceeded", timedelta(seconds=1))
        clock[0] += timedelta(seconds=1)
        assert await attempt(second, 3) == accepted
        assert await attempt(first, 4) == (Outcome.NOT_SENT, "quota", timedelta(hours=1, minutes=29, seconds=59))
        clock[0] += timedelta(days=1)
        assert await attempt(first, 4) == accepted
        assert await attempt(second, 5) == (
            Outcome.NOT_SENT,
            "quota",
            timedelta(days=5, hours=1, minutes=29, seconds=59),
        )
        clock[0] += timedelta(days=6)
        assert await attempt(second, 5) == accepted
        await first.aclose()
        await second.aclose()

    assert len(wire.accepted) == 5
