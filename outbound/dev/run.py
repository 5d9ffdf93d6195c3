"""`outbound dev`: the whole service on one machine, with a demo running through it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis.exceptions import RedisError
from rich.console import Console
from rich.text import Text

from notifications.ports import UnavailableError
from outbound.cli.answer import FAILED, OK, put_json
from outbound.dev.demo import demo_events, example_event, publish
from outbound.dev.demo_tenants import create_tenants
from outbound.dev.process import ServerError
from outbound.dev.relay import silence_of_relay
from outbound.dev.stack import Stack, open_stack, reserved
from outbound.dev.view import open_view, without_requeued
from outbound.dev.watch import NOTIFICATIONS, EventState, Watch, database_time, summary
from outbound.env_file import env_file
from outbound.settings import Settings, load
from storage.roles import Role
from storage.session import open_database

ONCE_LIMIT = timedelta(seconds=60)
"""How long `--once` waits for the demo's events to come to their end."""
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for on the command line."""

    folder: Path
    is_once: bool = False
    is_json: bool = False
    once_limit: timedelta = ONCE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How it ended: the exit status, why if it failed, whether only time had run out, and the last that was seen."""

    status: int
    is_late: bool = False
    problem: Sequence[str] = ()
    states: Sequence[EventState] = ()


async def run(options: Options) -> int:
    """Bring everything up, let the demo run, bring everything down; return the exit status.

    Raises:
        SettingsError: when a variable of the environment is wrong.
        ServerError: when a part does not start, or a stack runs on this folder already.
        UnavailableError: when Postgres is away at the start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = load()
    console = Console(stderr=options.is_json, highlight=False)
    try:
        end, mails = await _up_and_down(options, settings, console, stop)
    except ServerError:
        if not stop.is_set():
            raise
        end, mails = _stopped(options, ()), 0  # the same Ctrl-C reached a part that was just starting
    if options.is_json:
        put_json(summary(end.states, mails))
    elif end.states:
        _say(console, _totals(end.states))
    return end.status


async def _up_and_down(
    options: Options, settings: Settings, console: Console, stop: asyncio.Event
) -> tuple[_End, int | None]:
    """Run everything until its end; return that, and how many mails came into the inbox meanwhile, if it is ours."""
    with reserved(options.folder) as home:
        mails = _count_mails(home)
        _say(console, f"Starting in {options.folder} …")
        async with open_stack(home, os.environ) as stack:
            end = await _demonstrate(options, settings, stack, console, stop)
            for line in end.problem:
                _say(console, line)
            _say(console, "Stopping …")
        return end, _count_mails(home) - mails if stack.inbox else None


async def _demonstrate(
    options: Options, settings: Settings, stack: Stack, console: Console, stop: asyncio.Event
) -> _End:
    """Publish the demo's events and watch them."""
    if stop.is_set():
        return _stopped(options, ())
    async with open_database(stack.database_url, {Role.API: 1, Role.PLATFORM: 1}) as database:
        since = await database_time(database)
        await create_tenants(database)
        now = datetime.now(UTC)
        example = options.folder / "event.json"
        example.write_text(json.dumps(example_event(now), indent=2) + "\n")
        try:
            published = await publish(stack.redis_url, settings.streams, demo_events(now))
        except (RedisError, OSError) as error:
            return _End(status=FAILED, problem=[f"Redis cannot be reached: {type(error).__name__}"])
        for line in introduction(stack, options.folder, settings.default_stream):
            _say(console, line)
        end = await _follow(options, stack, Watch(database, since, published), console, stop)
    if end.is_late and stack.inbox is None and (silence := await silence_of_relay(settings)):
        return replace(end, problem=[f"{line}; {silence}" for line in end.problem])
    return end


async def _follow(options: Options, stack: Stack, watch: Watch, console: Console, stop: asyncio.Event) -> _End:
    """Show what becomes of the events until it is enough: stopped, all done (once), too late (once), worker gone."""
    until = time.monotonic() + options.once_limit.total_seconds()
    states: Sequence[EventState] = ()
    with open_view(console) as view:
        while True:
            is_stopping = stop.is_set()
            try:
                states = await watch.read()
            except UnavailableError:
                pass  # the worker rides out a restart of Postgres, and so does the view
            else:
                view.show(states)
            if is_stopping:
                return _stopped(options, states)
            if stack.has_worker_ended():
                words = ["The worker has ended by itself. Its last words:", *stack.last_words()]
                return _End(status=FAILED, problem=words, states=states)
            if options.is_once and (end := _once(options, states, is_late=time.monotonic() > until)):
                return end
            await _pause(stop)


def _once(options: Options, states: Sequence[EventState], *, is_late: bool) -> _End | None:
    """Decide whether `--once` has seen enough; what others published meanwhile does not count."""
    ours = [state for state in states if state.is_ours]
    waiting = [state.label for state in ours if not state.is_done]
    if ours and not waiting:
        return _End(status=OK, states=states)
    if is_late:
        names = ", ".join(waiting) or "Postgres is away"
        line = f"Not done within {options.once_limit.total_seconds():.0f} s: {names}"
        return _End(status=FAILED, is_late=True, problem=[line], states=states)
    return None


def _stopped(options: Options, states: Sequence[EventState]) -> _End:
    """Being stopped is the usual end, except of `--once`: then something was still to come."""
    return _End(status=FAILED if options.is_once else OK, states=states)


def introduction(stack: Stack, folder: Path, stream: str) -> list[str]:
    """Return what somebody needs to look around, and to publish more from a second terminal."""
    inbox = f"Inbox      {stack.inbox.web_url}" if stack.inbox else "Inbox      none: mail goes to EMAIL_HOST"
    file, env = shlex.quote(str(folder / "event.json")), shlex.quote(str(env_file(folder)))
    add = f'redis.from_url(os.environ["REDIS_URL"]).xadd("{stream}", {{"data": open("{folder}/event.json").read()}})'
    return [
        inbox,
        f"Health     {stack.health_url}/readyz  {stack.health_url}/metrics",
        f"Worker log {folder / 'worker.log'}",
        "",
        "In a second terminal, in this folder:",
        f"  . {env if '/' in env else './' + env}",
        "  outbound tail                        # follow the delivery events",
        f"  outbound publish {file}      # one more; it is a duplicate until you change its id",
        "  # or as any program does it, here in Python, by an XADD of the same file:",
        f"  python -c {shlex.quote('import os, redis; ' + add)}",
        "",
        "Ctrl-C stops it.",
        "",
    ]


def _totals(states: Sequence[EventState]) -> str:
    """Return one line that counts what the JSON counts, but an event that was sent again once."""
    totals = summary(without_requeued(states), None)["totals"]
    counts = Counter(totals["statuses"]) + Counter(totals["outcomes"])
    del counts[NOTIFICATIONS]
    named = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{totals['events']} events, {totals['notifications']} notifications: {named}"


def _count_mails(folder: Path) -> int:
    return sum(1 for _ in (folder / "inbox").glob("*.eml"))


def _say(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)


async def _pause(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _POLL_SECONDS)
