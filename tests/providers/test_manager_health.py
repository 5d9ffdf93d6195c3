"""How outcomes turn mail away from a provider, how it comes back, and what other processes hear of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog

from providers.choice import Choice
from providers.health import Pause, PauseReason
from providers.mailbox import Mailbox
from providers.manager import ProviderManager
from providers.receipt import Outcome, SendReceipt
from tests.providers.messages import a_message, yes
from tests.providers.scripted import DOMAIN, NOW, Clock, ScriptedProvider

OTHER = "other.example.com"
AWAY: dict[str, Any] = {"outcome": Outcome.NOT_SENT, "error": "connect_failed"}
REFUSED: dict[str, Any] = {"outcome": Outcome.MISCONFIGURED, "error": "sender_refused"}
USED_UP: dict[str, Any] = {"outcome": Outcome.NOT_SENT, "error": "quota", "retry_after": timedelta(hours=2)}
TOO_FAST: dict[str, Any] = {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=2)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def first() -> ScriptedProvider:
    return ScriptedProvider("first")


@pytest.fixture
def manager(first: ScriptedProvider, clock: Clock) -> ProviderManager:
    return a_manager(first, clock)


def a_manager(first: ScriptedProvider, clock: Clock) -> ProviderManager:
    """What another process has: its own health of the same providers."""
    return ProviderManager({"first": first, "second": ScriptedProvider("second")}, Choice("first", "second"), now=clock)


async def send(manager: ProviderManager, times: int = 1, domain: str = DOMAIN) -> list[SendReceipt]:
    message = a_message(from_=Mailbox("Acme", f"noreply@{domain}"))
    return [await manager.send("first", message, yes) for _ in range(times)]


async def test_while_the_breaker_is_open_no_attempt_is_made_and_none_is_counted(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = AWAY
    await send(manager, 5)
    clock.advance(10)

    [receipt] = await send(manager)

    assert first.sent == 5
    assert (receipt.outcome, receipt.error, receipt.retry_after) == (Outcome.NOT_SENT, "paused", timedelta(seconds=20))
    assert (receipt.provider, receipt.from_domain, receipt.timestamp) == ("first", DOMAIN, clock.now)
    assert manager.pause("first", DOMAIN) == Pause(NOW + timedelta(seconds=30), PauseReason.BREAKER)
    assert manager.pause("second", DOMAIN) is None


async def test_after_the_pause_one_attempt_finds_out_for_all(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = AWAY
    await send(manager, 5)
    clock.advance(30)
    first.answer = None
    probe = asyncio.create_task(send(manager))
    await asyncio.sleep(0)

    others = await send(manager, 20)

    assert first.sent == 6
    assert {(other.error, other.retry_after) for other in others} == {("paused", timedelta(seconds=1))}
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    first.answer = {"outcome": Outcome.ACCEPTED}
    assert [one.outcome for one in await send(manager, 20)] == [Outcome.ACCEPTED] * 20


async def test_a_probe_that_fails_doubles_the_pause(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = AWAY
    await send(manager, 5)
    pauses: list[float] = []
    for _ in range(3):
        pause = manager.pause("first", DOMAIN)
        assert pause is not None
        pauses.append((pause.until - clock.now).total_seconds())
        clock.now = pause.until
        await send(manager)

    assert pauses == [30, 60, 120]
    assert first.sent == 8


async def test_a_refused_sender_domain_stops_only_its_own_mail(
    manager: ProviderManager, first: ScriptedProvider
) -> None:
    first.answer = REFUSED
    await send(manager, 5)
    first.answer = {"outcome": Outcome.ACCEPTED}

    [refused] = await send(manager)
    [accepted] = await send(manager, domain=OTHER)

    assert (refused.error, accepted.outcome) == ("paused", Outcome.ACCEPTED)


@pytest.mark.parametrize(
    ("answer", "outcome", "may_go_elsewhere"),
    [(USED_UP, Outcome.NOT_SENT, True), (TOO_FAST, Outcome.THROTTLED, False)],
)
async def test_an_account_that_rests_is_left_alone_until_it_is_over(
    manager: ProviderManager,
    first: ScriptedProvider,
    clock: Clock,
    answer: dict[str, Any],
    outcome: Outcome,
    may_go_elsewhere: bool,
) -> None:
    first.answer = answer
    await send(manager)

    [receipt] = await send(manager, domain=OTHER)

    pause = manager.pause("first", OTHER)
    assert pause is not None
    assert pause.may_go_elsewhere is may_go_elsewhere
    assert (receipt.outcome, receipt.error, receipt.retry_after) == (outcome, "paused", answer["retry_after"])
    assert first.sent == 1
    clock.now = pause.until
    assert manager.pause("first", OTHER) is None


async def test_what_one_process_learns_of_an_account_all_of_them_follow(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    other = a_manager(first, clock)
    first.answer = USED_UP
    await send(manager)

    news = manager.rests()
    other.share(news)
    manager.share(news)

    assert news == {"first": Pause(NOW + timedelta(hours=2), PauseReason.QUOTA)}
    assert other.pause("first", DOMAIN) == manager.pause("first", DOMAIN) == news["first"]
    assert other.rests() == {}


async def test_a_rest_is_news_until_somebody_was_told(manager: ProviderManager, first: ScriptedProvider) -> None:
    first.answer = USED_UP
    await send(manager)

    manager.share({})  # as Postgres had it before
    news = manager.rests()

    assert manager.rests() == news
    assert manager.pause("first", DOMAIN) == news["first"]
    manager.told(news)
    assert manager.rests() == {}
    manager.share({})
    assert manager.pause("first", DOMAIN) is None


async def test_what_was_learnt_while_others_were_told_is_news_again(
    manager: ProviderManager, first: ScriptedProvider
) -> None:
    first.answer = TOO_FAST
    await send(manager)
    told = manager.rests()
    other_process_lets_it_go_on: dict[str, Pause] = {}
    manager.told(told)
    manager.share(other_process_lets_it_go_on)
    first.answer = USED_UP
    await send(manager)

    manager.told(told)

    assert manager.rests() == {"first": Pause(NOW + timedelta(hours=2), PauseReason.QUOTA)}


async def test_a_rest_that_the_operator_ended_is_over_everywhere(
    manager: ProviderManager, first: ScriptedProvider
) -> None:
    first.answer = USED_UP
    await send(manager)
    manager.told(manager.rests())
    first.answer = {"outcome": Outcome.ACCEPTED}

    manager.share({})

    assert [one.outcome for one in await send(manager)] == [Outcome.ACCEPTED]


async def test_a_breaker_is_nobody_else_s_business(manager: ProviderManager, first: ScriptedProvider) -> None:
    first.answer = AWAY
    await send(manager, 5)

    manager.share({})

    assert manager.rests() == {}
    assert manager.pause("first", DOMAIN) is not None


async def test_an_operator_is_told_once_a_minute_and_whenever_mail_is_turned_away(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.MISCONFIGURED, "error": "authentication_failed", "reply_code": 535}

    with structlog.testing.capture_logs() as logged:
        await send(manager, 5)
        clock.advance(60)
        await send(manager)
        first.answer = USED_UP
        clock.advance(60)
        await send(manager)

    assert [(line["event"], line["error"]) for line in logged] == [
        ("provider.misconfigured", "authentication_failed"),
        ("provider.misconfigured", "authentication_failed"),
        ("provider.misconfigured", "authentication_failed"),
        ("provider.turned_away", "quota"),
    ]
    assert {line["log_level"] for line in logged} == {"error"}


async def test_an_outage_is_told_once_not_once_a_mail(manager: ProviderManager, first: ScriptedProvider) -> None:
    first.answer = AWAY

    with structlog.testing.capture_logs() as logged:
        await send(manager, 500)

    assert [(line["event"], line["error"]) for line in logged] == [("provider.turned_away", "connect_failed")]
