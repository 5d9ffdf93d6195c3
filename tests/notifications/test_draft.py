"""A notification on its way: which template, in which words, at which moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.draft import NORMAL_LANE, URGENT_LANE
from notifications.facts import RecipientFacts
from notifications.letter import choose_template, request_content
from notifications.ports import SlotWant
from notifications.request import NotificationRequest, Recipient
from notifications.sender_address import SenderAddress
from notifications.slots import RateDefaults, slot_wants, spaced
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from providers.mailbox import Mailbox
from tests.notifications.builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    a_draft,
    a_request,
    a_subtype,
    a_template,
    a_tenant,
    an_entry,
    later,
)


class Shelf:
    """The system's templates by locale."""

    def __init__(self, *locales: str) -> None:
        self.templates = {locale: a_template(locale=locale, subject=f"system {locale}") for locale in locales}

    def find(self, name: str, locale: str) -> TemplateVersion | None:
        return self.templates.get(locale) if name == "ticket-updated" else None


def test_a_draft_with_every_gate_open_goes_now_to_the_event_s_own_address() -> None:
    drafted = a_draft(facts=RecipientFacts(email="old@example.com"), request=a_request(email="New@Example.com"))

    assert drafted.is_open
    assert (drafted.origin.recipient, drafted.lane, drafted.due_at) == ("new@example.com", NORMAL_LANE, None)


def test_the_directory_fills_in_the_address_an_event_leaves_out() -> None:
    drafted = a_draft(facts=RecipientFacts(email="bob@example.com"), request=a_request(email=None))

    assert drafted.is_open
    assert drafted.origin.recipient == "bob@example.com"


@pytest.mark.parametrize(
    ("facts", "service", "status", "reason"),
    [
        (RecipientFacts(wants_subtype=False), True, Status.SKIPPED, Reason.OPTED_OUT),
        (RecipientFacts(suppressions=frozenset({"hard_bounce"})), True, Status.SUPPRESSED, Reason.SUPPRESSED),
        (RecipientFacts(), False, Status.SKIPPED, Reason.SERVICE_DISABLED),
    ],
)
def test_a_closed_gate_is_a_status_with_a_reason(
    facts: RecipientFacts, service: bool, status: Status, reason: Reason
) -> None:
    drafted = a_draft(facts=facts, service_enabled=service)

    assert (drafted.status, drafted.reason, drafted.is_open, drafted.due_at) == (status, reason, False, None)


def test_what_is_no_address_is_recorded_as_it_came_without_nul_and_in_part() -> None:
    drafted = a_draft(request=a_request(email="X\0" * 400))

    assert drafted.reason is Reason.INVALID_ADDRESS
    assert drafted.origin.recipient == "x" * 320


@pytest.mark.parametrize("entry_ms", [1, 2**64 - 1])
def test_an_entry_id_far_from_the_clock_expires_nothing(entry_ms: int) -> None:
    tenant = a_tenant(a_subtype(expires_after=timedelta(hours=24)))

    assert a_draft(tenant, entry=an_entry(entry_ms)).is_open


@pytest.mark.parametrize(
    ("wanted", "own", "system", "expected"),
    [
        ("de-AT", ["de-AT", "de", "en"], ["de-AT", "de", "en"], "own de-AT"),
        ("de_AT", ["de", "en"], ["de-AT"], "own de"),
        ("de-AT", ["en"], ["de-AT", "de", "en"], "own en"),
        ("de-AT", ["fr"], ["de-AT", "de", "en"], "own fr"),
        ("de-AT", ["fr", "es"], ["de-AT", "de", "en"], "system de-AT"),
        ("de-AT", [], ["de", "en"], "system de"),
        ("de-AT", [], ["en"], "system en"),
        (None, [], ["de", "en"], "system en"),
        ("de", [], ["fr"], None),
    ],
)
def test_a_tenant_s_own_words_come_before_the_recipient_s_language(
    wanted: str | None, own: list[str], system: list[str], expected: str | None
) -> None:
    templates = {("ticket-updated", locale): a_template(locale=locale, subject=f"own {locale}") for locale in own}
    drafted = a_draft(a_tenant(templates=templates), RecipientFacts(locale=wanted))

    chosen = choose_template(drafted, Shelf(*system))

    assert (chosen.subject if chosen else None) == expected


