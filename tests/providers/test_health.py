"""What outcomes say about a provider, about one domain at it, and about its account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from providers.health import Health, Pause, PauseReason
from providers.receipt import Outcome, SendReceipt
from tests.providers.messages import TENANT
from tests.providers.scripted import DOMAIN, NOW

OTHER = "other.example.com"
REFUSED: dict[str, Any] = {"outcome": Outcome.MISCONFIGURED, "error": "sender_refused"}
AWAY: dict[str, Any] = {"outcome": Outcome.NOT_SENT, "error": "connect_failed"}
GOOD: dict[str, Any] = {"outcome": Outcome.ACCEPTED}


def later(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def learn(health: Health, answer: dict[str, Any], *, times: int = 1, domain: str = DOMAIN, at: float = 0) -> list[bool]:
    """Let attempts from a domain be answered so; return what each of them opened."""
    opened: list[bool] = []
    for _ in range(times):
        health.started(domain, later(at))
        receipt = SendReceipt(provider="smtp", timestamp=later(at), tenant_id=TENANT, from_domain=domain, **answer)
        opened.append(health.record(receipt, later(at)))
    return opened


def quota(seconds: float | None = None) -> dict[str, Any]:
    return {
        "outcome": Outcome.NOT_SENT,
        "error": "quota",
        "retry_after": None if seconds is None else timedelta(seconds=seconds),
    }


def throttled(seconds: float) -> dict[str, Any]:
    return {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=seconds)}


@pytest.fixture
def health() -> Health:
    return Health(threshold=5, pause=timedelta(seconds=30))


@pytest.mark.parametrize("answer", [AWAY, {"outcome": Outcome.MISCONFIGURED, "error": "authentication_failed"}])
def test_five_failures_turn_every_domain_away(health: Health, answer: dict[str, Any]) -> None:
    assert learn(health, answer, times=5) == [False] * 4 + [True]

    for domain in (DOMAIN, OTHER):
        assert health.pause(domain, NOW) == Pause(later(30), PauseReason.BREAKER)
        assert health.pause(domain, later(30)) is None


def test_a_refused_domain_turns_away_only_itself(health: Health) -> None:
    assert learn(health, REFUSED, times=5) == [False] * 4 + [True]

    assert health.pause(DOMAIN, NOW) == Pause(later(30), PauseReason.BREAKER)
    assert health.pause(OTHER, NOW) is None
    learn(health, GOOD, domain=OTHER, at=1)
    assert health.pause(DOMAIN, later(1)) is not None


def test_a_domain_that_is_accepted_again_is_forgotten(health: Health) -> None:
    learn(health, REFUSED, times=5)

    learn(health, GOOD, at=30)

    assert health.pause(DOMAIN, later(30)) is None
    assert learn(health, REFUSED, times=4, at=31) == [False] * 4


def test_a_probe_of_a_domain_that_met_a_dead_connection_proves_nothing_about_the_domain(health: Health) -> None:
    learn(health, REFUSED, times=5)

    learn(health, AWAY, at=30)

    assert health.pause(DOMAIN, later(30)) is None


def test_the_longer_of_two_breakers_is_told(health: Health) -> None:
    learn(health, REFUSED, times=5)
    learn(health, AWAY, times=5, domain=OTHER, at=10)

    assert health.pause(DOMAIN, later(10)) == Pause(later(40), PauseReason.BREAKER)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.PERMANENT, Outcome.TEMPORARY])
def test_whatever_it_thinks_of_the_mail_a_provider_that_answers_works(health: Health, outcome: Outcome) -> None:
    learn(health, {"outcome": outcome}, times=5)

    assert learn(health, AWAY, times=5) == [False] * 4 + [True]
    learn(health, {"outcome": outcome}, at=30)
    assert health.pause(DOMAIN, later(30)) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": Outcome.UNKNOWN, "error": "lost"},
        {"outcome": Outcome.THROTTLED, "error": "rate"},
        {"outcome": Outcome.NOT_SENT, "error": "not_begun"},
        {"outcome": Outcome.NOT_SENT, "error": "paused", "retry_after": timedelta(seconds=9)},
        {"outcome": Outcome.THROTTLED, "error": "paused", "retry_after": timedelta(seconds=9)},
    ],
)
def test_what_proves_nothing_neither_opens_nor_closes(health: Health, answer: dict[str, Any]) -> None:
    assert not any(learn(health, answer, times=20))
    assert health.pause(DOMAIN, NOW) is None

    learn(health, AWAY, times=5)
    learn(health, answer, at=30)
    assert health.pause(DOMAIN, later(30)) is None  # the next one is the probe
    assert learn(health, AWAY, at=30) == [True]


def test_a_rate_is_waited_for_and_not_gone_around(health: Health) -> None:
    assert learn(health, throttled(2)) == [False]

    pause = health.pause(OTHER, NOW)
    assert pause == Pause(later(2), PauseReason.THROTTLED)
    assert not pause.may_go_elsewhere
    assert health.pause(OTHER, later(2)) is None


@pytest.mark.parametrize(("seconds", "until"), [(7200, 7200), (None, 3600)])
def test_a_quota_leads_elsewhere_until_it_is_there_again(health: Health, seconds: float | None, until: float) -> None:
    assert learn(health, quota(seconds)) == [True]

    pause = health.pause(OTHER, NOW)
    assert pause == Pause(later(until), PauseReason.QUOTA)
    assert pause.may_go_elsewhere
    assert health.pause(OTHER, later(until)) is None


@pytest.mark.parametrize("answers", [(throttled(9000), quota(60)), (quota(60), throttled(9000))])
def test_a_quota_beats_a_rate_whichever_came_first(health: Health, answers: tuple[dict[str, Any], ...]) -> None:
    for answer in answers:
        learn(health, answer)

    assert health.pause(DOMAIN, NOW) == Pause(later(60), PauseReason.QUOTA)


@pytest.mark.parametrize("answers", [(throttled(2), throttled(9)), (throttled(9), throttled(2))])
def test_of_two_rests_the_later_end_counts(health: Health, answers: tuple[dict[str, Any], ...]) -> None:
    for answer in answers:
        learn(health, answer)

    assert health.pause(DOMAIN, NOW) == Pause(later(9), PauseReason.THROTTLED)


def test_a_rest_that_is_over_does_not_outweigh_a_new_one(health: Health) -> None:
    learn(health, quota(60))

    learn(health, throttled(2), at=60)

    assert health.pause(DOMAIN, later(60)) == Pause(later(62), PauseReason.THROTTLED)


def test_a_breaker_leads_elsewhere_also_while_a_rate_is_waited_for(health: Health) -> None:
    learn(health, throttled(9))
    learn(health, AWAY, times=5)

    assert health.pause(DOMAIN, NOW) == Pause(later(30), PauseReason.BREAKER)


def test_a_quota_says_nothing_about_the_connection(health: Health) -> None:
    learn(health, AWAY, times=4)

    learn(health, quota(1), times=10)

    assert health.pause(DOMAIN, later(1)) is None
