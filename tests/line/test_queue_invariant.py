"""What is not settled has exactly one queue row, and what is settled has none."""

from __future__ import annotations

import pytest

from tests.line.harness import Line, eventually
from tests.wires.smtp import Answer, Drop, SmtpWire, Step

BROKEN = """
select l.id, l.status, l.reason, q.notification_id is not null as is_queued
from notification_logs l full join send_queue q on q.notification_id = l.id
where l.id is null or (status_rank(l.status) = 0) <> (q.notification_id is not null)
"""


async def broken(line: Line) -> list[dict[str, object]]:
    return [dict(row) for row in await line.sql(BROKEN)]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([], {"accepted"}),
        ([(Step.RCPT, Answer("550 5.1.1 no such user"))], {"bounced"}),
        ([(Step.RCPT, Answer("450 4.2.0 later"))], {"queued"}),
        ([(Step.DOT, Drop(accepted=True))], {"uncertain"}),
        ([(Step.GREETING, Answer("421 closed"))], {"queued"}),
    ],
)
async def test_after_every_kind_of_outcome_the_queue_holds_what_is_open_and_nothing_else(
    line: Line, wire: SmtpWire, faults: list[tuple[Step, Answer | Drop]], expected: set[str]
) -> None:
    for step, fault in faults:
        wire.at(step, fault)
    slow = await line.add_tenant(rate=1, burst=1)
    people = [{"role": "watcher", "user_id": f"u-{number}", "email": f"u{number}@example.com"} for number in range(5)]

    async def sent() -> list[dict[str, object]]:
        rows = [row for row in await line.notifications("many") if row["status"] in expected]
        return rows if len(rows) == len(people) else []

    async with line.worker():
        await line.publish(
            line.ticket(id="many", person=people),
            line.ticket(id="slow", tenant=slow, person=people[:3]),
            line.ticket(id="nobody", person=[{"role": "watcher", "user_id": "u-1"}]),
        )
        await eventually(sent)
        during = await broken(line)

    assert during == []
    assert await broken(line) == []
    rows = await line.notifications()
    assert len([row for row in rows if row["reason"] == "rate"]) >= 2
    assert {row["status"] for row in rows if row["event_id"] == "nobody"} == {"skipped"}


async def test_a_stop_in_the_middle_leaves_every_open_mail_its_one_row(line: Line, wire: SmtpWire) -> None:
    people = [{"role": "watcher", "user_id": f"u-{number}", "email": f"u{number}@example.com"} for number in range(40)]

    async def begun() -> bool:
        return len(wire.accepted) > 0

    async with line.worker():
        await line.publish(*(line.ticket(f"T-{number}", id=f"evt-{number}", person=people) for number in range(5)))
        await eventually(begun)

    rows = await line.notifications()
    owned = await line.sql("select 1 from send_queue where owner is not null")
    assert await broken(line) == []
    assert owned == []
    assert len([row for row in rows if row["status"] == "accepted"]) == len(wire.accepted)
