"""`outbound publish`: put events on the bus, every one checked before the first one goes."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from outbound.cli.answer import fail, plain, progress, put_json, put_line, say
from outbound.cli.reach import redis_trouble
from outbound.redis_client import connect_redis
from outbound.settings import Settings, load
from outbound.submission import Problem, Submission, read

_AT_ONCE = 500
_PROBLEMS_SHOWN = 20
_WARNINGS_SHOWN = 20
_URGENT_CATEGORY = "authentication"


def publish(
    file: Annotated[
        Path, typer.Argument(help="JSON of one event or an array of them, or NDJSON; - is standard input.")
    ],
    *,
    stream: Annotated[
        str | None,
        typer.Option(help="The stream to put them on; by default authentication mail goes to the urgent one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one line of JSON for each published event.")] = False,
) -> None:
    """Check every event, then publish them; nothing is published if one of them is wrong.

    Safe to repeat: an event that arrived already is a duplicate to the service, also one without an id of its own.
    """
    settings = load(needs=("REDIS_URL",))
    events, problems = read(_text(file), now=datetime.now(UTC), max_bytes=settings.max_entry_bytes)
    if problems:
        _refuse(problems, len(events) + len(problems))
    _warn(events, stream, settings)
    routed = [(stream or _stream_of(event, settings), event) for event in events]
    asyncio.run(_publish(settings, routed, as_json=as_json))
    if not as_json:
        for name, count in Counter(name for name, _ in routed).items():
            put_line(f"{count} {'event' if count == 1 else 'events'} published to {plain(name)}")


def _text(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        fail(f"{plain(file)}: {error.strerror}")


def _refuse(problems: Sequence[Problem], total: int) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        say(f"{problem.place}: {plain(problem.reason)}")
    if len(problems) > _PROBLEMS_SHOWN:
        say(f"… and {len(problems) - _PROBLEMS_SHOWN} more")
    fail(f"nothing was published: {len(problems)} of {total} cannot be read as events")


def _warn(events: Sequence[Submission], stream: str | None, settings: Settings) -> None:
    """Say what is probably a mistake, though it is no reason to refuse anything."""
    ignored = [
        f"{event.place}: {plain(field)} is not a field of {event.type}" for event in events for field in event.ignored
    ]
    for line in ignored[:_WARNINGS_SHOWN]:
        say(f"warning: {line}: it is ignored")
    if len(ignored) > _WARNINGS_SHOWN:
        say(f"warning: … and {len(ignored) - _WARNINGS_SHOWN} more")
    if stream is not None and stream not in settings.streams:
        say(f"warning: no worker reads {plain(stream)} while OUTBOUND_STREAMS is {','.join(settings.streams)}")


def _stream_of(event: Submission, settings: Settings) -> str:
    """Streams are read in their order, so the first one is the urgent one."""
    return settings.urgent_stream if event.category == _URGENT_CATEGORY else settings.default_stream


async def _publish(settings: Settings, routed: Sequence[tuple[str, Submission]], *, as_json: bool) -> None:
    done = 0
    async with connect_redis(settings.redis_url.get_secret_value()) as redis:
        with progress("publishing", len(routed)) as advance:
            for start in range(0, len(routed), _AT_ONCE):
                part = routed[start : start + _AT_ONCE]
                try:
                    entry_ids = await _add(redis, part)
                except (RedisError, OSError) as error:
                    fail(
                        f"{redis_trouble(settings, error)}: {done} of {len(routed)} events are published for certain."
                        " Run the same command again: what arrived is recognised"
                    )
                done += len(part)
                advance(len(part))
                if as_json:
                    _report(part, entry_ids)


async def _add(redis: Redis, part: Sequence[tuple[str, Submission]]) -> list[str]:
    async with redis.pipeline(transaction=True) as pipe:
        for name, event in part:
            fields: dict[Any, Any] = dict(event.fields)
            pipe.xadd(name, fields)
        return [entry_id.decode() for entry_id in await pipe.execute()]


def _report(part: Sequence[tuple[str, Submission]], entry_ids: Sequence[str]) -> None:
    for (name, event), entry_id in zip(part, entry_ids, strict=True):
        put_json(
            {
                "stream": name,
                "entry_id": entry_id,
                "id": event.id,
                "source": event.source,
                "type": event.type,
                "tenantid": event.tenant_id,
            }
        )
