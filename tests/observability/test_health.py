"""A real worker's probes and metrics: what an orchestrator and a scraper see."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from outbound.dev.servers import start_valkey
from tests.conftest import Postgres
from tests.line.harness import Line, eventually
from tests.observability.process import Worker, Workers
from tests.wires.smtp import Hang, SmtpWire, Step

COUNTERS = {"outbound_entries_settled", "outbound_notifications", "outbound_dead_letters", "outbound_attempts"}
GAUGES = {
    "outbound_queue_waiting",
    "outbound_queue_sending",
    "outbound_queue_oldest_due_seconds",
    "outbound_stream_oldest_unacknowledged_seconds",
    "outbound_read_ahead_entries",
    "outbound_mails_in_hand",
    "outbound_provider_paused",
}


async def metrics(worker: Worker) -> dict[str, Any]:
    """Scrape as Prometheus does. The parser of this form refuses what `promtool check metrics` would complain of."""
    status, text = await worker.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Any], name: str, **labels: str) -> float:
    """Return a sample; 0 where there is none."""
    samples = [sample for family in families.values() for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


async def test_the_metrics_count_what_a_run_did(line: Line, workers: Workers) -> None:
    await line.change(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, is_enabled)"
        " values ($1, 'u-2', 'category', 'tickets', false)",
        line.tenant,
    )
    opted_out = {"role": "requester", "user_id": "u-2", "email": "bob@example.com"}

    async with workers.running() as worker:
        await line.publish(line.ticket("T-1"), line.ticket("T-2"), line.ticket("T-3", person=opted_out))
        await line.xadd({"data": "not json"})
        await line.settled(3)
        await line.deliveries(4)

        async def counted() -> dict[str, Any] | None:
            found = await metrics(worker)
            return found if value(found, "outbound_entries_settled_total") == 4 else None

        families = await eventually(counted)

    assert set(families) == COUNTERS | GAUGES | {"outbound_attempt_duration_seconds"}
    assert [name for name, family in families.items() if not family.documentation.endswith(".")] == []
    assert {name for name, family in families.items() if family.type == "counter"} == COUNTERS
    assert {name for name, family in families.items() if family.type == "gauge"} == GAUGES
    assert value(families, "outbound_notifications_total") == 3
    assert value(families, "outbound_notifications_total", status="accepted", reason="") == 2
    assert value(families, "outbound_notifications_total", status="skipped", reason="opted_out") == 1
    assert value(families, "outbound_dead_letters_total", reason="undecodable") == 1
    assert value(families, "outbound_attempts_total", provider="smtp", outcome="accepted") == 2
    assert value(families, "outbound_attempt_duration_seconds_count", provider="smtp") == 2
    assert value(families, "outbound_mails_in_hand") == 0
    assert value(families, "outbound_read_ahead_entries") == 0


async def test_a_worker_whose_postgres_is_away_lives_but_is_not_ready_and_recovers(
    line: Line, workers: Workers, postgres: Postgres
) -> None:
    name = line.database.rpartition("/")[2]
    admin: Any = await asyncpg.connect(postgres.admin_url)

    async with workers.running() as worker:
        await admin.execute(f"alter database {name} with allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        checks = await worker.is_ready(503)
        live, _ = await worker.get("/livez")
        await admin.execute(f"alter database {name} with allow_connections true")
        recovered = await worker.is_ready()
    await admin.close()

    assert checks["postgres"] == "away"
    assert live == 200
    assert set(recovered.values()) == {"ok"}


async def test_a_worker_whose_redis_is_away_lives_but_is_not_ready(
    line: Line, workers: Workers, tmp_path: Path
) -> None:
    with start_valkey(tmp_path / "valkey", durable=False) as redis:
        async with workers.running(REDIS_URL=redis.url) as worker:
            redis.stop()
            checks = await worker.is_ready(503)
            live, _ = await worker.get("/livez")

    assert (checks["postgres"], checks["redis"]) == ("ok", "away")
    assert live == 200
    assert worker.exit_code == 0


async def test_a_worker_that_drains_is_not_ready_until_it_ends(line: Line, workers: Workers, wire: SmtpWire) -> None:
    wire.at(Step.RCPT, Hang())

    async with workers.running(OUTBOUND_DRAIN_SECONDS="3") as worker:
        await line.publish(line.ticket())

        async def is_hanging() -> bool:
            return Step.RCPT in wire.steps

        await eventually(is_hanging)
        worker.process.send_signal(signal.SIGTERM)
        checks = await worker.is_ready(503)
        live, _ = await worker.get("/livez")

    assert checks["worker"] == "draining"
    assert live == 200
    assert worker.exit_code == 0
