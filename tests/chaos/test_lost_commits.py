"""A commit that happened and whose answer was lost: no row may stay behind in nobody's hands."""

from __future__ import annotations

import pytest

from tests.chaos.harness import Field, arrived_at, reach
from tests.chaos.lossy import lossy_way
from tests.wires.sink import SinkProcess

EVENTS = 400
LOST = 30


@pytest.mark.chaos
async def test_lost_answers_to_commits_leave_nothing_behind(ground: Field, sink: SinkProcess) -> None:
    async with lossy_way(ground.database) as (way, url):
        worker = ground.worker_process(DATABASE_URL=url, OUTBOUND_BATCH_SIZE="16", OUTBOUND_BATCH_MAX="16")
        worker.start()
        await worker.ready()
        pid = worker.pid
        way.share = 0.4

        events = await ground.publish_many(EVENTS)
        await reach(lambda: way.lost, LOST)
        way.share = 0.0
        await ground.quiet(seconds=40)

        tally = await ground.tally(events, arrived_at(sink.log))
        print("\n" + tally.summary("lost commits", lost_answers=way.lost))  # noqa: T201 - the figures are the result
        assert (worker.is_running, worker.pid) == (True, pid)
        assert way.lost > 0
        tally.assert_nothing_lost()
        tally.assert_doubles_are_flagged()
        tally.assert_told_once()
        await worker.terminate()
