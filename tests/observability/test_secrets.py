"""No credential, address, name, subject or body is in a log line, a span or a metric, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import Postgres
from tests.line.harness import Line, eventually
from tests.observability.process import Worker, Workers
from tests.wires.otlp import otlp_receiver
from tests.wires.resend import Refuse, ResendWire, resend_wire
from tests.wires.smtp import Answer, Hang, SmtpWire, Step

MARK = "zqx"
"""In everything planted, and in nothing else."""
ADDRESS = f"{MARK}.address@{MARK}.example"
LOGIN = (f"{MARK}-user", f"{MARK}-password")
WORDS = f"{MARK}-subject {MARK}-body {MARK}-name <{ADDRESS}>"
SECRETS = {
    "EMAIL_USERNAME": LOGIN[0],
    "EMAIL_PASSWORD": LOGIN[1],
    "RESEND_API_KEY": f"re_{MARK}_api_key",
    "OUTBOUND_SECRET_KEY": f"{MARK}-secret-key-0123456789-0123456789",
}
BROKEN_TEMPLATE = (
    "insert into tenant_email_templates (tenant_id, name, locale, version, subject, html, text, layout_html,"
    " layout_text, created_by) values ($1, 'ticket-updated-client', 'en', 'v1', '{{ ticket.title }}',"
    " '{{ ticket[ticket.title] }}', 'x', '{% block content %}{% endblock %}', '{% block content %}{% endblock %}',"
    " 'test')"
)
QUOTING_TRIGGER = """
create function outbound.quote_it() returns trigger language plpgsql as
  $$ begin raise exception 'cannot store %', new using detail = new::text, hint = new.recipient; end $$;
create trigger on_claim before insert on outbound.notification_logs
  for each row when (new.event_id = 'breaks-the-claim') execute function outbound.quote_it();
