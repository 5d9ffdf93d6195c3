"""`outbound dead-letters`: look at, send again or drop what could not be an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from redis.exceptions import RedisError

from events.wire import Refusal
from notifications.ports import UnavailableError
from notifications.status import Reason
from outbound.cli.actor import actor
from outbound.cli.answer import fail, plain, progress, put_json, put_line, put_table, say
from outbound.redis_client import connect_redis
from outbound.settings import Settings, load
from storage.dead_letter_admin import (
    Letter,
    LetterRefusedError,
    LetterState,
    Publish,
    Requeued,
    count_requeueable,
    drop,
    find_letter,
    list_letters,
    requeue,
    requeue_some,
)
from storage.operator import open_for_operator
from storage.roles import Role
from storage.session import Connection

_AT_ONCE = 100
_SPARE = ("event id", "tenant", "type", "state", "detail", "since")
"""The columns a narrow terminal does without, in this order."""
REASONS: tuple[str, ...] = (*Refusal, Reason.UNKNOWN_TENANT, Reason.POISON)
"""Why an entry can become a dead letter."""

dead_letters = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Look at, send again or drop what could not be an event."
)

Stream = Annotated[str, typer.Argument(help="The stream it came in.")]
EntryId = Annotated[str, typer.Argument(help="Its entry there, such as 1795494222384-0.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one line of JSON for each.")]


def _known_reason(reason: str | None) -> str | None:
    if reason is not None and reason not in REASONS:
        raise typer.BadParameter(f"no dead letter has this reason; there are {', '.join(REASONS)}")
    return reason


@dead_letters.command("list")
def show_all(
    *,
    state: Annotated[Literal["open", "requeued", "dropped", "all"], typer.Option(help="In which state.")] = "open",
    reason: Annotated[
        str | None, typer.Option(help="For which reason, such as unknown_type.", callback=_known_reason)
    ] = None,
    tenant: Annotated[UUID | None, typer.Option(help="Of which tenant.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first, without what they hold."""
    wanted = None if state == "all" else LetterState(state)
    letters = asyncio.run(_list(_settings(), wanted, reason, tenant, limit))
    if as_json:
        for letter in letters:
            put_json(_described(letter))
        return
    put_table(
        ("stream", "entry id", "since", "state", "reason", "detail", "type", "tenant", "event id"),
        (
            (
                letter.stream,
                letter.entry_id,
                letter.created_at,
                letter.state,
                letter.reason,
                letter.detail,
                letter.type,
                letter.tenant_id,
                letter.event_id,
            )
            for letter in letters
        ),
        whole=("stream", "entry id"),
        spare=_SPARE,
    )
    if len(letters) == limit:
        say(f"these are the newest {limit}; --limit shows more")


async def _list(
    settings: Settings, state: LetterState | None, reason: str | None, tenant: UUID | None, limit: int
) -> list[Letter]:
    async with _operator(settings) as connection:
        return await list_letters(connection, state=state, reason=reason, tenant_id=tenant, limit=limit)


@dead_letters.command("show")
def show(stream: Stream, entry_id: EntryId, *, as_json: AsJson = False) -> None:
    """Show one dead letter with what it holds, which may be personal."""
    letter = asyncio.run(_find(_settings(), stream, entry_id))
    if letter is None:
        fail("there is no such dead letter")
    if as_json:
        put_json(_described(letter) | {"fields": letter.fields})
        return
    for name, value in _described(letter).items():
        put_line(f"{name:<13} {plain(value)}")
    for name, value in (letter.fields or {}).items():
        put_line(f"field {plain(name)}: {plain(value)}")


async def _find(settings: Settings, stream: str, entry_id: str) -> Letter | None:
    async with _operator(settings) as connection:
        return await find_letter(connection, stream, entry_id)


