"""`outbound why`, and with it the whole way round: published, sent, explained, tailed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.line.harness import Line
from tests.outbound.command import SECRET, Cli, Sql, ticket
from tests.wires.smtp import Answer, SmtpWire, Step, smtp_wire


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
def line(database: str, redis_url: str, wire: SmtpWire) -> Line:
    environment = {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "OUTBOUND_SECRET_KEY": SECRET,
        "EMAIL_ENABLE": "true",
        "EMAIL_PROVIDER": "smtp",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(wire.port),
        "EMAIL_TLS": "none",
        "EMAIL_FROM": "noreply@outbound.example",
        "OUTBOUND_DRAIN_SECONDS": "5",
    }
    return Line(database=database, redis_url=redis_url, environment=environment)


@pytest.fixture
def cli(line: Line) -> Cli:
    return Cli(line.environment)


async def test_a_mail_is_explained_from_its_event_to_its_acceptance(line: Line, cli: Cli, wire: SmtpWire) -> None:
    tenant = (await asyncio.to_thread(cli.json, "tenants", "add", "Wonderland PSA"))["id"]
    event = json.dumps(ticket(tenant, id="evt-1", source="/psa"))

    async with line.worker():
        for _ in range(2):
            await asyncio.to_thread(cli, "publish", "-", stdin=event)
        [notification] = await line.settled(1)
        told = await asyncio.to_thread(cli.ndjson, "tail", "--from-start", "--count", 2)
    found = await asyncio.to_thread(cli.json, "why", "evt-1")
    text = (await asyncio.to_thread(cli, "why", notification["id"])).stdout

    [seen] = found["events"]
    assert (seen["tenant_slug"], seen["source"], seen["outcome"]) == ("wonderland-psa", "/psa", "notifications")
    assert len(seen["repeats"]) == 1
    [explained] = found["notifications"]
    assert explained["id"] == str(notification["id"])
    assert (explained["user_id"], explained["recipient"]) == ("u-1", "alice@example.com")
    assert (explained["status"], explained["gates"]["gate"]) == ("accepted", "passed")
    assert [step["status"] for step in explained["trail"]] == ["sending", "accepted"]
    [attempt] = explained["attempts"]
    assert (attempt["n"], attempt["provider"], attempt["outcome"]) == (1, "smtp", "accepted")
    assert explained["queue"] is None
    assert {event["type"] for event in told} == {"email.accepted.v1", "event.skipped.v1"}
    assert len(wire.accepted) == 1
    for word in ("wonderland-psa", "duplicate", "u-1 <alice@example.com>", "accepted, version 2", "attempt 1", "smtp"):
        assert word in text
    assert "Printer on fire" not in text + json.dumps(found)
    times = re.findall(r"\d{4}-\d\d-\d\dT[0-9:.]+[^\s,\";]*", text + json.dumps(found))
    assert len(times) > 10
    assert [time for time in times if not re.fullmatch(r"[0-9T:-]+\.\d{3}Z", time)] == []


async def test_a_mail_that_waits_says_for_what_and_until_when(line: Line, cli: Cli, wire: SmtpWire) -> None:
    wire.at(Step.MAIL, Answer("451 4.3.0 later"))
    tenant = (await asyncio.to_thread(cli.json, "tenants", "add", "Wonderland PSA"))["id"]

    async with line.worker():
        await asyncio.to_thread(cli, "publish", "-", stdin=json.dumps(ticket(tenant, id="evt-1")))
        await line.deliveries(1)
    found = await asyncio.to_thread(cli.json, "why", "evt-1")
    text = (await asyncio.to_thread(cli, "why", "evt-1")).stdout

    [explained] = found["notifications"]
    assert (explained["status"], explained["reason"]) == ("queued", "retry")
    assert explained["queue"]["owner"] is None
    assert "queue      waits for retry until 20" in text
    assert "451" in text


async def test_a_mail_that_nobody_gets_says_which_gate_stopped_it(line: Line, cli: Cli) -> None:
    tenant = (await asyncio.to_thread(cli.json, "tenants", "add", "Wonderland PSA"))["id"]
    event = ticket(tenant, id="evt-1")
    event["data"]["people"] = [{"role": "requester", "user_id": "u-9"}]

    async with line.worker():
        await asyncio.to_thread(cli, "publish", "-", stdin=json.dumps(event))
        await line.settled(1)
    text = (await asyncio.to_thread(cli, "why", "evt-1")).stdout

    assert "stopped by address: no_address" in text
    assert "skipped (no_address)" in text


def test_a_dead_letter_is_an_answer_too(database: str) -> None:
    Sql(database).dead_letter({"data": '{"title":"Printer on fire"}'}, event_id="evt-\x1b[1m", tenant=uuid4())
    cli = Cli({"DATABASE_URL": database})

    text = cli("why", "evt-\x1b[1m").stdout
    found = cli.json("why", "evt-\x1b[1m")

    assert "unknown_type: type: not in the catalogue" in text
    assert [letter["state"] for letter in found["dead_letters"]] == ["open"]
    assert "Printer on fire" not in text + json.dumps(found)
    assert "\x1b" not in text


@pytest.mark.parametrize("id_", ["evt-404", str(uuid4()), "a\x1bb"])
def test_what_was_never_seen_is_said_so(database: str, id_: str) -> None:
    cli = Cli({"DATABASE_URL": database})

    people, machines = cli("why", id_), cli("why", id_, "--json")

    assert (people.exit_code, people.stdout) == (1, "")
    assert "never seen here" in people.stderr
    assert machines.exit_code == 1
    assert json.loads(machines.stdout) == {"id": id_, "events": [], "dead_letters": [], "notifications": []}


def test_without_postgres_it_says_in_one_line_where_it_looked_and_no_password() -> None:
    result = Cli({"DATABASE_URL": "postgresql://outbound:hidden@127.0.0.1:1/outbound"})("why", "evt-1")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("outbound: Postgres at 127.0.0.1:1: ConnectionRefusedError")
    assert "hidden" not in result.stderr


def test_no_id_is_wrong_usage() -> None:
    assert Cli({"DATABASE_URL": "postgresql://nowhere"})("why", " ").exit_code == 2