create trigger on_record before update on outbound.notification_logs
  for each row when (new.event_id = 'breaks-the-record') execute function outbound.quote_it()"""


def planted(line: Line, number: str, *, address: str = ADDRESS, **more: Any) -> dict[str, Any]:
    """Return an event whose every word about people and matters is planted."""
    event = line.ticket(
        number, person={"role": "requester", "user_id": f"u-{number}", "email": address, "name": f"{MARK}-name"}, **more
    )
    event["data"] |= {
        "title": f"{MARK}-subject",
        "actor_name": f"{MARK}-name",
        "changes": {"note": {"previous": f"{MARK}-body", "new": f"{MARK}-body"}},
    }
    return event


@asynccontextmanager
async def superuser(postgres: Postgres, database: str) -> AsyncIterator[Any]:
    connection: Any = await asyncpg.connect(f"{postgres.admin_url.rpartition('/')[0]}/{database}")
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


async def the_provider_refuses(line: Line, wire: SmtpWire, resend: ResendWire) -> None:
    """Refusals that quote what they were given: for good, for now, of the login, and of the other provider."""
    await line.publish(planted(line, "T-1"))
    await line.settled(1)
    wire.once(Step.RCPT, Answer(f"550 5.1.1 {WORDS} unknown here"))
    await line.publish(planted(line, "T-2", address=f"{MARK}.other@{MARK}.example"))
    await line.settled(2)
    wire.once(Step.DOT, Answer(f"450 4.2.0 {WORDS} not now"))
    await line.publish(planted(line, "T-3"))
    await line.settled(3)
    wire.drop_all()
    wire.at(Step.AUTH, Answer(f"535 5.7.8 {LOGIN[0]} {LOGIN[1]} refused"))
    resend.once(Refuse(422, "validation_error", message=f"Invalid `to`: {WORDS}"))
    await line.publish(planted(line, "T-4"))
    await line.settled(4)
    wire.heal()


async def the_input_is_bad(line: Line, other: UUID) -> None:
    """A template that quotes its data when it fails, an address that is none, and dead letters."""
    await line.change(BROKEN_TEMPLATE, other, tenant=other)
    await line.publish(planted(line, "T-5", tenant=other), planted(line, "T-6", address=f"{MARK} at {MARK}"))
    wrong = planted(line, "T-7")
    wrong["data"] |= {"title": [f"{MARK}-subject"], "people": f"{MARK}-name"}
    await line.publish(wrong, planted(line, "T-8") | {"type": f"{MARK}.{ADDRESS}"})
    await line.xadd({"data": f'{{"{MARK}-body": "{ADDRESS}'})
    await line.xadd({"data": json.dumps({"specversion": f"{MARK}", "tenantid": f"{MARK}-name"})})
    await line.dead_letters(4)
    await line.settled(6)


async def postgres_is_away(line: Line, worker: Worker, admin: Any, database: str) -> None:
    """The database refuses connections, and lets us in again."""
    await admin.execute(f"alter database {database} with allow_connections false")
    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database)
    await line.publish(planted(line, "T-9"))
    await worker.logged("source.line_waits")
    await admin.execute(f"alter database {database} with allow_connections true")
    await line.settled(7)


async def redis_is_away(line: Line) -> None:
    """Every connection is cut."""
    async with line.redis() as client:
        await client.client_kill_filter(_type="normal", skipme=True)
    await line.publish(planted(line, "T-10"))
    await line.settled(8)


async def storage_breaks(line: Line, worker: Worker, postgres: Postgres, database: str) -> None:
    """Errors nobody foresaw, whose text quotes the row, in the claim and in the record of an outcome."""
    async with superuser(postgres, database) as admin:
        await admin.execute(QUOTING_TRIGGER)
        await line.publish(planted(line, "T-11", id="breaks-the-claim"), planted(line, "T-12", id="breaks-the-record"))
        await worker.logged("source.batch_failed")
        await worker.logged("recorder.group_refused")
        await admin.execute("drop function outbound.quote_it() cascade")
    await line.settled(9)


async def the_provider_hangs(line: Line, wire: SmtpWire) -> None:
    """No answer until the worker is told to stop."""
    wire.at(Step.RCPT, Hang())
    await line.publish(planted(line, "T-13"))

    async def is_hanging() -> bool:
        return wire.steps[-1] is Step.RCPT

    await eventually(is_hanging)


async def test_a_full_run_with_everything_that_can_go_wrong_tells_nobody(
    line: Line, workers: Workers, wire: SmtpWire, resend: ResendWire, postgres: Postgres
) -> None:
    database = line.database.rpartition("/")[2]
    other = await line.add_tenant()
    wire.credentials = LOGIN
    variables = {
        "EMAIL_FALLBACK_PROVIDER": "resend",
        "RESEND_API_URL": resend.base_url,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "OUTBOUND_RETRY_BASE_SECONDS": "0.2",
        "OUTBOUND_DRAIN_SECONDS": "1",
        "OUTBOUND_LOG_LEVEL": "DEBUG",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }

    async with otlp_receiver() as receiver:
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url
        async with workers.running(**SECRETS, **variables) as worker, superuser(postgres, "postgres") as admin:
            await the_provider_refuses(line, wire, resend)
            await the_input_is_bad(line, other)
            await postgres_is_away(line, worker, admin, database)
            await redis_is_away(line)
            await storage_breaks(line, worker, postgres, database)
            _, metrics = await worker.get("/metrics")
            await the_provider_hangs(line, wire)

    trails = [[(step["status"], step["reason"]) for step in row["trail"]] for row in await line.notifications()]
    reached = {step for trail in trails for step in trail}
    assert {("failed", "permanent"), ("failed", "rendering"), ("skipped", "invalid_address")} <= reached
    assert {("queued", "retry"), ("accepted", None)} <= reached
    assert {line["event"] for line in worker.log} >= {
        "notification.rendering_failed",
        "source.line_waits",
        "source.batch_failed",
        "recorder.group_refused",
        "sender.drain_timed_out",
    }
    assert {span.name for span in receiver.spans} >= {"receive outbound:events", "render", "send smtp", "send resend"}
    assert "outbound_dead_letters_total" in metrics
    written = [*worker.output.splitlines(), *metrics.splitlines(), *map(str, receiver.spans), str(receiver.resources)]
    assert [text for text in written if MARK in text.lower()] == []
    passwords = {str(urlsplit(url).password) for url in (line.database, line.redis_url)}
    assert [text for text in written for password in passwords if password in text] == []


@pytest.mark.parametrize(
    "variables",
    [
        {"DATABASE_URL": f"postgresql://outbound:{MARK}#password@127.0.0.1:1/outbound"},
        {"DATABASE_URL": f"postgresql://outbound:{MARK}@127.0.0.1:1/outbound"},
        {"REDIS_URL": f"redis://:{MARK}#password@127.0.0.1:1/0"},
        {"REDIS_URL": f"redis://:{MARK}@127.0.0.1:1/0"},
        {"EMAIL_FROM": f"{MARK} at {MARK}"},
    ],
    ids=lambda variables: "-".join(f"{name}={value}" for name, value in variables.items()),
)
async def test_a_start_that_fails_does_not_say_with_what(workers: Workers, variables: dict[str, str]) -> None:
    async with workers.started(**SECRETS, **variables) as worker:
        worker.exit_code = await worker.process.wait()

    assert worker.exit_code in {1, 2}
    assert worker.output.strip()
    assert MARK not in worker.output.lower()
