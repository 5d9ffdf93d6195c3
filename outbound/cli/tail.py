"""`outbound tail`: follow the delivery events."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

import typer
from pydantic_core import from_json
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from events.delivery import DELIVERY_TYPES
from outbound.cli.answer import fail, plain, put_json, put_line, say
from outbound.cli.reach import redis_trouble
from outbound.moment import moment_of_text
from outbound.redis_client import connect_redis
from outbound.settings import Settings, load

_BLOCK_MS = 500
_READ_COUNT = 500
_AWAY_SECONDS = 0.5
_CANCEL_SECONDS = 0.2
_DELIVERIES = "deliveries"
_BEGINNING = b"0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """What is shown; None is everything."""

    tenant: UUID | None
    type: str | None

    def takes(self, event: Mapping[str, Any]) -> bool:
        is_tenants = self.tenant is None or event.get("tenantid") == str(self.tenant)
        return is_tenants and (self.type is None or event.get("type") == self.type)


def tail(
    *,
    stream: Annotated[
        str, typer.Option(help="The stream to follow: `deliveries`, or the name of any other.")
    ] = _DELIVERIES,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest entry, not the next.")
    ] = False,
    tenant: Annotated[UUID | None, typer.Option(help="Only this tenant's.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, such as email.accepted.v1.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write each event as one line of JSON.")] = False,
) -> None:
    """Show one line for each delivery event: time, type, subject, reason, and the id of the event that caused it.

    Reads without a consumer group, so it takes nothing from anybody; Ctrl-C ends it.
    """
    settings = load(needs=("REDIS_URL",))
    name = settings.deliveries if stream == _DELIVERIES else stream
    if name == settings.deliveries and type_ is not None and type_ not in DELIVERY_TYPES:
        say(f"warning: no delivery event is a {plain(type_)}; there are {', '.join(DELIVERY_TYPES)}")
    wanted = _Filter(tenant=tenant, type=type_)
    following = _follow(settings, name, wanted, from_start=from_start, count=count, as_json=as_json)
    with suppress(KeyboardInterrupt):
        asyncio.run(_until_interrupted(following))


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end or to Ctrl-C.

    Cancelled again until it ends: asyncio.wait_for, which redis-py sends through, can swallow one before Python 3.12
    (https://github.com/python/cpython/issues/86296).
    """
    interrupted = asyncio.Event()
    with suppress(RuntimeError, ValueError):  # not in the main thread: then nobody can press Ctrl-C either
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    task = asyncio.create_task(work)
    waiting = asyncio.create_task(interrupted.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    while interrupted.is_set() and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
    if not task.cancelled():
        task.result()


async def _follow(
    settings: Settings, stream: str, wanted: _Filter, *, from_start: bool, count: int | None, as_json: bool
) -> None:
    async with connect_redis(settings.redis_url.get_secret_value()) as redis:
        newest = await _newest_id(settings, redis, stream)
        shown = 0
        async for entry_id, fields in _entries(settings, redis, stream, _BEGINNING if from_start else newest):
            event = _event(fields)
            if event is None:
                say(f"{entry_id.decode()} is not an event in canonical form")
            elif wanted.takes(event):
                put_json(event) if as_json else put_line(_line(event))
                shown += 1
                if shown == count:
                    return


async def _newest_id(settings: Settings, redis: Redis, stream: str) -> bytes:
    """Return the id to read after, resolved once: `$` would skip what arrives between two reads."""
    try:
        newest: Any = await redis.xrevrange(stream, count=1)
        if newest:
            return cast("bytes", newest[0][0])
        if not await redis.exists(stream):
            say(f"warning: there is no stream {plain(stream)} yet; waiting for it")
    except ResponseError as error:
        fail(f"Redis: {plain(error)}")
    except (RedisError, OSError) as error:
        fail(redis_trouble(settings, error))
    return _BEGINNING


async def _entries(
    settings: Settings, redis: Redis, stream: str, after: bytes
) -> AsyncIterator[tuple[bytes, Mapping[bytes, bytes]]]:
    """Yield entries until Ctrl-C; while Redis is away it waits, and goes on where it was."""
    is_away = False
    while not _is_cancelled():
        try:
            reply: Any = await redis.xread({stream: after}, count=_READ_COUNT, block=_BLOCK_MS)
        except (RedisError, OSError) as error:
            if not is_away:
                say(f"{redis_trouble(settings, error)}; waiting for it")
            is_away = True
            await asyncio.sleep(_AWAY_SECONDS)
            continue
        is_away = False
        for _, entries in reply or ():
            for entry_id, fields in entries:
                after = entry_id
                yield entry_id, fields


def _is_cancelled() -> bool:
    """Tell whether Ctrl-C was pressed, also where nobody told us.

    Until Python 3.12 `asyncio.wait_for`, through which the client sends, can swallow a cancellation
    (https://github.com/python/cpython/issues/86296).
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _event(fields: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    try:
        value = from_json(fields.get(b"data", b""))
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _line(event: Mapping[str, Any]) -> str:
    data: Any = event.get("data")
    reason = data.get("reason") if isinstance(data, dict) else None
    return "  ".join(
        plain(value)
        for value in (
            _time(event.get("time")),
            event.get("type"),
            event.get("subject"),
            reason,
            event.get("causationid"),
        )
    )


def _time(value: object) -> object:
    return moment_of_text(value) if isinstance(value, str) else value
