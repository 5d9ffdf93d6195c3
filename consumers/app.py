"""The Faust frame: signals, supervision and the agent that carries batches; Kafka is off (it never starts)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import faust
import mode
from faust.app import BootStrategy as FaustBootStrategy
from faust.types.tuples import Message

from consumers.source import Source
from notifications.entry import Entry


class _App(faust.App):
    """A Faust app without a broker."""

    class BootStrategy(FaustBootStrategy):
        enable_kafka = False

    async def on_start(self) -> None:
        await super().on_start()
        # With Kafka off nobody resumes the flow, and every event on a channel would be skipped in silence.
        self.flow_control.resume()

    async def on_shutdown(self) -> None:
        await super().on_shutdown()
        # Streams make Faust build a Kafka consumer that never starts, with an event loop that nobody would close.
        thread = getattr(self.consumer, "_thread", None)
        if thread is not None:
            thread.thread_loop.close()


class _Worker(mode.Worker):
    """Says when it has stopped: a signal stops it in a task of its own, and a second `stop` returns at once."""

    def __init__(self, *services: Any, **options: Any) -> None:
        super().__init__(*services, **options)
        self.ended = asyncio.Event()

    async def on_shutdown(self) -> None:
        await super().on_shutdown()
        self.ended.set()


class BatchChannel:
    """Batches on their way to the agent."""

    def __init__(self, app: faust.App, name: str) -> None:
        self._app = app
        self._name = name
        # One batch at a time: a queued second one would double the latency.
        self.faust_channel = app.channel(maxsize=1)

    async def put(self, batch: Sequence[Entry]) -> None:
        """Hand one batch to the agent."""
        message = Message(self._name, 0, 0, 0.0, 0, [], b"", None, None, generation_id=self._app.consumer_generation_id)
        await self.faust_channel.put(self._app.create_event(b"", batch, {}, message))


def make_app(data_folder: str) -> faust.App:
    """Return a Faust app that starts nothing but what is added to it."""
    return _App(
        "outbound",
        broker="kafka://none",
        datadir=data_folder,
        web_enabled=False,
        autodiscover=False,
        stream_wait_empty=False,
    )


def assemble(app: faust.App, channel: BatchChannel, source: Source, services: Sequence[mode.Service]) -> None:
    """Add the loops in the order of their start; they stop in the opposite order, the source first."""

    async def line(stream: Any) -> None:
        await source.agent(event.value async for event in stream.events())

    for service in (*services, source):
        app.service(cast("Any", service))
    app.agent(channel.faust_channel, name="line", concurrency=1)(line)


async def run_until_stopped(app: faust.App, loop: Any) -> None:
    """Run until SIGTERM or SIGINT, then stop in order.

    Raises:
        BaseException: what crashed a loop, if that is why it ended.
    """
    worker = _Worker(app, daemon=True, override_logging=False, redirect_stdouts=False, quiet=True, loop=loop)
    try:
        await worker.start()
    finally:
        # Also where a loop refused to start: what had started before it would not end by itself.
        await worker.stop()
        await worker.ended.wait()
    if worker.crash_reason is not None:
        raise worker.crash_reason
