"""What the demo shows of events that came again, of long ids, and of a relay that says nothing."""

from __future__ import annotations

import asyncio
import io
import socket
from dataclasses import replace

import pytest
from rich.console import Console

from outbound.dev.relay import silence_of_relay
from outbound.dev.view import open_view, rows, without_requeued
from outbound.dev.watch import ELSEWHERE, EventState
from outbound.settings import Settings, load
from tests.wires.smtp import smtp_wire

DEAD = EventState(
    label="unknown tenant", id="e1", type="t", tenant="x", stream="s", entry_id="9-0",
    outcome="dead_lettered", reason="unknown_tenant",
)  # fmt: skip
AGAIN = replace(DEAD, label=ELSEWHERE, entry_id="10-0", outcome="skipped", reason="no_recipients")


def labels(states: list[EventState]) -> list[tuple[str, str]]:
    return [(state.label, state.outcome) for state in without_requeued(states)]


@pytest.mark.parametrize("states", [[DEAD, AGAIN], [DEAD, AGAIN, replace(AGAIN, entry_id="11-0", outcome="duplicate")]])
def test_an_event_that_was_sent_again_takes_the_place_of_its_dead_letter(states: list[EventState]) -> None:
    assert labels(states)[0] == ("unknown tenant", "skipped")
    assert len(labels(states)) == len(states) - 1


def test_one_that_died_again_is_shown_once() -> None:
    assert labels([DEAD, replace(DEAD, label=ELSEWHERE, entry_id="10-0")]) == [("unknown tenant", "dead_lettered")]


@pytest.mark.parametrize("change", [{"id": "e2"}, {"tenant": "y"}, {"stream": "t"}, {"entry_id": "8-0"}])
def test_a_dead_letter_stays_beside_what_is_not_its_successor(change: dict[str, str]) -> None:
    assert labels([DEAD, replace(AGAIN, **change)])[0] == ("unknown tenant", "dead_lettered")


def test_letters_without_an_id_are_never_taken_for_one_another() -> None:
    unreadable = replace(DEAD, id=None)

    assert len(labels([unreadable, replace(unreadable, entry_id="10-0")])) == 2


def test_a_table_shows_the_ends_of_a_long_id_and_lines_show_all_of_it() -> None:
    long = replace(AGAIN, id="a" * 32 + "z" * 32)
    written = io.StringIO()
    with open_view(Console(file=written, width=160, height=30, force_terminal=True)) as view:
        view.show([long])

    assert f"from elsewhere ({'a' * 11}…{'z' * 11})" in written.getvalue()
    assert rows([long])[0][1] == f"from elsewhere ({long.id})"


def settings(port: int) -> Settings:
    return load(overrides={"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port), "EMAIL_TLS": "none"})


async def test_a_relay_that_greets_is_not_to_blame() -> None:
    async with smtp_wire() as wire:
        assert await silence_of_relay(settings(wire.port)) is None


async def test_a_relay_that_refuses_or_says_nothing_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    refused = await silence_of_relay(settings(port))

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as mute:
        ended = await silence_of_relay(settings(mute.sockets[0].getsockname()[1]))

    assert refused == f"the relay at EMAIL_HOST (127.0.0.1:{port}) does not answer: ConnectionRefusedError"
    assert ended is not None
    assert ended.endswith("does not greet as an SMTP server")