@dead_letters.command("requeue")
def send_again(
    stream: Annotated[str | None, typer.Argument(help="The stream it came in.")] = None,
    entry_id: Annotated[str | None, typer.Argument(help="Its entry there.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that are open and whole.")] = False,
    reason: Annotated[
        str | None, typer.Option(help="With --all: only those with this reason.", callback=_known_reason)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, as they came, to the streams they came in.

    Safe to repeat: should one be sent twice, the second is a duplicate to the service.
    """
    if everything == (stream is not None) or (stream is None) != (entry_id is None):
        raise typer.BadParameter("name one by STREAM and ENTRY_ID, or all with --all")
    if reason is not None and not everything:
        raise typer.BadParameter("goes with --all", param_hint="--reason")
    settings = load(needs=("DATABASE_URL", "REDIS_URL"))
    if stream is not None and entry_id is not None:
        try:
            _report(asyncio.run(_requeue_one(settings, stream, entry_id)), as_json=as_json)
        except LetterRefusedError as error:
            fail(f"not requeued: {error}")
        return
    count = asyncio.run(_requeue_all(settings, reason, as_json=as_json))
    if not as_json:
        put_line(f"{count} requeued")


async def _requeue_one(settings: Settings, stream: str, entry_id: str) -> Requeued:
    async with _publisher(settings) as publish, _operator(settings) as connection:
        return await requeue(connection, publish, stream, entry_id, actor=actor())


async def _requeue_all(settings: Settings, reason: str | None, *, as_json: bool) -> int:
    count = 0
    async with (
        _publisher(settings) as publish,
        open_for_operator(settings.database_url.get_secret_value()) as database,
    ):
        async with database.everyone(Role.PLATFORM) as connection:
            total, before = await count_requeueable(connection, reason)
        with progress("requeueing", total) as advance:
            while True:
                async with database.everyone(Role.PLATFORM) as connection:
                    sent = await requeue_some(
                        connection, publish, reason=reason, before=before, limit=_AT_ONCE, actor=actor()
                    )
                if not sent:
                    return count
                count += len(sent)
                advance(len(sent))
                if as_json:
                    for one in sent:
                        _report(one, as_json=True)


def _report(requeued: Requeued, *, as_json: bool) -> None:
    if as_json:
        put_json(asdict(requeued))
    else:
        put_line(f"requeued to {plain(requeued.stream)} as {requeued.new_entry_id}")


@dead_letters.command("drop")
def give_up(stream: Stream, entry_id: EntryId) -> None:
    """Mark a dead letter as worth nothing; it stays readable under `list --state dropped`."""
    try:
        asyncio.run(_drop(_settings(), stream, entry_id))
    except LetterRefusedError as error:
        fail(f"not dropped: {error}")
    put_line("dropped")


async def _drop(settings: Settings, stream: str, entry_id: str) -> None:
    async with _operator(settings) as connection:
        await drop(connection, stream, entry_id, actor=actor())


def _settings() -> Settings:
    return load(needs=("DATABASE_URL",))


@asynccontextmanager
async def _operator(settings: Settings) -> AsyncGenerator[Connection]:
    async with (
        open_for_operator(settings.database_url.get_secret_value()) as database,
        database.everyone(Role.PLATFORM) as connection,
    ):
        yield connection


@asynccontextmanager
async def _publisher(settings: Settings) -> AsyncGenerator[Publish]:
    async with connect_redis(settings.redis_url.get_secret_value()) as redis:

        async def publish(letters: Sequence[tuple[str, Mapping[bytes, bytes]]]) -> list[str]:
            try:
                async with redis.pipeline(transaction=True) as pipe:
                    for stream, fields in letters:
                        entry: dict[Any, Any] = dict(fields)
                        pipe.xadd(stream, entry)
                    return [entry_id.decode() for entry_id in await pipe.execute()]
            except (RedisError, OSError) as error:
                raise UnavailableError(f"Redis: {type(error).__name__}; what was not requeued is open still") from error

        yield publish


def _described(letter: Letter) -> dict[str, Any]:
    """Return all of a letter but what it holds."""
    described = asdict(letter)
    del described["fields"]
    return described
