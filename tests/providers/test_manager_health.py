"""How failures turn mail away from a provider, and how it comes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from providers.manager import ProviderManager
from providers.receipt import Outcome
from tests.providers.messages import a_message, yes
from tests.providers.scripted import DOMAIN, NOW, Clock, ScriptedProvider


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def first() -> ScriptedProvider:
    return ScriptedProvider("first")


@pytest.fixture
def second() -> ScriptedProvider:
    return ScriptedProvider("second", idempotent=True)


@pytest.fixture
def manager(first: ScriptedProvider, second: ScriptedProvider, clock: Clock) -> ProviderManager:
    return ProviderManager({"first": first, "second": second}, "first", "second", now=clock)


async def fail(manager: ProviderManager, name: str, times: int) -> None:
    for _ in range(times):
        await manager.send(name, a_message(), yes)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.MISCONFIGURED])
async def test_five_failures_in_a_row_open_the_breaker_for_half_a_minute(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock, outcome: Outcome
) -> None:
    first.answer = {"outcome": outcome, "error": "broken"}

    await fail(manager, "first", 4)
    assert manager.choose(from_domain=DOMAIN) == "first"
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "second"
    assert manager.other("second", DOMAIN) is None
    clock.advance(29)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_success_in_between_starts_the_count_again(manager: ProviderManager, first: ScriptedProvider) -> None:
    for answer in (Outcome.ACCEPTED, Outcome.PERMANENT, Outcome.TEMPORARY):
        first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
        await fail(manager, "first", 4)
        first.answer = {"outcome": answer}
        await fail(manager, "first", 1)

    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_after_the_pause_one_attempt_finds_out_for_all(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 5)
    clock.advance(30)
    first.answer = None
    probe = asyncio.create_task(manager.send("first", a_message(), yes))
    await asyncio.sleep(0)

    assert manager.choose(from_domain=DOMAIN) == "second"

    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert manager.choose(from_domain=DOMAIN) == "first"
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(30)
    first.answer = {"outcome": Outcome.ACCEPTED}
    await fail(manager, "first", 1)
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 4)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_probe_that_never_reports_does_not_close_the_way_for_ever(clock: Clock) -> None:
    silent = ScriptedProvider("first")
    manager = ProviderManager({"first": silent, "second": ScriptedProvider("second")}, "first", "second", now=clock)
    silent.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 5)
    clock.advance(30)
    silent.answer = None
    probe = asyncio.create_task(manager.send("first", a_message(), yes))
    await asyncio.sleep(0)

    clock.advance(30)

    assert manager.choose(from_domain=DOMAIN) == "first"
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": Outcome.UNKNOWN, "error": "lost"},
        {"outcome": Outcome.THROTTLED, "error": "rate_limit_exceeded"},
        {"outcome": Outcome.NOT_SENT, "error": "not_begun"},
    ],
)
async def test_what_proves_nothing_about_the_provider_does_not_open_the_breaker(
    manager: ProviderManager, first: ScriptedProvider, answer: dict[str, Any]
) -> None:
    first.answer = answer

    await fail(manager, "first", 20)

    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_refused_sender_domain_does_not_stop_the_others(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.MISCONFIGURED, "error": "sender_refused"}

    await fail(manager, "first", 5)

    assert manager.choose(from_domain=DOMAIN) == "second"
    assert manager.choose(from_domain="other.example.com") == "first"
    clock.advance(30)
    first.answer = {"outcome": Outcome.UNKNOWN, "error": "lost"}
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "first"
    first.answer = {"outcome": Outcome.ACCEPTED}
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_used_up_quota_opens_the_breaker_until_it_is_there_again(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "quota", "retry_after": timedelta(hours=2)}

    await fail(manager, "first", 1)

    clock.advance(7199)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_throttled_provider_is_waited_for_and_not_left(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    assert manager.paused_until("first") is None
    first.answer = {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=2)}
    await fail(manager, "first", 1)
    first.answer = {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=1)}
    await fail(manager, "first", 1)

    assert manager.paused_until("first") == NOW + timedelta(seconds=2)
    assert manager.choose(from_domain=DOMAIN) == "first"
    assert manager.paused_until("second") is None
    clock.advance(2)
    assert manager.paused_until("first") is None
