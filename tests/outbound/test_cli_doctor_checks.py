"""What `outbound doctor` makes of what it sees."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from outbound.doctor.bus import judge as judge_redis
from outbound.doctor.check import State
from outbound.doctor.postgres import judge as judge_postgres
from outbound.doctor.tracing import check_tracing
from storage.inspection import PostgresInspection
from storage.schema_version import head_revision


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("info", "name", "state"),
    [
        ({"redis_version": "6.0.16"}, "redis", State.FAIL),
        ({"redis_version": "6.2.0"}, "redis", State.OK),
        ({"redis_version": "10.1.0"}, "redis", State.OK),
        ({"maxmemory_policy": "allkeys-lru"}, "redis eviction", State.FAIL),
        ({"aof_enabled": 1}, "redis durability", State.OK),
    ],
)
def test_what_redis_says_of_itself_is_judged(info: dict[str, Any], name: str, state: State) -> None:
    sound = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 1}

    assert {check.name: check.state for check in judge_redis(sound | info)}[name] is state


@pytest.mark.parametrize(
    ("seen", "name", "state"),
    [
        ({"version_number": 140012}, "postgres", State.FAIL),
        ({"bypasses_row_security": True}, "postgres login", State.WARN),
        ({"missing_roles": ("outbound_api",)}, "postgres roles", State.FAIL),
        ({"revision": "0000"}, "postgres schema", State.FAIL),
    ],
)
def test_what_postgres_says_of_itself_is_judged(seen: dict[str, Any], name: str, state: State) -> None:
    sound: dict[str, Any] = {
        "version_number": 180006,
        "login": "outbound",
        "is_superuser": False,
        "bypasses_row_security": False,
        "missing_roles": (),
        "revision": head_revision(),
        "unprotected_tables": (),
    }

    found = judge_postgres(PostgresInspection(**(sound | seen)), head_revision())

    assert {check.name: check.state for check in found}[name] is state


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, "off: no OTEL_* variable asks for it"),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, "off: no OTEL_* variable asks for it"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "exported by console"),
    ],
)
async def test_tracing_without_an_endpoint_is_in_order(environment: dict[str, str], found: str) -> None:
    check = await check_tracing(environment)

    assert (check.state, check.found) == (State.OK, found)


async def test_a_collector_that_listens_is_found(listener: int) -> None:
    check = await check_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{listener}/"})

    assert check.state is State.OK


async def test_a_collector_that_is_away_costs_no_mail(free_port: int) -> None:
    check = await check_tracing({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{free_port}/v1/traces"})

    assert check.state is State.WARN


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
