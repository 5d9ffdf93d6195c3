"""The truth table of failover, written by hand: what follows from each answer, in each situation.

`python -m tests.notifications.test_failover_table` prints it as Markdown, with how many situations each row was run in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from consumers.recorder import Recorder
from notifications.after import RetryPolicy
from notifications.categories import UncertainPolicy
from notifications.content import Enclosed, FileRef
from notifications.facts import TenantEmail
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted
from notifications.routing import Routing
from notifications.sender_address import SenderPolicy
from notifications.transition import Opens, Parks, Transition
from providers.choice import Choice
from providers.health import Pause, PauseReason
from providers.manager import ProviderManager
from providers.receipt import NOT_BEGUN, PAUSED, QUOTA, Outcome
from tests.notifications.builders import NOW, RENDERED, a_mail, a_receipt, a_tenant, later
from tests.providers.scripted import Clock, ScriptedProvider

COLUMNS = ("answer here", "repeat is safe", "pinned", "moved before", "the other provider", "its From", "policy")
VALUES = (
    [
        "accepted",
        "not_sent",
        "temporary",
        "throttled",
        "recipient",
        "permanent",
        "misconfigured",
        "unknown",
        "quota",
        "breaker",
        "rate",
        "not_begun",
    ],
    ["yes", "no"],
    ["yes", "no"],
    ["yes", "no"],
    ["same From", "other From", "rests", "may not", "cannot"],
    ["changes", "stays"],
    ["at least once", "at most once"],
)
"""`breaker` and `rate` are attempts that were not made: here nothing is asked, or the account has no attempt free."""

ANY = "any"
TABLE = """
accepted                 | any | any | any | any             | any     | any           | accepted
temporary                | any | any | any | any             | any     | any           | retried here
throttled / rate         | any | any | any | any             | any     | any           | waits for the rate
recipient                | any | no  | any | any             | any     | any           | bounced
permanent                | any | no  | any | any             | any     | any           | failed: permanent
recipient / permanent    | any | yes | any | any             | any     | any           | failed: unconfirmed
not_begun                | any | any | any | any             | any     | any           | handed back
unknown                  | yes | any | any | any             | any     | any           | repeated here, same key
unknown                  | no  | any | any | any             | any     | at least once | uncertain, repeated here
unknown                  | no  | any | any | any             | any     | at most once  | failed: unconfirmed
not_sent / misconfigured | any | yes | any | any             | any     | any           | retried here
not_sent / misconfigured | any | no  | yes | any             | any     | any           | retried here
not_sent / misconfigured | any | no  | no  | same From       | any     | any           | goes on, same From
not_sent / misconfigured | any | no  | no  | other From      | changes | any           | goes on, new From
not_sent / misconfigured | any | no  | no  | other From      | stays   | any           | retried here
not_sent / misconfigured | any | no  | no  | rests / may not / cannot | any     | any           | retried here
quota                    | any | yes | any | any             | any     | any           | waits for the quota
quota                    | any | no  | yes | any             | any     | any           | waits for the quota
quota                    | any | no  | no  | same From       | any     | any           | goes on, same From
quota                    | any | no  | no  | other From      | changes | any           | goes on, new From
quota                    | any | no  | no  | other From      | stays   | any           | waits for the quota
quota                    | any | no  | no  | rests / may not / cannot | any     | any           | waits for the quota
breaker                  | any | yes | any | any             | any     | any           | waits for the breaker
breaker                  | any | no  | yes | any             | any     | any           | waits for the breaker
breaker                  | any | no  | no  | same From       | any     | any           | goes on untried, same From
breaker                  | any | no  | no  | other From      | changes | any           | goes on untried, new From
breaker                  | any | no  | no  | other From      | stays   | any           | waits for the breaker
breaker                  | any | no  | no  | rests / may not / cannot | any     | any           | waits for the breaker
"""


@dataclass(frozen=True)
class Then:
    """What a word of the last column is in the database.

    `place`: gone from the queue, back in it, or opened at the other provider. `is_counted`: whether the attempt enters
    the ledger. `pins`: whether the row may from now on go nowhere else; without that it stays as it was.
    """

    status: str
    reason: str | None
    place: str = "gone"
    domain: str | None = None
    is_counted: bool = True
    pins: bool = False


OWN, PLATFORM = "acme.mail.example", "outbound.example"
WORDS = {
    "accepted": Then("accepted", None),
    "bounced": Then("bounced", "hard_bounce"),
    "failed: permanent": Then("failed", "permanent"),
    "failed: unconfirmed": Then("failed", "unconfirmed"),
    "retried here": Then("queued", "retry", "waits"),
    "repeated here, same key": Then("queued", "retry", "waits", pins=True),
    "uncertain, repeated here": Then("uncertain", "unconfirmed", "waits", pins=True),
    "waits for the rate": Then("queued", "throttled", "waits", is_counted=False),
    "waits for the quota": Then("queued", "breaker", "waits"),
    "waits for the breaker": Then("queued", "breaker", "waits", is_counted=False),
    "handed back": Then("queued", "handed_back", "waits", is_counted=False),
    "goes on, same From": Then("sending", None, "opened", OWN),
    "goes on, new From": Then("sending", None, "opened", PLATFORM),
    "goes on untried, same From": Then("sending", None, "opened", OWN, is_counted=False),
    "goes on untried, new From": Then("sending", None, "opened", PLATFORM, is_counted=False),
}
RECEIPTS: dict[str, tuple[Outcome, dict[str, Any]]] = {
    "accepted": (Outcome.ACCEPTED, {}),
    "not_sent": (Outcome.NOT_SENT, {"error": "connect_failed"}),
    "temporary": (Outcome.TEMPORARY, {"error": "greylisted"}),
    "throttled": (Outcome.THROTTLED, {"error": "rate_limit_exceeded", "retry_after": timedelta(seconds=2)}),
    "recipient": (Outcome.PERMANENT, {"error": "mailbox_unavailable", "recipient_refused": True}),
    "permanent": (Outcome.PERMANENT, {"error": "content_refused"}),
    "misconfigured": (Outcome.MISCONFIGURED, {"error": "authentication_failed"}),
    "unknown": (Outcome.UNKNOWN, {"error": "lost"}),
    "quota": (Outcome.NOT_SENT, {"error": QUOTA, "retry_after": timedelta(hours=2)}),
    "breaker": (Outcome.NOT_SENT, {"error": PAUSED, "retry_after": timedelta(seconds=20)}),
    "rate": (Outcome.THROTTLED, {"error": PAUSED, "retry_after": timedelta(seconds=2)}),
    "not_begun": (Outcome.NOT_SENT, {"error": NOT_BEGUN}),
}
DOMAINS = {
    "same From": frozenset[str](),
    "other From": frozenset({PLATFORM}),
    "rests": frozenset[str](),
    "may not": frozenset({"elsewhere.example"}),
    "cannot": frozenset[str](),
}
"""From which domains the other provider may send; one that `cannot` has no way to carry the file of the mail."""
FILE = FileRef(filename="a.pdf", content_type="application/pdf", cid=None, sha256="00" * 32)

Situation = tuple[str, ...]
SITUATIONS: list[Situation] = list(product(*VALUES))
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines()]


def matching(situation: Situation) -> list[Situation]:
    """Return the rows that speak of a situation."""
    return [
        row
        for row in ROWS
        if all(cell == ANY or value in cell.split(" / ") for cell, value in zip(row[:-1], situation, strict=True))
    ]


def change_of(situation: Situation, *, is_switched: bool) -> Transition:
    """Let the recorder decide about an attempt; `is_switched`: meanwhile the other provider is the first one."""
    answer, is_safe, pinned, moved, other, its_from, policy = situation
    here, there = ("resend", "smtp") if is_safe == "yes" else ("smtp", "resend")
    providers = ProviderManager(
        {
            here: ScriptedProvider(here, idempotent=is_safe == "yes"),
            there: ScriptedProvider(there, idempotent=is_safe == "no", domains=DOMAINS[other]),
        },
        Choice(there, here) if is_switched else Choice(here, there),
        now=Clock(),
    )
    if other == "rests":
        providers.share({there: Pause(later(hours=2), PauseReason.QUOTA)})
    mail = a_mail(
        provider=here,
        mail_from=f"noreply@{OWN}",
        is_pinned=pinned == "yes",
        tries=1,
        tried_at=frozenset({there if moved == "yes" else here}),
        content=replace(RENDERED, enclosed=Enclosed(files=(FILE,) if other == "cannot" else ())),
        uncertain_policy=UncertainPolicy(policy.replace(" ", "_")),
        tenant=a_tenant(email=TenantEmail(keeps_from=its_from == "stays")),
    )
    outcome, more = RECEIPTS[answer]
    receipt = a_receipt(outcome, provider=here, from_domain=OWN, **more)
    return _recorder(providers)._change(Attempted(mail=mail, receipt=receipt, started_at=NOW, finished_at=NOW))


def _recorder(providers: ProviderManager) -> Recorder:
    nowhere: Any = None
    identity: Any = SimpleNamespace(worker=SimpleNamespace(name="worker-1"))
    policy = SenderPolicy(email_from=f"noreply@{PLATFORM}", tenant_subdomain_pattern="{tenant}.mail.example")
    return Recorder(
        transitions=nowhere,
        identity=identity,
        routing=Routing(policy=policy, providers=providers),
        retry=RetryPolicy(),
        metrics=METRICS,
        clock=lambda: NOW,
        drain_seconds=0,
    )


METRICS = LineMetrics(CollectorRegistry())


def seen(situation: Situation, change: Transition) -> tuple[object, ...]:
    """Return what became of it, in the order of `expected`."""
    here = "resend" if situation[1] == "yes" else "smtp"
    queue = change.queue
    place, domain, is_pinned = "gone", None, None
    if isinstance(queue, Parks):
        place, is_pinned = "waits", queue.is_pinned
    if isinstance(queue, Opens):
        place, domain = "opened" if queue.provider != here else "opened here", queue.mail_from.rpartition("@")[2]
    reason = change.reason.value if change.reason else None
    return change.status.value, reason, place, domain, change.attempt is not None, is_pinned, change.suppresses


def expected(situation: Situation, word: str) -> tuple[object, ...]:
    then = WORDS[word]
    is_pinned = (then.pins or situation[2] == "yes") if then.place == "waits" else None
    return (
        then.status,
        then.reason,
        then.place,
        then.domain,
        then.is_counted,
        is_pinned,
        situation[0] == "recipient",
    )


def disagreements(answer: str) -> list[tuple[Situation, tuple[object, ...], tuple[object, ...]]]:
    """Run every situation with this answer and return those in which it is not as the table says."""
    found: list[tuple[Situation, tuple[object, ...], tuple[object, ...]]] = []
    for situation in (one for one in SITUATIONS if one[0] == answer):
        [row] = matching(situation)
        for is_switched in (False, True):
            was = seen(situation, change_of(situation, is_switched=is_switched))
            if was != expected(situation, row[-1]):
                found.append((situation, was, expected(situation, row[-1])))
    return found


def test_every_situation_is_in_exactly_one_row() -> None:
    rows = Counter(len(matching(situation)) for situation in SITUATIONS)

    assert rows == {1: len(SITUATIONS)}
    assert {row for situation in SITUATIONS for row in matching(situation)} == set(ROWS)
    assert {row[-1] for row in ROWS} == set(WORDS)


def test_every_outcome_has_a_row() -> None:
    assert {outcome for outcome, _ in RECEIPTS.values()} == set(Outcome)
    assert set(RECEIPTS) == set(VALUES[0])


@pytest.mark.parametrize("answer", VALUES[0])
async def test_what_follows_is_what_the_table_says_also_after_the_operator_switched(answer: str) -> None:
    assert disagreements(answer) == []


async def test_what_is_in_doubt_pinned_or_moved_before_goes_nowhere_else() -> None:
    bound = [one for one in SITUATIONS if one[0] == "unknown" or one[2] == "yes" or one[3] == "yes"]

    for situation in bound:
        for is_switched in (False, True):
            assert not isinstance(change_of(situation, is_switched=is_switched).queue, Opens), situation


def main() -> None:
    """Print the table, each row with how many situations it was run in; fail where one came out otherwise."""
    wrong = [line for answer in VALUES[0] for line in disagreements(answer)]
    counts = Counter(matching(situation)[0] for situation in SITUATIONS)
    heads = [*COLUMNS, "what happens", "situations"]
    rows = [[*("" if cell == ANY else cell for cell in row), str(counts[row])] for row in ROWS]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]
    end = f"{len(SITUATIONS)} situations, each before and after a switch: {len(wrong)} differ"
    print("\n".join([*lines, "", end]))  # noqa: T201 - the table is the result
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
