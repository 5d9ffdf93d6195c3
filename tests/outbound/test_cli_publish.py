"""`outbound publish`: all or nothing, and safe to repeat."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from outbound.cli.app import COMMANDS
from tests.outbound.command import Cli, ticket

TENANT = uuid4()
EVENTS = "outbound:events"
URGENT = "outbound:events:urgent"


@pytest.fixture
def cli(redis_url: str) -> Cli:
    return Cli({"REDIS_URL": redis_url})


def entries(url: str, stream: str = EVENTS) -> list[Any]:
    with redis.Redis.from_url(url) as client:
        return [json.loads(fields[b"data"]) for _, fields in client.xrange(stream)]


def test_an_event_is_published_with_what_it_left_out(cli: Cli, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(ticket(TENANT), indent=2))

    result = cli("publish", file)

    assert (result.exit_code, result.stdout) == (0, "1 event published to outbound:events\n")
    [event] = entries(redis_url)
    assert event["specversion"] == "1.0"
    assert event["source"] == "/outbound/publish"
    assert len(event["id"]) == 64
    assert event["time"]
    assert event["data"]["people"][0]["email"] == "alice@example.com"


def test_what_an_event_says_itself_is_kept(cli: Cli, redis_url: str) -> None:
    event = ticket(TENANT, id="evt-1", source="/psa", time="2026-11-24T02:00:00Z", traceparent="00-x", unknown="kept")

    [published] = cli.ndjson("publish", "-", stdin=json.dumps(event))

    assert entries(redis_url) == [event | {"specversion": "1.0"}]
    assert (published["id"], published["source"], published["stream"]) == ("evt-1", "/psa", EVENTS)


def test_publishing_a_file_again_gives_its_events_the_same_ids(cli: Cli, redis_url: str) -> None:
    for _ in range(2):
        cli.json("publish", "-", stdin=json.dumps(ticket(TENANT)))

    first, second = entries(redis_url)
    assert (first["source"], first["id"]) == (second["source"], second["id"])


def test_events_without_an_id_differ_by_their_content(cli: Cli, redis_url: str) -> None:
    lines = [json.dumps(ticket(TENANT, subject=f"ticket/{n}")) for n in (1, 2)]

    assert cli("publish", "-", stdin="\n".join(lines)).exit_code == 0

    assert len({event["id"] for event in entries(redis_url)}) == 2


def test_more_than_one_pipeline_of_lines_arrives_in_order(cli: Cli, redis_url: str) -> None:
    lines = "\n".join(json.dumps(ticket(TENANT, id=str(n))) for n in range(1201))

    published = cli.ndjson("publish", "-", stdin=lines)

    assert [event["id"] for event in entries(redis_url)] == [str(n) for n in range(1201)]
    assert [event["id"] for event in published] == [str(n) for n in range(1201)]
    assert len({event["entry_id"] for event in published}) == 1201


def test_an_array_is_as_good_as_lines(cli: Cli, redis_url: str) -> None:
    assert cli("publish", "-", stdin=json.dumps([ticket(TENANT, id="a"), ticket(TENANT, id="b")])).exit_code == 0

    assert [event["id"] for event in entries(redis_url)] == ["a", "b"]


def test_authentication_mail_goes_to_the_urgent_stream(cli: Cli, redis_url: str) -> None:
    verified = {
        "type": "user.verified.v1",
        "tenantid": str(TENANT),
        "data": {"user_id": "u-1", "email": "alice@example.com"},
    }
    lines = f"{json.dumps(verified)}\n{json.dumps(ticket(TENANT))}\n"

    result = cli("publish", "-", stdin=lines)

    assert result.stdout == f"1 event published to {URGENT}\n1 event published to {EVENTS}\n"
    assert [event["type"] for event in entries(redis_url, URGENT)] == ["user.verified.v1"]
    assert [event["type"] for event in entries(redis_url)] == ["ticket.updated.v1"]


def test_a_named_stream_takes_everything(cli: Cli, redis_url: str) -> None:
    assert cli("publish", "-", "--stream", "elsewhere", stdin=json.dumps(ticket(TENANT))).exit_code == 0

    assert len(entries(redis_url, "elsewhere")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: there is no event in it"),
        ("{", "line 1: not JSON: EOF while parsing an object at line 1 column 1"),
        ('{\n "type": 1,\n}', "line 3: not JSON: trailing comma at line 3 column 1"),
        ("[7]", "item 1: not a JSON object"),
        ('{"type":"ticket.updated.v1"}', "line 1: missing_tenant: tenantid: Field required"),
        (
            f'{{"type":"x.y.v1","tenantid":"{TENANT}"}}',
            "line 1: unknown_type: type: not in the catalogue, see schemas/: ticket.created.v1, ",
        ),
        ('{"specversion":"0.3"}', "line 1: unsupported_specversion: specversion: Input should be '1.0'"),
        (
            json.dumps(ticket(TENANT, time="yesterday")),
            "line 1: invalid_envelope: time: Input should be a valid datetime",
        ),
        (json.dumps(ticket(TENANT, data={"ticket_id": "T-1"})), "line 1: invalid_data: data.title: Field required"),
        (json.dumps(ticket(TENANT, blob="x" * 1_100_000)), "line 1: too_large: "),
        (json.dumps(ticket(TENANT, id="a\0b")), "line 1: undecodable: data: NUL characters"),
    ],
)
def test_what_the_service_could_not_read_is_refused_with_its_reason(
    cli: Cli, redis_url: str, text: str, said: str
) -> None:
    result = cli("publish", "-", stdin=text)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert said in result.stderr
    assert entries(redis_url) == []


def test_every_problem_of_an_event_is_told(cli: Cli) -> None:
    event = ticket(TENANT, data={"url": "ftp://x", "people": [{"email": "a@example.com"}]})

    said = cli("publish", "-", stdin=json.dumps(event)).stderr

    for problem in (
        "data.ticket_id: Field required",
        "data.title: Field required",
        "data.people.0.role: Field required",
    ):
        assert problem in said
    assert "data.url: Input should be an absolute http or https link" in said
    assert "more" not in said


def test_a_field_that_the_type_does_not_know_is_warned_of_and_published(cli: Cli, redis_url: str) -> None:
    event = ticket(TENANT)
    event["data"] |= {"tenantId": str(TENANT), "titel": "x", "actorName": "Ann"}
    event["data"]["people"] = [{"role": "requester", "mail\x1b[1m": "alice@example.com", "timezone": "UTC"}]

    result = cli("publish", "-", stdin=json.dumps([ticket(TENANT, id="good"), event]))

    assert result.exit_code == 0
    assert sorted(result.stderr.splitlines()) == [
        "warning: item 2: data.people.0.mail\ufffd[1m is not a field of ticket.updated.v1: it is ignored",
        "warning: item 2: data.titel is not a field of ticket.updated.v1: it is ignored",
    ]
    assert len(entries(redis_url)) == 2


def test_a_stream_that_no_worker_reads_is_warned_of(cli: Cli) -> None:
    event = json.dumps(ticket(TENANT))

    unread = cli("publish", "-", "--stream", "outbound:evnts", stdin=event)
    read = cli("publish", "-", "--stream", "theirs", stdin=event, OUTBOUND_STREAMS="ours,theirs")

    said = "warning: no worker reads outbound:evnts while OUTBOUND_STREAMS is outbound:events:urgent,outbound:events\n"
    assert (unread.exit_code, unread.stderr) == (0, said)
    assert (read.exit_code, read.stderr) == (0, "")


def test_one_bad_line_keeps_all_others_back(cli: Cli, redis_url: str) -> None:
    lines = [json.dumps(ticket(TENANT)), "", "{oops}", json.dumps(ticket(TENANT)), '{"type":"nope"}']

    result = cli("publish", "-", stdin="\n".join(lines))

    assert result.exit_code == 1
    assert "line 3: not JSON: key must be a string at column 2" in result.stderr
    assert "line 5: missing_tenant" in result.stderr
    assert "nothing was published: 2 of 4" in result.stderr
    assert entries(redis_url) == []


def test_of_many_bad_lines_the_first_are_shown(cli: Cli) -> None:
    result = cli("publish", "-", stdin="{}\n" * 30)

    assert result.stderr.count("missing_tenant") == 20
    assert "… and 10 more" in result.stderr


def test_a_file_that_is_not_there_fails_in_one_line(cli: Cli) -> None:
    result = cli("publish", "/nonexistent/events.json")

    assert (result.exit_code, result.stderr) == (
        1,
        "outbound: /nonexistent/events.json: No such file or directory\n",
    )


def test_without_redis_it_says_how_to_go_on() -> None:
    result = Cli({"REDIS_URL": "redis://127.0.0.1:1"})("publish", "-", stdin=json.dumps(ticket(TENANT)))

    assert result.exit_code == 1
    assert "Redis at 127.0.0.1:1: ConnectionError: 0 of 1 events are published for certain. Run the" in result.stderr


def test_without_configuration_it_is_wrong_usage() -> None:
    result = Cli({"REDIS_URL": ""})("publish", "-", stdin="{}")

    assert (result.exit_code, result.stderr) == (2, "outbound: REDIS_URL is not set\n")


def test_the_installed_command_publishes(redis_url: str) -> None:
    command = Path(sys.executable).with_name("outbound")
    done = subprocess.run(
        [command, "publish", "-", "--json"],
        input=json.dumps(ticket(TENANT, id="evt-1")),
        env={"REDIS_URL": redis_url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["id"] == "evt-1"
    assert [event["id"] for event in entries(redis_url)] == ["evt-1"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_can_be_loaded(name: str) -> None:
    result = Cli({})(name, "--help")

    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    result = Cli({})("--version")

    assert (result.exit_code, result.stdout) == (0, f"outbound {version('outbound')}\n")


def test_a_misspelt_command_is_wrong_usage() -> None:
    result = Cli({})("publsh")

    assert result.exit_code == 2
    assert "publish" in result.stderr
