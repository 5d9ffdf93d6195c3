"""`outbound dead-letters`: seen, sent again once, or dropped, and audited."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from uuid import uuid4

import pytest
import redis

from outbound.cli.dead_letters import REASONS
from tests.outbound.command import Cli, Sql

EVENTS = "outbound:events"
FIRST, SECOND, THIRD = "1795494222384-0", "1795494222384-1", "1795494222384-2"


@pytest.fixture
def sql(database: str) -> Sql:
    return Sql(database)


@pytest.fixture
def cli(database: str, redis_url: str) -> Cli:
    return Cli({"DATABASE_URL": database, "REDIS_URL": redis_url})


def entries(url: str) -> list[dict[bytes, bytes]]:
    with redis.Redis.from_url(url) as client:
        return [fields for _, fields in client.xrange(EVENTS)]


def states(sql: Sql) -> dict[str, str]:
    return dict(sql("select entry_id, state from dead_letters"))


def audited(sql: Sql) -> list[tuple[Any, ...]]:
    rows = sql("select action, subject, detail from audit_log where actor like 'cli:%' order by id")
    return [(row[0], row[1], json.loads(row[2])) for row in rows]


def test_the_open_ones_are_listed_newest_first(cli: Cli, sql: Sql) -> None:
    tenant = uuid4()
    sql.dead_letter({"data": "{"}, entry_id=FIRST, reason="undecodable")
    sql.dead_letter({"data": "{}"}, entry_id=SECOND, event_id="evt-1", tenant=tenant)

    letters = cli.ndjson("dead-letters", "list")

    assert [(letter["entry_id"], letter["reason"]) for letter in letters] == [
        (SECOND, "unknown_type"),
        (FIRST, "undecodable"),
    ]
    assert (letters[0]["event_id"], letters[0]["tenant_id"]) == ("evt-1", str(tenant))
    assert "fields" not in letters[0]


def test_the_table_holds_what_the_json_does(cli: Cli, sql: Sql) -> None:
    sql.dead_letter({"data": "{}"}, event_id="evt-\x1b[1m[bold]")

    result = cli("dead-letters", "list")

    assert result.exit_code == 0
    [row] = [line for line in result.stdout.splitlines() if FIRST in line]
    assert "type: not in the catalogue" in row
    assert "evt-\ufffd[1m[bold]" in row


def test_a_list_is_narrowed_by_state_reason_tenant_and_number(cli: Cli, sql: Sql) -> None:
    tenant = uuid4()
    sql.dead_letter({"data": "a"}, entry_id=FIRST, reason="undecodable")
    sql.dead_letter({"data": "b"}, entry_id=SECOND, tenant=tenant)
    sql.dead_letter({"data": "c"}, entry_id=THIRD)
    cli("dead-letters", "drop", EVENTS, FIRST)

    def listed(*options: object) -> list[str]:
        return sorted(letter["entry_id"] for letter in cli.ndjson("dead-letters", "list", *options))

    assert listed() == [SECOND, THIRD]
    assert listed("--state", "dropped") == [FIRST]
    assert listed("--state", "all", "--reason", "undecodable") == [FIRST]
    assert listed("--tenant", tenant) == [SECOND]
    assert listed("--limit", 1) == [THIRD] or listed("--limit", 1) == [SECOND]


def test_a_list_of_nothing_says_so(cli: Cli) -> None:
    result = cli("dead-letters", "list")

    assert (result.exit_code, result.stdout) == (0, "none\n")
    assert cli("dead-letters", "list", "--json").stdout == ""


@pytest.mark.parametrize("words", [("list",), ("requeue", "--all")])
def test_a_reason_that_no_dead_letter_has_is_wrong_usage_and_those_there_are_are_named(
    cli: Cli, words: tuple[str, ...]
) -> None:
    result = cli("dead-letters", *words, "--reason", "unknown-type", COLUMNS="400")

    assert result.exit_code == 2
    assert all(reason in result.stderr for reason in REASONS)


def test_times_are_in_utc_and_milliseconds(cli: Cli, sql: Sql) -> None:
    sql.dead_letter({"data": "{}"})

    [letter] = cli.ndjson("dead-letters", "list")
    table = cli("dead-letters", "list").stdout

    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", letter["created_at"])
    assert letter["created_at"] in table


def test_one_is_shown_with_what_it_holds(cli: Cli, sql: Sql) -> None:
    sql.dead_letter({"data": '{"a":1}', "bin": {"base64": "/w=="}})

    assert cli.json("dead-letters", "show", EVENTS, FIRST)["fields"] == {"data": '{"a":1}', "bin": {"base64": "/w=="}}
    shown = cli("dead-letters", "show", EVENTS, FIRST).stdout
    assert 'field data: {"a":1}' in shown
    assert "unknown_type" in shown


def test_one_goes_back_to_its_stream_as_it_came(cli: Cli, sql: Sql, redis_url: str) -> None:
    sql.dead_letter({"data": '{"name":"Zoë"}', "bin": {"base64": base64.b64encode(b"\xff\x00").decode()}})

    requeued = cli.json("dead-letters", "requeue", EVENTS, FIRST)

    assert entries(redis_url) == [{b"data": '{"name":"Zoë"}'.encode(), b"bin": b"\xff\x00"}]
    assert states(sql) == {FIRST: "requeued"}
    assert (requeued["stream"], requeued["entry_id"]) == (EVENTS, FIRST)
    assert audited(sql) == [
        ("dead_letter.requeued", f"{EVENTS} {FIRST}", {"new_entry_id": requeued["new_entry_id"]}),
    ]


def test_the_same_one_is_not_sent_twice(cli: Cli, sql: Sql, redis_url: str) -> None:
    sql.dead_letter({"data": "{}"})
    assert cli("dead-letters", "requeue", EVENTS, FIRST).exit_code == 0

    result = cli("dead-letters", "requeue", EVENTS, FIRST)

    assert result.exit_code == 1
    assert "not requeued: it is requeued already, since 20" in result.stderr
    assert len(entries(redis_url)) == 1


def test_one_that_was_cut_is_not_sent(cli: Cli, sql: Sql, redis_url: str) -> None:
    sql.dead_letter({"data": "{"}, truncated=True)

    result = cli("dead-letters", "requeue", EVENTS, FIRST)

    assert result.exit_code == 1
    assert "its fields were cut when it was stored" in result.stderr
    assert entries(redis_url) == []
    assert states(sql) == {FIRST: "open"}


def test_while_redis_is_away_it_stays_open(cli: Cli, sql: Sql) -> None:
    sql.dead_letter({"data": "{}"})

    result = cli("dead-letters", "requeue", EVENTS, FIRST, REDIS_URL="redis://127.0.0.1:1")

    assert result.exit_code == 1
    assert "Redis at 127.0.0.1:1: ConnectionError; what was not requeued is open still" in result.stderr
    assert states(sql) == {FIRST: "open"}
    assert audited(sql) == []


def test_all_of_a_reason_go_back_and_the_others_stay(cli: Cli, sql: Sql, redis_url: str) -> None:
    for number in range(250):
        sql.dead_letter({"data": str(number)}, entry_id=f"{number}-0", reason="unknown_tenant")
    sql.dead_letter({"data": "x"}, entry_id=FIRST)
    sql.dead_letter({"data": "cut"}, entry_id=SECOND, reason="unknown_tenant", truncated=True)

    result = cli("dead-letters", "requeue", "--all", "--reason", "unknown_tenant")

    assert (result.exit_code, result.stdout) == (0, "250 requeued\n")
    assert {int(fields[b"data"]) for fields in entries(redis_url)} == set(range(250))
    assert [name for name, state in states(sql).items() if state == "open"] == [FIRST, SECOND]
    assert len(audited(sql)) == 250


def test_all_of_nothing_is_nothing(cli: Cli) -> None:
    assert cli("dead-letters", "requeue", "--all").stdout == "0 requeued\n"


def test_a_dropped_one_is_kept_and_not_sent(cli: Cli, sql: Sql, redis_url: str) -> None:
    sql.dead_letter({"data": "{}"})

    assert cli("dead-letters", "drop", EVENTS, FIRST).stdout == "dropped\n"

    assert "it is dropped already" in cli("dead-letters", "requeue", EVENTS, FIRST).stderr
    assert "it is dropped already" in cli("dead-letters", "drop", EVENTS, FIRST).stderr
    assert entries(redis_url) == []
    assert audited(sql) == [("dead_letter.dropped", f"{EVENTS} {FIRST}", {})]


@pytest.mark.parametrize("verb", ["show", "requeue", "drop"])
def test_one_that_is_not_there_fails(cli: Cli, verb: str) -> None:
    result = cli("dead-letters", verb, EVENTS, "1-1")

    assert result.exit_code == 1
    assert "there is no such dead letter" in result.stderr


@pytest.mark.parametrize(
    "words",
    [(), (EVENTS,), (EVENTS, FIRST, "--all"), (EVENTS, FIRST, "--reason", "x"), ("--reason", "x")],
)
def test_requeue_names_one_or_all(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("dead-letters", "requeue", *words).exit_code == 2


def test_a_database_that_was_not_migrated_says_so(empty_database: str) -> None:
    result = Cli({"DATABASE_URL": empty_database})("dead-letters", "list")

    assert result.exit_code == 1
    assert "`outbound doctor` says what to do" in result.stderr
