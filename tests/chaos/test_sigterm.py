"""SIGTERM: what is open is finished, what is not is handed back, and nobody is left in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.harness import Field, arrived_at, lines, reach
from tests.wires.sink import SinkProcess

EVENTS = 400


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    """A slow far end, so that the drain has something to wait for."""
    with SinkProcess(tmp_path, reply_delay=timedelta(milliseconds=200)) as sink:
        yield sink


@pytest.mark.chaos
async def test_sigterm_leaves_nothing_in_doubt_and_the_next_worker_finishes(ground: Field, sink: SinkProcess) -> None:
    ground.environment["OUTBOUND_CONNECTIONS"] = "32"
    worker = ground.worker_process()
    worker.start()
    await worker.ready()
    events = await ground.publish_many(EVENTS)
    await reach(lambda: lines(sink.log), EVENTS // 8)

    code = await worker.terminate()
    sent = lines(sink.log)
    rows = await ground.sql("select owner, reason from send_queue")
    [accepted] = await ground.sql("select count(*) from notification_logs where status = 'accepted'")
    epochs = await ground.sql("select name from workers")
    worker.start()
    await ground.quiet()

    tally = await ground.tally(events, arrived_at(sink.log))
    print("\n" + tally.summary("SIGTERM", sent_before=sent, handed_back=len(rows)))  # noqa: T201 - the figures are the result
    assert code == 0
    assert 0 < sent < EVENTS
    assert accepted[0] == sent
    # On a busy machine some had not been rendered yet: those wait like the rest.
    waiting = {(None, "handed_back"), (None, "backlog"), (None, "rendering")}
    assert {(row["owner"], row["reason"]) for row in rows} <= waiting
    assert epochs == []
    assert tally.uncertain == set()
    assert tally.doubles == set()
    tally.assert_nothing_lost()
    tally.assert_told_once()