def test_the_event_s_locale_beats_the_directory_s() -> None:
    request = NotificationRequest(
        subtype="ticket-updated", recipient=Recipient(email="a@example.com", locale="fr"), data={}
    )

    chosen = choose_template(a_draft(facts=RecipientFacts(locale="de"), request=request), Shelf("de", "fr", "en"))

    assert chosen is not None
    assert chosen.locale == "fr"


def test_what_is_rendered_knows_the_tenant_and_the_recipient_s_name() -> None:
    request = replace(
        a_request(), recipient=Recipient(email="a@example.com"), data={"recipient": {"name": None, "role": "watcher"}}
    )
    sender = SenderAddress(
        from_=Mailbox("Acme Support", "noreply@acme.example.com"),
        mail_from="noreply@acme.example.com",
        reply_to=(Mailbox(None, "help@acme.example.com"),),
        domain="acme.example.com",
    )

    content = request_content(a_draft(facts=RecipientFacts(name="Alice"), request=request), a_template(), sender, {})

    assert content.data == {
        "recipient": {"name": "Alice", "role": "watcher"},
        "tenant": {"name": "Acme", "slug": "acme"},
    }
    assert (content.addressing.to_name, content.addressing.from_name) == ("Alice", "Acme Support")
    assert content.addressing.reply_to == ("help@acme.example.com",)
    assert content.addressing.key == f"{TENANT}/ticket/42"


def test_slots_are_wanted_per_tenant_and_lane_in_the_order_of_the_batch() -> None:
    other = a_tenant(id=OTHER_TENANT, rate_per_minute=6, rate_burst=1)
    urgent = a_tenant(a_subtype(is_urgent=True))
    tenants: list[Any] = [a_tenant(), other, a_tenant(), urgent, other]
    drafts = [a_draft(tenant) for tenant in tenants]
    stopped = a_draft(facts=RecipientFacts(wants_subtype=False))

    wants = slot_wants([*drafts[:2], stopped, *drafts[2:]], RateDefaults(per_minute=60))

    assert list(wants) == [
        SlotWant(tenant_id=TENANT, lane=NORMAL_LANE, per_minute=60, burst=60, count=2),
        SlotWant(tenant_id=OTHER_TENANT, lane=NORMAL_LANE, per_minute=6, burst=1, count=2),
        SlotWant(tenant_id=TENANT, lane=URGENT_LANE, per_minute=60, burst=60, count=1),
    ]
    places = [[id(member) for member in members] for members in wants.values()]
    assert places == [[id(drafts[number]) for number in numbers] for numbers in ([0, 2], [1, 4], [3])]


def test_a_tenant_s_own_rate_is_also_its_burst() -> None:
    [want] = slot_wants([a_draft(a_tenant(rate_per_minute=6))], RateDefaults())

    assert (want.per_minute, want.burst) == (6, 6)


def test_without_a_limiter_slots_are_an_interval_apart_and_none_is_now() -> None:
    want = SlotWant(tenant_id=TENANT, lane=NORMAL_LANE, per_minute=6, burst=6, count=3)

    assert spaced(want, NOW) == [later(seconds=10), later(seconds=20), later(seconds=30)]


@given(per_minute=st.integers(1, 10_000), count=st.integers(0, 200), seconds=st.integers(0, 600))
def test_spaced_slots_never_exceed_the_rate(per_minute: int, count: int, seconds: int) -> None:
    want = SlotWant(tenant_id=TENANT, lane=NORMAL_LANE, per_minute=per_minute, burst=per_minute, count=count)

    moments = spaced(want, NOW)

    # A microsecond a slot: moments have no more digits.
    within = [one for one in moments if one <= later(seconds=seconds)]
    assert len(moments) == count
    assert len(within) <= (seconds + count * 1e-6) * per_minute / 60 + 1e-9
