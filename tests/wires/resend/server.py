"""The stand-in on a random loopback port, in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from tests.wires.resend.wire import ResendWire


class _Server(uvicorn.Server):
    """A server inside the test's own loop: it leaves the process's signals alone, and nobody waits for its ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_over = asyncio.Event()
        self.base_url = ""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    def drop_client(self, client: tuple[str, int]) -> None:
        """Reset a client's connection."""
        for connection in list(self.server_state.connections):
            if connection.client == client:
                connection.transport.abort()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.is_over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 -- as inherited
        """Reset what is open, so that a hanging request ends with the test."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


@asynccontextmanager
async def serving(app: Starlette, port: int = 0) -> AsyncIterator[_Server]:
    """Serve an application; `server.base_url` says where."""
    server = _Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        server.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 -- uvicorn offers no event
                await asyncio.sleep(0.005)
            yield server
        finally:
            server.is_over.set()
            await task


@asynccontextmanager
async def resend_wire(
    port: int = 0, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[ResendWire]:
    """Serve on a random port. `now` is the clock of rate windows, quotas, keys, domains and signatures.

    Raises:
        AssertionError: at the end, if a request, an answer or a webhook did not follow the OpenAPI document.
    """
    wire = ResendWire(now)
    async with serving(_app(wire), port) as server:
        wire.base_url = server.base_url
        wire.use(server.drop_client)
        posting = asyncio.create_task(wire.hooks.run())
        try:
            yield wire
        finally:
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting
            await wire.hooks.aclose()
    assert wire.violations == []


def _app(wire: ResendWire) -> Starlette:
    domains = wire.domains
    operations = {
        "POST /emails": wire.send,
        "GET /emails/{email_id}": wire.show_mail,
        "POST /domains": wire.create_domain,
        "GET /domains": wire.list_domains,
        "GET /domains/{domain_id}": wire.one_domain(lambda domain, _: domains.shown(domain)),
        "PATCH /domains/{domain_id}": wire.one_domain(lambda domain, received: domains.update(domain, received.mail)),
        "DELETE /domains/{domain_id}": wire.one_domain(lambda domain, _: domains.delete(domain)),
        "POST /domains/{domain_id}/verify": wire.one_domain(lambda domain, _: domains.verify(domain, wire.now())),
    }
    routes = []
    for operation, act in operations.items():
        method, path = operation.split(" ")
        routes.append(Route(path, wire.endpoint(operation, act), methods=[method]))
    return Starlette(routes=routes, exception_handlers={404: wire.not_served, 405: wire.not_served})
