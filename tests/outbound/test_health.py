"""Probes say what they know, and metrics are readable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from outbound.health import HealthServer


@dataclass(slots=True)
class Worker:
    """A worker as the probes see it."""

    live: bool = True
    checks: Mapping[str, str] = field(default_factory=lambda: {"redis": "ok", "database": "ok"})
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def is_ready(self) -> Mapping[str, str]:
        return self.checks

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = HealthServer(
            0, registry=self.registry, is_live=lambda: self.live, is_ready=self.is_ready, host="127.0.0.1"
        )
        await server.start()
        yield f"http://127.0.0.1:{server.port}"
        await server.stop()
        await server.stop()
        assert server.port == 0


async def get(url: str, **headers: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_a_live_worker_is_live_whatever_is_away() -> None:
    worker = Worker(checks={"database": "does not answer"})
    async with worker.served() as url:
        assert (await get(f"{url}/livez"))[0] == 200
        worker.live = False
        assert (await get(f"{url}/livez"))[0] == 503


@pytest.mark.parametrize("path", ["readyz", "healthz"])
async def test_ready_is_when_everything_is_and_otherwise_names_the_problem(path: str) -> None:
    worker = Worker()
    async with worker.served() as url:
        assert (await get(f"{url}/{path}"))[0] == 200
        worker.checks = {"redis": "ok", "database": "does not answer"}
        status, _, text = await get(f"{url}/{path}")
        assert status == 503
        assert "does not answer" in text


async def test_metrics_are_served_in_the_form_that_is_asked_for() -> None:
    worker = Worker()
    Counter("outbound_sent", "Mails sent.", registry=worker.registry).inc()
    async with worker.served() as url:
        status, kind, text = await get(f"{url}/metrics")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        assert "outbound_sent_total 1.0" in text
        _, kind, text = await get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert kind.startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n")


async def test_a_port_that_is_taken_is_an_error() -> None:
    worker = Worker()
    async with worker.served() as url:
        port = int(url.rpartition(":")[2])
        second = HealthServer(
            port, registry=worker.registry, is_live=lambda: True, is_ready=worker.is_ready, host="127.0.0.1"
        )
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.stop()
