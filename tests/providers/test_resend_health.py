"""Whether the API answers and knows us, asked without a mail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.providers.resend_provider import a_provider
from tests.wires.resend import Drop, Fault, Hang, Raw, Refuse, resend_wire

LIST = "GET /domains"


async def test_a_wrong_key_is_told_from_one_that_may_only_send() -> None:
    async with resend_wire() as wire:
        provider = a_provider(wire)
        assert await provider.is_healthy()

        wire.sending_keys = {"re_test"}
        assert await provider.is_healthy()

        wire.api_keys = {"re_other"}
        assert not await provider.is_healthy()
        await provider.aclose()

    assert wire.requests == []


@pytest.mark.parametrize(
    ("fault", "is_healthy"),
    [
        (Refuse(429, "rate_limit_exceeded"), True),
        (Refuse(403, "suspended_api_key"), False),
        (Refuse(401, "missing_api_key"), False),
        (Refuse(500, "internal_server_error"), False),
        (Raw(503, b"<html>", "text/html"), False),
        (Raw(200, b"<html>", "text/html"), False),  # a portal, or a wrong RESEND_API_URL
        (Raw(204, b""), False),
        (Raw(404, b'{"name": {"restricted_api_key": 1}}'), False),
        (Raw(200, b"[" * 100_000), False),
        (Raw(302, b"{}"), False),
        (Drop(), False),
        (Hang(), False),
    ],
)
async def test_health_is_an_answer_of_the_api_that_knows_us(fault: Fault, is_healthy: bool) -> None:
    async with resend_wire() as wire:
        provider = a_provider(wire, timeout=timedelta(milliseconds=200 if isinstance(fault, Hang) else 5000))
        wire.once(fault, LIST)

        assert await provider.is_healthy() is is_healthy
        assert await provider.is_healthy()
        await provider.aclose()
