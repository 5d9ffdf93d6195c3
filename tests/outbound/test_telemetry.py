"""Tracing is on when the standard variables say so, and costs nothing otherwise."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from outbound import telemetry
from tests.wires.otlp import otlp_receiver

SCRIPT = """
from opentelemetry import trace
from outbound.telemetry import configure_tracing
flush = configure_tracing()
with trace.get_tracer("test").start_as_current_span("planted span"):
    pass
flush()
flush()
print(type(trace.get_tracer_provider()).__name__)
"""


async def run(**variables: str) -> str:
    """Run the script with these OTEL_* variables and no others; the SDK's provider is a process's only one."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, env={**clean, **variables}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


async def test_a_span_arrives_where_the_standard_variables_say() -> None:
    async with otlp_receiver() as receiver:
        assert await run(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) == "TracerProvider"
        span = await receiver.wait_for(lambda span: span.name == "planted span")

    assert len(span.trace_id) == 16
    assert receiver.resources[0]["service.name"] == "outbound"


async def test_the_traces_endpoint_the_sampler_and_the_service_name_are_honoured() -> None:
    async with otlp_receiver() as receiver:
        endpoint = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces", "OTEL_SERVICE_NAME": "mine"}
        await run(**endpoint, OTEL_TRACES_SAMPLER="always_off")
        assert receiver.spans == []
        await run(**endpoint)
        await receiver.wait_for(lambda span: span.name == "planted span")

    assert receiver.resources[0]["service.name"] == "mine"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["nothing set", "an empty endpoint", "disabled", "exporter none"],
)
async def test_without_being_asked_no_sdk_is_installed(variables: dict[str, str]) -> None:
    assert telemetry.is_wanted(variables) is False
    assert await run(**variables) == "ProxyTracerProvider"


def test_an_exporter_alone_asks_for_tracing() -> None:
    assert telemetry.is_wanted({"OTEL_TRACES_EXPORTER": "otlp"}) is True


async def test_a_dead_collector_does_not_keep_the_process() -> None:
    assert await run(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") == "TracerProvider"
