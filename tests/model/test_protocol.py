"""The row protocol keeps its promises in every reachable state, and each of its rules is needed for that."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import fields
from functools import cache

import pytest

from tests.model.protocol import BUDGETS, Broken, Exploration, broken_promise, explore, what_matters, without
from tests.model.state import Budget, Provider, Rules, Setting, State, first_states
from tests.model.steps import steps

SMALL = {
    "a kill, a zombie, a failure": (Budget(lost_replies=0, webhooks=0), 3_000),
    "a kill, a lost reply, a refusal, a webhook": (Budget(pauses=0, failures=0, refusals=1), 250),
    "a zombie, a lost reply, a failure, a webhook": (Budget(kills=0), 4_000),
    "a zombie, a failure, another Redis": (Budget(kills=0, redis_losses=1, lost_replies=0, webhooks=0), 15_000),
    "a kill, a lost reply, another Redis": (Budget(pauses=0, redis_losses=1, failures=0, webhooks=0), 4_000),
}
LARGE = {
    "a kill, a zombie, and everything but Redis": (Budget(refusals=1), 50_000),
    "two kills, a zombie, a lost reply, a failure, a webhook": (Budget(kills=2), 100_000),
    "a kill, a zombie, a failure, another Redis": (Budget(redis_losses=1, lost_replies=0, webhooks=0), 80_000),
}
BUDGET_OF_CI = SMALL if os.environ.get("OUTBOUND_MODEL_BUDGET") != "large" else SMALL | LARGE
TINY = {
    "a kill, a failure": Budget(pauses=0, lost_replies=0, webhooks=0),
    "a zombie, a lost reply": Budget(kills=0, failures=0),
    "another Redis": Budget(kills=0, pauses=0, redis_losses=1, failures=0, webhooks=0),
}
NEEDED = [field.name for field in fields(Rules) if field.name != "heartbeat"]

both_primaries = pytest.mark.parametrize("primary", list(Provider))


@cache
def search_without(rule: str, primary: Provider) -> Exploration:
    return explore(Setting(primary=primary, budget=BUDGETS.get(rule, Budget()), rules=without(rule)))


@both_primaries
@pytest.mark.parametrize(("budget", "at_least"), list(BUDGET_OF_CI.values()), ids=list(BUDGET_OF_CI))
def test_nothing_is_lost_doubled_or_untrue(primary: Provider, budget: Budget, at_least: int) -> None:
    found = explore(Setting(primary=primary, budget=budget))

    assert (found.broken, found.path) == (None, ())
    assert found.states > at_least


@both_primaries
def test_safety_does_not_rest_on_the_heartbeat_being_looked_at(primary: Provider) -> None:
    found = explore(Setting(primary=primary, budget=Budget(kills=0), rules=without("heartbeat")))

    assert (found.broken, found.path) == (None, ())


@both_primaries
@pytest.mark.parametrize("rule", NEEDED)
def test_each_rule_is_needed(rule: str, primary: Provider) -> None:
    found = search_without(rule, primary)

    assert found.broken is not None, f"{rule} could be left out"


def test_a_mark_after_adoption_doubles_the_mail() -> None:
    found = search_without("adoption_closes", Provider.SMTP)

    assert found.broken is Broken.DOUBLE
    assert found.path == (
        "A starts the attempt",
        "A is declared dead alive",
        "adoption reads the marks",
        "A marks",
        "smtp accepts A's mail",
        "adoption: never begun",
        "B takes the row",
        "B opens the attempt",
        "B starts the attempt",
        "B marks",
        "smtp accepts B's mail",
    )


def test_a_mark_after_adoption_doubles_the_mail_of_a_fallback_too() -> None:
    found = search_without("adoption_closes", Provider.RESEND)

    assert found.broken is Broken.DOUBLE
    assert found.path[:3] == ("A starts the attempt", "A cannot reach resend", "A fails over to smtp")
    assert found.path[3:] == search_without("adoption_closes", Provider.SMTP).path


@both_primaries
def test_without_the_pin_a_lost_reply_leads_to_both_providers(primary: Provider) -> None:
    found = search_without("pins", primary)

    expected = {
        Provider.SMTP: (
            "A starts the attempt",
            "A marks",
            "smtp accepts A's mail, reply lost",
            "A records uncertain",
            "B takes the row",
            "B opens: in doubt, at least once",
            "B starts the attempt",
            "B marks",
            "B cannot reach smtp",
            "B fails over to resend",
            "B starts the attempt",
            "resend accepts B's mail",
        ),
        Provider.RESEND: (
            "A starts the attempt",
            "resend accepts A's mail, reply lost",
            "A records unknown",
            "A takes the row",
            "A opens the attempt",
            "A starts the attempt",
            "A cannot reach resend",
            "A fails over to smtp",
            "A starts the attempt",
            "A marks",
            "smtp accepts A's mail",
        ),
    }
    assert found.broken is Broken.TWO_PROVIDERS
    assert found.path == expected[primary]


@both_primaries
def test_a_loop_inside_send_leads_to_both_providers(primary: Provider) -> None:
    found = search_without("one_attempt", primary)

    expected = {
        Provider.SMTP: (
            "A starts the attempt",
            "A marks",
            "A cannot reach smtp",
            "A goes on to resend inside send",
            "resend accepts A's mail, reply lost",
            "A records unknown",
            "A takes the row",
            "A opens the attempt",
            "A starts the attempt",
            "A marks",
            "smtp accepts A's mail",
        ),
        Provider.RESEND: (
            "A starts the attempt",
            "A cannot reach resend",
            "A goes on to smtp inside send",
            "A marks",
            "smtp accepts A's mail, reply lost",
            "A records uncertain",
            "B takes the row",
            "B opens: in doubt, at least once",
            "B starts the attempt",
            "resend accepts B's mail",
        ),
    }
    assert found.broken is Broken.TWO_PROVIDERS
    assert found.path == expected[primary]


@pytest.mark.parametrize("rule", ["adoption_closes", "pins", "one_attempt"])
def test_the_counterexample_is_the_shortest_also_where_no_states_are_merged(rule: str) -> None:
    setting = Setting(primary=Provider.SMTP, budget=Budget(kills=0, webhooks=0), rules=without(rule))

    assert len(explore(setting).path) == len(explore(setting, same_if=lambda state: state).path)


@both_primaries
@pytest.mark.parametrize("budget", list(TINY.values()), ids=list(TINY))
def test_states_that_are_merged_go_the_same_ways(primary: Provider, budget: Budget) -> None:
    setting = Setting(primary=primary, budget=budget, max_attempts=2)
    ways: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
    states = reachable(setting)
    for state in states:
        following = frozenset(what_matters(after) for _, after in steps(state, setting))
        ways[what_matters(state)].add((following, broken_promise(state, dead_end=not following)))

    assert len(ways) < len(states)
    assert {len(different) for different in ways.values()} == {1}


def reachable(setting: Setting) -> set[State]:
    found = set(first_states(setting))
    waiting = deque(found)
    while waiting:
        for _, state in steps(waiting.popleft(), setting):
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found
