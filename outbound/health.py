"""The worker's own small HTTP server for probes and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

IsLive = Callable[[], bool]
IsReady = Callable[[], Awaitable[Mapping[str, str]]]
OK = "ok"


class HealthServer:
    """Answers `/livez`, `/readyz` (also as `/healthz`) and `/metrics`.

    Live says that the loop turns; it looks at nothing outside the process, so that a restart is never the answer to a
    database that is away. Ready maps each thing the work needs to `ok` or to its problem, and is 503 unless all are ok.
    """

    def __init__(
        self,
        port: int,
        *,
        registry: CollectorRegistry,
        is_live: IsLive,
        is_ready: IsReady,
        host: str = "0.0.0.0",  # noqa: S104 - probes and scrapers come from outside the container
    ) -> None:
        self._wanted = (host, port)
        self._registry = registry
        self._is_live = is_live
        self._is_ready = is_ready
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before `start`."""
        addresses = self._runner.addresses if self._runner is not None else []
        return int(addresses[0][1]) if addresses else 0

    async def start(self) -> None:
        """Bind and answer from now on; port 0 is a free one.

        Raises:
            OSError: when the port is taken.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/healthz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, *self._wanted).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Close the port; stopping twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        live = self._is_live()
        return web.json_response({"live": live}, status=200 if live else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        checks = dict(await self._is_ready())
        ready = all(value == OK for value in checks.values())
        return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
