"""SIGKILL at random moments with SMTP mails in flight: nothing is lost, and a second copy was announced."""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.harness import Field, arrived_at, chaos_events, lines, reach
from tests.wires.sink import SinkProcess

KILLS = int(os.environ.get("OUTBOUND_CHAOS_KILLS") or 10)


@pytest.mark.chaos
async def test_kill_9_loses_nothing_and_doubles_only_what_was_flagged(ground: Field, sink: SinkProcess) -> None:
    events = await ground.publish_many(chaos_events(1_500))
    worker = ground.worker_process()
    step = len(events) // (KILLS + 2)
    in_hand: list[int] = []

    for _ in range(KILLS):
        before = lines(sink.log)
        worker.start()
        goal = before + random.randint(1, step)  # noqa: S311 - a moment, not a secret
        await reach(lambda: lines(sink.log), goal, worker=worker)
        worker.kill()
        in_hand.append(await ground.owned())
    worker.start()
    await ground.quiet(seconds=120)

    tally = await ground.tally(events, arrived_at(sink.log))
    print("\n" + tally.summary("kill -9, SMTP", kills=KILLS, in_hand=in_hand))  # noqa: T201 - the figures are the result
    tally.assert_nothing_lost()
    tally.assert_doubles_are_flagged()
    tally.assert_told_once()
    assert min(in_hand) > 0
