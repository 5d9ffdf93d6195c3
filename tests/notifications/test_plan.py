"""From entries to what they ask for."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from notifications.entry import Entry
from notifications.hashing import milliseconds
from notifications.plan import Plan, expires_at
from notifications.request import Effect
from notifications.status import Reason
from tests.notifications.builders import (
    MILLISECONDS,
    NOW,
    OTHER_TENANT,
    TENANT,
    a_request,
    an_entry,
    later,
    plan_of,
)

DAY_MS = 24 * 3600 * 1000


def ids(plan: Plan) -> list[UUID]:
    return [notification.id for event in plan.events for notification in event.notifications]


def deleted_user(sequence: int) -> Entry:
    return an_entry(sequence=sequence, id=f"user-{sequence}", type="user.deleted.v1", data={"user_id": "u-1"})


def test_the_same_event_twice_in_a_batch_is_planned_once_and_a_repeat_once() -> None:
    plan = plan_of(an_entry(sequence=0), an_entry(sequence=1), an_entry(sequence=2, id="evt-2"))

    assert [event.entry.entry_id for event in plan.events] == [f"{MILLISECONDS}-0", f"{MILLISECONDS}-2"]
    assert [event.entry.entry_id for event in plan.repeats] == [f"{MILLISECONDS}-1"]


@pytest.mark.parametrize("change", [{"source": "/elsewhere"}, {"tenantid": str(OTHER_TENANT)}, {"id": "evt-2"}])
def test_tenant_source_and_id_together_make_an_event(change: dict[str, str]) -> None:
    plan = plan_of(an_entry(sequence=0), an_entry(sequence=1, **change))

    assert len(plan.events) == 2
    assert plan.repeats == []


def test_a_bad_entry_is_dead_with_its_reason_and_the_others_are_planned() -> None:
    plan = plan_of(an_entry(sequence=0), an_entry(sequence=1, type="ticket.exploded.v1"), an_entry(2, id="evt-3"))

    [letter] = plan.dead
    assert len(plan.events) == 2
    assert (letter.reason, letter.tenant_id, letter.event_id) == (Reason.UNKNOWN_TYPE, TENANT, "evt-1")
    assert (letter.entry.entry_id, letter.type) == (f"{MILLISECONDS}-1", "ticket.exploded.v1")


def test_the_batch_is_cut_behind_a_directory_change() -> None:
    entries = [an_entry(sequence=0), deleted_user(1), an_entry(sequence=2, id="evt-2"), deleted_user(3)]

    first = plan_of(*entries)
    second = plan_of(*first.rest)

    assert [event.key.event_id for event in first.events] == ["evt-1", "user-1"]
    assert [entry.entry_id for entry in first.rest] == [f"{MILLISECONDS}-2", f"{MILLISECONDS}-3"]
    assert [event.key.event_id for event in second.events] == ["evt-2", "user-3"]
    assert list(second.rest) == []


def test_two_requests_for_one_person_are_one_notification() -> None:
    effects: list[Effect] = [a_request(), a_request(email="Alice@Example.com "), a_request(user_id="u-2")]

    [event] = plan_of(an_entry(), effects=effects).events

    assert [one.request.recipient.user_id for one in event.notifications] == ["u-1", "u-2"]
    assert event.notifications[0].email == "alice@example.com"


def test_ids_are_the_same_for_the_same_entry_and_differ_in_every_part() -> None:
    def id_of(entry: Entry, effect: Effect, secret: bytes = b"one") -> UUID:
        [id_] = ids(plan_of(entry, effects=[effect], secret=secret))
        return id_

    variants = {
        "first": id_of(an_entry(), a_request()),
        "subtype": id_of(an_entry(), a_request(subtype="invoice-issued")),
        "user": id_of(an_entry(), a_request(user_id="u-2")),
        "address": id_of(an_entry(), a_request(user_id=None)),
        "other address": id_of(an_entry(), a_request(user_id=None, email="bob@example.com")),
        "tenant": id_of(an_entry(tenantid=str(OTHER_TENANT)), a_request()),
        "source": id_of(an_entry(source="/elsewhere"), a_request()),
        "event": id_of(an_entry(id="evt-2"), a_request()),
        "secret": id_of(an_entry(), a_request(), b"two"),
    }

    assert id_of(an_entry(), a_request()) == variants["first"]
    assert len(set(variants.values())) == len(variants)


def test_a_user_is_the_same_recipient_whatever_their_address() -> None:
    [with_address] = ids(plan_of(an_entry(), effects=[a_request()]))
    [without] = ids(plan_of(an_entry(), effects=[a_request(email=None)]))

    assert with_address == without


@pytest.mark.parametrize(
    ("entry_ms", "expected"),
    [
        (MILLISECONDS - DAY_MS, MILLISECONDS - DAY_MS),
        (MILLISECONDS + DAY_MS, MILLISECONDS + DAY_MS),
        (MILLISECONDS - DAY_MS - 1, MILLISECONDS),
        (MILLISECONDS + DAY_MS + 1, MILLISECONDS),
        (1, MILLISECONDS),
        (2**64 - 1, MILLISECONDS),
    ],
)
def test_an_entry_id_far_from_the_clock_does_not_choose_the_partition(entry_ms: int, expected: int) -> None:
    [id_] = ids(plan_of(an_entry(entry_ms)))

    assert milliseconds(id_) == expected


def test_ids_sort_by_the_time_of_their_entries() -> None:
    entries = [an_entry(MILLISECONDS + second * 1000, id=f"evt-{second}") for second in range(5)]

    assert all(first < second for first, second in pairwise(ids(plan_of(*entries))))


@pytest.mark.parametrize(
    ("entry_ms", "time", "expirytime", "expected"),
    [
        (MILLISECONDS, None, None, later(hours=24)),
        (MILLISECONDS - 60_000, None, None, later(hours=24, minutes=-1)),
        (MILLISECONDS, "2026-11-24T01:00:00Z", None, later(hours=23)),
        (MILLISECONDS, "2026-11-24T01:00:00Z", "2026-11-24T05:00:00Z", later(hours=3)),
        (1, None, None, later(hours=24)),
        (2**64 - 1, None, None, later(hours=24)),
    ],
)
def test_a_mail_s_age_counts_from_the_event_and_a_bad_entry_id_does_no_harm(
    entry_ms: int, time: str | None, expirytime: str | None, expected: object
) -> None:
    given = {name: value for name, value in (("time", time), ("expirytime", expirytime)) if value}
    [event] = plan_of(an_entry(entry_ms, **given)).events

    assert expires_at(event.event, event.entry, timedelta(hours=24), NOW) == expected


def test_without_an_age_limit_or_an_expirytime_a_mail_never_expires() -> None:
    [event] = plan_of(an_entry()).events

    assert expires_at(event.event, event.entry, None, NOW) is None
