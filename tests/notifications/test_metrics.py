"""What the line counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from notifications.entry import DeadLetter
from notifications.facts import RecipientFacts
from notifications.metrics import LineMetrics
from notifications.status import Reason, Status
from tests.notifications.builders import a_draft, an_entry, later


def test_a_claim_counts_what_is_decided_and_not_what_is_being_sent() -> None:
    registry = CollectorRegistry()
    metrics = LineMetrics(registry)
    waits = a_draft()
    waits.park(Reason.RATE, later(seconds=1))
    skipped = a_draft(facts=RecipientFacts(wants_subtype=False))

    metrics.claimed(
        [waits, skipped, skipped, a_draft()], [DeadLetter(entry=an_entry(), reason=Reason.POISON, detail="")]
    )

    def count(status: str, reason: str) -> float | None:
        return registry.get_sample_value("outbound_notifications_total", {"status": status, "reason": reason})

    assert (count("queued", "rate"), count("skipped", "opted_out"), count("sending", "")) == (1, 2, None)
    assert registry.get_sample_value("outbound_dead_letters_total", {"reason": "poison"}) == 1


def test_attempts_are_counted_and_timed_by_provider() -> None:
    registry = CollectorRegistry()
    metrics = LineMetrics(registry)

    metrics.attempted("smtp", "accepted", 0.02)
    metrics.attempted("smtp", "temporary", 4.0)
    metrics.settled(3)
    metrics.reached(Status.ACCEPTED, None)

    sample = registry.get_sample_value
    assert sample("outbound_attempts_total", {"provider": "smtp", "outcome": "temporary"}) == 1
    assert sample("outbound_attempt_duration_seconds_bucket", {"provider": "smtp", "le": "0.025"}) == 1
    assert sample("outbound_attempt_duration_seconds_count", {"provider": "smtp"}) == 2
    assert sample("outbound_entries_settled_total") == 3
    assert sample("outbound_notifications_total", {"status": "accepted", "reason": ""}) == 1


def test_two_workers_in_one_process_do_not_share_their_counts() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    LineMetrics(first).settled(1)
    LineMetrics(second)

    assert second.get_sample_value("outbound_entries_settled_total") == 0
