"""The rows of a claim: what goes now is mine, what waits is anybody's, what is over is in no queue."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from notifications.claim import ClaimBuilder
from notifications.content import decode, encode
from notifications.draft import Draft
from notifications.entry import DeadLetter, Entry
from notifications.facts import RecipientFacts
from notifications.plan import PlannedEvent
from notifications.ports import Claim, QueueRow
from notifications.report import Reports
from notifications.request import DirectoryChange
from notifications.sender_address import SenderAddress
from notifications.status import Reason, Status
from providers.mailbox import Mailbox
from tests.notifications.builders import (
    ADDRESS,
    NOW,
    RENDERED,
    REQUEST,
    SECRET,
    TENANT,
    TRACEPARENT,
    a_draft,
    a_subtype,
    a_template,
    a_tenant,
    an_entry,
    an_event,
    later,
    plan_of,
)

CLAIMS = ClaimBuilder(reports=Reports(secret=SECRET))
OWNER = 7
SENDER = SenderAddress(
    from_=Mailbox("Acme", "noreply@acme.example.com"),
    mail_from="noreply@acme.example.com",
    reply_to=(),
    domain="acme.example.com",
)
MOMENT = later(milliseconds=123)


def build(*drafts: Draft, events: list[PlannedEvent] | None = None, **more: Any) -> Claim:
    planned = [drafted.event for drafted in drafts] if events is None else events
    return CLAIMS.build(
        OWNER,
        planned,
        more.get("repeats", ()),
        more.get("dead", ()),
        drafts,
        now=MOMENT,
        origin=lambda event: event.event.traceparent,
    )


def going() -> Draft:
    drafted = a_draft()
    drafted.provider, drafted.sender, drafted.template = "smtp", SENDER, a_template()
    drafted.content, drafted.is_mine = RENDERED, True
    return drafted


def waiting() -> Draft:
    drafted = a_draft()
    drafted.template, drafted.content = a_template(), REQUEST
    drafted.park(Reason.RATE, later(seconds=10))
    return drafted


def test_what_goes_now_is_mine_with_its_first_attempt_open_and_nothing_told() -> None:
    [row] = build(going()).notifications

    assert (row.status, row.reason, row.delivery_event) == (Status.SENDING, None, None)
    assert row.queue == QueueRow(
        lane=1,
        due_at=MOMENT,
        reason=None,
        owner=OWNER,
        attempt=1,
        provider="smtp",
        mail_from="noreply@acme.example.com",
        opened_at=NOW,
    )
    assert row.content == encode(RENDERED)


def test_what_waits_is_anybody_s_and_told_with_its_moment() -> None:
    [row] = build(waiting()).notifications

    assert (row.status, row.reason) == (Status.QUEUED, Reason.RATE)
    assert row.queue == QueueRow(
        lane=1,
        due_at=later(seconds=10),
        reason=Reason.RATE,
        owner=None,
        attempt=0,
        provider=None,
        mail_from=None,
        opened_at=None,
    )
    assert row.content is not None
    assert decode(row.content.kind, row.content.message) == REQUEST
    assert row.delivery_event is not None
    assert row.delivery_event["data"]["due_at"] == "2026-11-24T02:00:10Z"


def test_what_a_gate_stopped_is_in_no_queue_and_says_which_gate() -> None:
    drafted = a_draft(facts=RecipientFacts(wants_category=False))

    [row] = build(drafted).notifications

    assert (row.status, row.queue, row.content) == (Status.SKIPPED, None, None)
    assert row.gates == {
        "gate": "preference",
        "reason": "opted_out",
        "evidence": {"preference": False, "from": "category"},
        "settings_version": 1,
    }


def test_what_failed_keeps_no_content_and_no_place() -> None:
    drafted = going()
    drafted.is_mine = False
    drafted.fail(Reason.RENDERING)

    [row] = build(drafted).notifications

    assert (row.status, row.reason, row.queue, row.content) == (Status.FAILED, Reason.RENDERING, None, None)
    assert row.template == ("ticket-updated", "en", a_template().version)


def test_the_first_mail_carries_the_fence_that_the_row_has() -> None:
    drafted = going()

    mail = CLAIMS.mail(drafted, OWNER, MOMENT, TRACEPARENT)

    [row] = build(drafted).notifications
    assert row.queue is not None
    assert (mail.id, mail.owner, mail.attempt) == (row.id, row.queue.owner, row.queue.attempt)
    assert (mail.opened_at, mail.mail_from, mail.provider) == (NOW, row.queue.mail_from, row.queue.provider)
    assert (mail.tries, mail.is_pinned, mail.span) == (0, False, TRACEPARENT)


def test_what_waits_is_no_mail_yet() -> None:
    with pytest.raises(ValueError, match="rendered"):
        CLAIMS.mail(waiting(), OWNER, MOMENT, None)


@pytest.mark.parametrize("is_secret", [False, True])
def test_the_body_of_an_event_is_kept_for_replay_unless_it_is_secret(is_secret: bool) -> None:
    drafted = a_draft(a_tenant(a_subtype(is_secret=is_secret)))

    [event] = build(drafted).events

    kept = None if event.body is None else json.loads(zlib.decompress(event.body))
    assert kept == (None if is_secret else an_event())


def test_an_event_in_another_form_is_kept_in_the_canonical_one() -> None:
    given = an_event()
    fields = {f"ce_{name}".encode(): str(value).encode() for name, value in given.items() if name != "data"}
    entry = Entry(
        stream="outbound:events",
        entry_id=an_entry().entry_id,
        fields=fields | {b"data": json.dumps(given["data"]).encode()},
    )

    [event] = build(a_draft(entry=entry)).events

    assert event.body is not None
    [again] = plan_of(Entry(stream="s", entry_id="1-1", fields={b"data": zlib.decompress(event.body)})).events
    [before] = plan_of(entry).events
    assert again.event == before.event


def test_an_event_that_leads_to_nothing_is_told_and_one_that_changes_the_directory_is_not() -> None:
    [nothing] = plan_of(an_entry(), effects=[DirectoryChange(kind="user_delete")]).events
    nobody = PlannedEvent(entry=nothing.entry, key=nothing.key, event=nothing.event, notifications=(), changes=())

    [for_nobody, changing] = build(events=[nobody, nothing]).events

    assert for_nobody.outcome == "no_recipients"
    assert for_nobody.delivery_event is not None
    assert for_nobody.delivery_event["type"] == "event.skipped.v1"
    assert (changing.outcome, changing.delivery_event) == ("directory", None)


def test_repeats_and_dead_letters_are_told() -> None:
    [event] = plan_of(an_entry()).events
    letter = DeadLetter(entry=an_entry(), reason=Reason.POISON, detail="failed 5 deliveries", tenant_id=TENANT)

    claim = build(events=[], repeats=[event], dead=[letter])

    [repeat], [told] = claim.repeats, claim.dead_events
    assert repeat.delivery_event["data"]["reason"] == "duplicate"
    assert told["data"]["reason"] == "poison"
    assert (claim.owner, list(claim.dead)) == (OWNER, [letter])


def test_no_delivery_event_of_a_claim_holds_an_address() -> None:
    for drafted in (waiting(), a_draft(facts=RecipientFacts(suppressions=frozenset({"hard_bounce"})))):
        [row] = build(drafted).notifications
        assert row.recipient == ADDRESS
        assert "@" not in json.dumps(row.delivery_event)
