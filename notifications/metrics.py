"""What the line counts, under the names the OpenTelemetry mapping would give; made by wiring, never at import."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from notifications.draft import Draft
from notifications.entry import DeadLetter
from notifications.status import Status


class LineMetrics:
    """Counters and gauges of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._settled = Counter(
            "outbound_entries_settled",
            "Stream entries acknowledged after their effects were committed.",
            registry=registry,
        )
        notifications = Counter(
            "outbound_notifications",
            "Notifications by the status they came to and its reason.",
            ["status", "reason"],
            registry=registry,
        )
        self._dead = Counter("outbound_dead_letters", "Entries that led to nothing.", ["reason"], registry=registry)
        attempts = Counter(
            "outbound_attempts", "Attempts by provider and outcome.", ["provider", "outcome"], registry=registry
        )
        seconds = Histogram(
            "outbound_attempt_duration_seconds",
            "Time of one attempt at a provider.",
            ["provider"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
        )
        # Finding the series of some labels costs ten times as much as counting; there are a few dozen of them.
        self._notifications = cache(notifications.labels)
        self._attempts = cache(attempts.labels)
        self._seconds = cache(seconds.labels)
        self.queue_waiting = Gauge("outbound_queue_waiting", "Queue rows nobody owns.", registry=registry)
        self.queue_sending = Gauge("outbound_queue_sending", "Queue rows some worker owns.", registry=registry)
        self.queue_oldest_due_seconds = Gauge(
            "outbound_queue_oldest_due_seconds", "Age of the oldest queue row that is due.", registry=registry
        )
        self.oldest_unacknowledged_seconds = Gauge(
            "outbound_stream_oldest_unacknowledged_seconds",
            "Age of the oldest stream entry this group has not acknowledged.",
            ["stream"],
            registry=registry,
        )
        self.read_ahead = Gauge("outbound_read_ahead_entries", "Entries read and not yet processed.", registry=registry)
        self.provider_paused = Gauge(
            "outbound_provider_paused",
            "1 while a provider in use rests or its breaker is open in this worker, else 0.",
            ["provider"],
            registry=registry,
        )
        self.in_flight = Gauge("outbound_mails_in_hand", "Mails the sender holds.", registry=registry)

    def settled(self, entries: int) -> None:
        """Count acknowledged entries."""
        self._settled.inc(entries)

    def claimed(self, drafts: Sequence[Draft], dead: Sequence[DeadLetter]) -> None:
        """Count what a claim committed, except what is being sent."""
        for drafted in drafts:
            if drafted.status is not None:
                self.reached(drafted.status, drafted.reason)
        for letter in dead:
            self._dead.labels(letter.reason.value).inc()

    def reached(self, status: Status, reason: str | None) -> None:
        """Count a committed status."""
        self._notifications(status.value, reason or "").inc()

    def attempted(self, provider: str, outcome: str, seconds: float) -> None:
        """Count one attempt."""
        self._attempts(provider, outcome).inc()
        self._seconds(provider).observe(seconds)
