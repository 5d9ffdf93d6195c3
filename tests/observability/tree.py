"""Shows what a collector gets of one event: `python -m tests.observability.tree`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from outbound.dev.servers import start_postgres, start_valkey
from storage.migrate import upgrade
from tests.line.harness import Line
from tests.observability.conftest import environment
from tests.observability.process import Workers
from tests.observability.spans import tree
from tests.wires.otlp import otlp_receiver
from tests.wires.smtp import smtp_wire

ORIGIN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def show(folder: Path) -> None:
    """Send one event through real servers and a real worker, and print its trace."""
    with (
        start_postgres(folder / "postgres", durable=False) as postgres,
        start_valkey(folder / "valkey", durable=False) as valkey,
    ):
        await upgrade(postgres.url)
        async with smtp_wire() as wire, otlp_receiver() as receiver:
            line = Line(
                database=postgres.url,
                redis_url=valkey.url,
                environment=environment(postgres.url, valkey.url, wire.port),
            )
            line.tenant = await line.add_tenant()
            workers = Workers(line.environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}, folder)
            async with workers.running():
                await line.publish(line.ticket(id="evt-1", traceparent=ORIGIN))
                [notification] = await line.settled(1)
                [delivery] = await line.deliveries(1)
        print(tree(receiver.spans))  # noqa: T201 - a command's answer
        print(f"notification_logs.traceparent  {notification['traceparent']}")  # noqa: T201 - the same
        print(f"{delivery['type']}  traceparent  {delivery['traceparent']}")  # noqa: T201 - the same


def main() -> None:
    """Run in a folder that is gone afterwards."""
    with TemporaryDirectory(prefix="outbound-trace-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # Postgres runs as another user where this is root
        asyncio.run(show(Path(name)))


if __name__ == "__main__":
    main()
