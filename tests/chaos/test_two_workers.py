"""Two workers on one bus: what the dead one had is taken over by the other."""

from __future__ import annotations

import pytest

from tests.chaos.harness import Field, arrived_at, lines, reach
from tests.wires.sink import SinkProcess

EVENTS = 800


@pytest.mark.chaos
async def test_what_a_dead_worker_had_is_finished_by_the_other(ground: Field, sink: SinkProcess) -> None:
    first, second = ground.worker_process("worker-1"), ground.worker_process("worker-2")
    for worker in (first, second):
        worker.start()
    for worker in (first, second):
        await worker.ready()
    events = await ground.publish_many(EVENTS)
    await reach(lambda: lines(sink.log), EVENTS // 4)

    first.kill()
    in_hand = await ground.owned()
    await ground.quiet()

    tally = await ground.tally(events, arrived_at(sink.log))
    print("\n" + tally.summary("two workers", in_hand=in_hand))  # noqa: T201 - the figures are the result
    [adopted] = second.records("worker.adopted")
    attempts = await ground.sql("select distinct split_part(worker, ':', 1) as name from delivery_attempts order by 1")
    assert adopted["worker"] == "worker-1"
    assert [row["name"] for row in attempts] == ["worker-1", "worker-2"]
    tally.assert_nothing_lost()
    tally.assert_doubles_are_flagged()
    tally.assert_told_once()


@pytest.mark.chaos
async def test_a_second_worker_of_a_living_name_does_not_start(ground: Field) -> None:
    first, second = ground.worker_process("twin"), ground.worker_process("twin")
    second.log = second.log.with_name("second.log")
    first.start()
    await first.ready()

    second.start()

    assert await second.ended() == 1
    [refusal] = second.records("worker.name_in_use")
    assert "'twin' is in use by process" in refusal["error"]
    await first.ready()
    assert first.is_running


@pytest.mark.chaos
async def test_a_worker_that_was_frozen_finds_itself_dead_and_begins_anew(ground: Field, sink: SinkProcess) -> None:
    zombie, other = ground.worker_process("zombie"), ground.worker_process("other")
    zombie.start()
    await zombie.ready()
    events = await ground.publish_many(EVENTS)
    await reach(lambda: lines(sink.log), EVENTS // 4)
    zombie.pause()
    pid = zombie.pid
    other.start()
    await other.ready()
    await reach(lambda: len(other.records("worker.adopted")), 1)

    zombie.resume()
    await reach(lambda: len(zombie.records("worker.registered")), 2)
    events += await ground.publish_many(100, first=EVENTS)
    await ground.quiet()

    tally = await ground.tally(events, arrived_at(sink.log))
    print("\n" + tally.summary("a frozen worker"))  # noqa: T201 - the figures are the result
    assert zombie.is_running
    assert zombie.pid == pid
    tally.assert_nothing_lost()
    tally.assert_doubles_are_flagged()
    tally.assert_told_once()
