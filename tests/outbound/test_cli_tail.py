"""`outbound tail`: follows, filters, and outlives Redis."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis

from outbound.dev.servers import start_valkey
from tests.outbound.command import Cli

TENANT = uuid4()
DELIVERIES = "outbound:deliveries"


def delivery(number: int, **more: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": f"n/{number}",
        "source": "/outbound",
        "type": "email.queued.v1",
        "time": "2026-11-24T02:00:00Z",
        "subject": f"n-{number}",
        "tenantid": str(TENANT),
        "causationid": "evt-1",
        "data": {"status": "queued", "reason": "rate"},
    }
    return event | more


@pytest.fixture
def cli(redis_url: str) -> Cli:
    return Cli({"REDIS_URL": redis_url})


@pytest.fixture
def put(redis_url: str) -> Callable[..., None]:
    def put(*events: dict[str, Any], stream: str = DELIVERIES) -> None:
        with redis.Redis.from_url(redis_url) as client:
            for event in events:
                client.xadd(stream, {"data": json.dumps(event)})

    return put


@contextmanager
def tailing(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the installed command until the block ends."""
    command = [Path(sys.executable).with_name("outbound"), "tail", *options]
    process = subprocess.Popen(
        command, env={"REDIS_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_a_line_tells_when_what_whom_why_and_from_where(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1))

    result = cli("tail", "--from-start", "--count", 1)

    assert result.exit_code == 0
    assert result.stdout == "2026-11-24T02:00:00.000Z  email.queued.v1  n-1  rate  evt-1\n"


def test_what_is_absent_is_a_dash(cli: Cli, put: Callable[..., None]) -> None:
    put({"type": "event.dead_lettered.v1", "data": {}})

    assert cli("tail", "--from-start", "--count", 1).stdout == "-  event.dead_lettered.v1  -  -  -\n"


def test_json_is_the_event_itself(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1), delivery(2))

    assert cli.ndjson("tail", "--from-start", "--count", 2) == [delivery(1), delivery(2)]


def test_a_tenant_and_a_type_can_be_picked_out(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1, tenantid=str(uuid4())), delivery(2, type="email.accepted.v1"), delivery(3))

    [event] = cli.ndjson(
        "tail", "--from-start", "--count", 1, "--tenant", str(TENANT).upper(), "--type", "email.queued.v1"
    )

    assert event["subject"] == "n-3"


def test_any_stream_can_be_followed(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1), stream="outbound:events")

    assert len(cli.ndjson("tail", "--stream", "outbound:events", "--from-start", "--count", 1)) == 1


def test_a_stream_that_is_not_there_yet_is_waited_for_and_said_so(redis_url: str) -> None:
    with tailing(redis_url, "--stream", "outbound:evnts", "--count", "1") as tail:
        assert tail.stderr is not None
        assert tail.stderr.readline() == "warning: there is no stream outbound:evnts yet; waiting for it\n"
        with redis.Redis.from_url(redis_url) as client:
            client.xadd("outbound:evnts", {"data": json.dumps(delivery(1))})

        assert tail.wait(timeout=30) == 0


def test_a_type_that_no_delivery_event_has_is_said_so(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1, type="ticket.updated.v1"), delivery(2))

    result = cli("tail", "--from-start", "--count", 1, "--type", "ticket.updated.v1")
    known = cli("tail", "--from-start", "--count", 1, "--type", "email.queued.v1")

    assert "warning: no delivery event is a ticket.updated.v1; there are email.queued.v1, " in result.stderr
    assert known.stderr == ""


def test_an_entry_that_is_no_event_is_told_apart_from_the_data(
    cli: Cli, put: Callable[..., None], redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(DELIVERIES, {"text": "hello"}, id="7-1")
        client.xadd(DELIVERIES, {"data": "[1]"}, id="7-2")
    put(delivery(1))

    result = cli("tail", "--from-start", "--count", 1)

    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == "7-1 is not an event in canonical form\n7-2 is not an event in canonical form\n"


def test_escape_sequences_of_others_do_not_reach_the_terminal(cli: Cli, put: Callable[..., None]) -> None:
    put(delivery(1, subject="\x1b[2Jgone\x9b", causationid="a\u202eb\nc"))

    [line] = cli("tail", "--from-start", "--count", 1).stdout.splitlines()

    assert line.isprintable()
    assert "\ufffd[2Jgone\ufffd" in line


def test_something_that_is_no_stream_fails(cli: Cli, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(DELIVERIES, "x")

    result = cli("tail", "--from-start")

    assert result.exit_code == 1
    assert "WRONGTYPE" in result.stderr


def test_without_redis_it_fails_at_once() -> None:
    result = Cli({"REDIS_URL": "redis://127.0.0.1:1"})("tail")

    assert (result.exit_code, result.stderr) == (1, "outbound: Redis at 127.0.0.1:1: ConnectionError\n")


def test_it_outlives_a_restart_of_redis_and_ends_well_with_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "valkey"
    with start_valkey(folder, durable=True) as server:
        url = server.url
        with redis.Redis.from_url(url) as client:
            client.xadd(DELIVERIES, {"data": json.dumps(delivery(1))})
        with tailing(url, "--from-start") as tail:
            assert tail.stdout is not None
            assert tail.stderr is not None
            assert "n-1" in tail.stdout.readline()
            server.stop()
            assert "waiting for it" in tail.stderr.readline()
            with start_valkey(folder, durable=True, port=urlsplit(url).port) as again:
                assert again.url == url
                with redis.Redis.from_url(url) as client:
                    client.xadd(DELIVERIES, {"data": json.dumps(delivery(2))})
                assert "n-2" in tail.stdout.readline()
                tail.send_signal(signal.SIGINT)
                assert tail.wait(timeout=30) == 0


def test_only_what_comes_from_now_on_is_shown(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(DELIVERIES, {"data": json.dumps(delivery(0))})
        with tailing(redis_url, "--count", "1") as tail:
            # It is following once it holds a connection that waits in XREAD.
            while not any(connection["cmd"] == "xread" for connection in client.client_list()):
                assert tail.poll() is None
            client.xadd(DELIVERIES, {"data": json.dumps(delivery(1))})

            assert tail.stdout is not None
            assert "n-1" in tail.stdout.readline()
            assert tail.wait(timeout=30) == 0
