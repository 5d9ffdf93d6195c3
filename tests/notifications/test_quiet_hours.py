"""Mail that waits by its recipient's clock: when it is decided, and when it comes due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from notifications.facts import RecipientFacts
from notifications.request import Extras, Recipient
from notifications.status import Reason, Status
from notifications.timing import QuietHours
from notifications.transition import Parks
from tests.notifications.builders import ADDRESSING, NOW, REQUEST, a_draft, a_request, a_subtype, a_tenant, later
from tests.notifications.waiting import Setting, retried, waiting

# It is two at night in UTC, and three in Berlin.
ASLEEP = RecipientFacts(quiet=QuietHours(begins=time(22), ends=time(7)), timezone="Europe/Berlin")
SEVEN_IN_BERLIN = NOW.replace(hour=6)


def test_a_mail_at_night_waits_until_the_night_ends_where_its_recipient_is() -> None:
    drafted = a_draft(facts=ASLEEP)

    assert (drafted.status, drafted.reason, drafted.due_at) == (Status.QUEUED, Reason.QUIET_HOURS, SEVEN_IN_BERLIN)


def test_the_event_s_time_zone_beats_the_directory_s() -> None:
    request = replace(a_request(), recipient=Recipient(user_id="u-1", email="a@example.com", timezone="Asia/Tokyo"))

    assert a_draft(facts=ASLEEP, request=request).is_open


@pytest.mark.parametrize("kind", [{"is_urgent": True}, {"is_mandatory": True}])
def test_what_is_urgent_or_mandatory_wakes_people(kind: dict[str, bool]) -> None:
    assert a_draft(tenant=a_tenant(a_subtype(**kind)), facts=ASLEEP).is_open


def test_a_wished_moment_is_waited_for_by_the_recipient_s_clock() -> None:
    wish = datetime(2026, 11, 24, 9)  # noqa: DTZ001 - what a wish without a zone is
    request = replace(a_request(), extras=Extras(send_at=wish))

    drafted = a_draft(facts=RecipientFacts(timezone="Europe/Berlin"), request=request)

    assert (drafted.reason, drafted.due_at) == (Reason.SCHEDULED, NOW.replace(hour=8))


def test_a_wished_moment_that_is_past_is_now() -> None:
    assert a_draft(request=replace(a_request(), extras=Extras(send_at=later(hours=-1)))).is_open


def test_mail_goes_where_somebody_would_rather_have_it() -> None:
    drafted = a_draft(facts=RecipientFacts(email="a@example.com", other_email="home@example.com"))

    assert drafted.origin.recipient == "home@example.com"


async def test_what_comes_due_at_night_waits_on() -> None:
    reopened = await Setting(recipient=ASLEEP).decide(retried())

    assert reopened.change.queue == Parks(due_at=SEVEN_IN_BERLIN, reason=Reason.QUIET_HOURS, is_pinned=False)


async def test_the_zone_that_the_event_told_is_kept_with_the_mail() -> None:
    content = replace(REQUEST, addressing=replace(ADDRESSING, timezone="Asia/Tokyo"))

    reopened = await Setting(recipient=ASLEEP).decide(waiting(content=content))

    assert reopened.mail is not None


async def test_what_may_have_gone_already_is_not_held_back() -> None:
    reopened = await Setting(recipient=ASLEEP, idempotent=True).decide(retried(is_pinned=True))

    assert reopened.mail is not None


@pytest.mark.parametrize("reason", [Reason.QUIET_HOURS, Reason.SCHEDULED])
async def test_what_waited_for_its_time_takes_a_slot_when_it_is_due(reason: Reason) -> None:
    setting = Setting(slot_after=timedelta(minutes=3))

    reopened = await setting.decide(waiting(reason=reason))

    assert reopened.change.queue == Parks(due_at=later(minutes=3), reason=Reason.RATE, is_pinned=False)


async def test_what_has_its_slot_does_not_take_another() -> None:
    setting = Setting(slot_after=timedelta(minutes=3))

    reopened = await setting.decide(waiting(reason=Reason.RATE))

    assert (reopened.mail is not None, setting.slots.wants) == (True, [])


async def test_what_sleeps_on_takes_no_slot() -> None:
    setting = Setting(recipient=ASLEEP)

    await setting.decide(waiting(reason=Reason.QUIET_HOURS))

    assert setting.slots.wants == []
