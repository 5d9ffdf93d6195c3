"""SIGKILL at random moments with mails on their way to Resend: each arrives exactly once."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.chaos.harness import Field, chaos_events, reach
from tests.wires.resend import resend_wire

KILLS = int(os.environ.get("OUTBOUND_CHAOS_KILLS") or 10)


@pytest.mark.chaos
async def test_kill_9_sends_everything_once_through_resend(ground: Field) -> None:
    in_hand: list[int] = []

    async with resend_wire() as wire:
        ground.environment |= {
            "EMAIL_PROVIDER": "resend",
            "RESEND_API_KEY": "re_test",
            "RESEND_API_URL": wire.base_url,
            "RESEND_VERIFIED_DOMAINS": "outbound.example",
        }
        events = await ground.publish_many(chaos_events(600))
        worker = ground.worker_process()
        step = len(events) // (KILLS + 2)
        for _ in range(KILLS):
            before = len(wire.accepted)
            worker.start()
            goal = before + random.randint(1, step)  # noqa: S311 - a moment, not a secret
            await reach(lambda: len(wire.accepted), goal, worker=worker)
            worker.kill()
            in_hand.append(await ground.owned())
        worker.start()
        await ground.quiet(seconds=240)

    arrived = Counter(mail.idempotency_key for mail in wire.accepted)
    tags = Counter(tag["value"] for sent in wire.accepted for tag in sent.mail["tags"] if tag["name"] == "notification")
    tally = await ground.tally(events, arrived)
    repeats = len(wire.requests) - len(wire.accepted)
    print("\n" + tally.summary("kill -9, Resend", kills=KILLS, in_hand=in_hand, repeated_requests=repeats))  # noqa: T201 - the figures are the result
    tally.assert_nothing_lost()
    tally.assert_told_once()
    assert set(tags.values()) == {1}
    assert tags == arrived
    assert tally.uncertain == set()
    assert wire.violations == []
    assert min(in_hand) > 0
