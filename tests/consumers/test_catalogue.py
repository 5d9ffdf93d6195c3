"""The catalogue is whole: nothing is seeded without an event, a handler and a template for it."""

from __future__ import annotations

import json

import pytest

from consumers.routes import ROUTES
from events.catalog import CATALOG
from events.legacy import LEGACY
from notifications.categories import CATEGORIES, SUBTYPES, Subtype
from notifications.request import NotificationRequest
from notifications.sandbox import check_plain
from notifications.system_templates import system_templates
from tests.events import samples
from tests.events.samples import event_of

MADE_OF_OTHERS = {"digest"}
"""No event leads to it: it gathers what events led to."""


def emitted(event_type: str) -> list[NotificationRequest]:
    return [
        effect
        for data in (samples.FULL[event_type], samples.BARE[event_type])
        for effect in ROUTES[event_type](event_of(event_type, data))
        if isinstance(effect, NotificationRequest)
    ]


def test_every_event_has_a_handler_and_every_handler_an_event() -> None:
    assert ROUTES.keys() == CATALOG.keys()


def test_every_subtype_has_an_event_that_leads_to_it_and_the_other_way_round() -> None:
    assert {slug for entry in CATALOG.values() for slug in entry.subtypes} == SUBTYPES.keys() - MADE_OF_OTHERS


@pytest.mark.parametrize("event_type", sorted(CATALOG))
def test_a_handler_asks_for_what_the_catalogue_says(event_type: str) -> None:
    entry = CATALOG[event_type]
    requests = emitted(event_type) if entry.subtypes else []

    assert {request.subtype for request in requests} == set(entry.subtypes)
    assert {SUBTYPES[slug].category for slug in entry.subtypes} == {entry.category} - {None}


def test_every_subtype_has_a_template_and_the_other_way_round() -> None:
    english = [one for one in system_templates() if one.locale == "en"]

    assert {one.name for one in english} == SUBTYPES.keys()
    assert [one.name for one in english if not (one.subject.strip() and one.html.strip() and one.text.strip())] == []


def test_every_category_has_a_subtype_and_every_subtype_a_category() -> None:
    assert {subtype.category for subtype in SUBTYPES.values()} == set(CATEGORIES)


def test_every_legacy_name_leads_to_a_known_event() -> None:
    assert {legacy.type for legacy in LEGACY.values()} <= CATALOG.keys()


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_a_template_gets_plain_values_with_the_same_keys_whatever_the_event_leaves_out(event_type: str) -> None:
    keys: dict[str, set[tuple[str, ...]]] = {}
    for request in emitted(event_type):
        data = dict(request.data)
        check_plain(data)
        assert json.loads(json.dumps(data)) == data
        keys.setdefault(request.subtype, set()).add(
            (
                *sorted(data),
                *sorted(f"{name}.{key}" for name in ("ticket", "invoice", "recipient") for key in data.get(name, ())),
            )
        )

    assert {slug: len(found) for slug, found in keys.items()} == dict.fromkeys(keys, 1)


@pytest.mark.parametrize("subtype", [one for one in SUBTYPES.values() if one.category == "authentication"])
def test_authentication_mail_is_mandatory_and_has_no_way_out(subtype: Subtype) -> None:
    assert (subtype.is_mandatory, subtype.is_enabled_by_default) == (True, True)


@pytest.mark.parametrize("subtype", [one for one in SUBTYPES.values() if one.is_secret])
def test_what_is_secret_is_not_sent_late(subtype: Subtype) -> None:
    assert subtype.expires_after is not None


def test_what_carries_a_link_that_opens_an_account_is_secret() -> None:
    secret = {slug for slug, subtype in SUBTYPES.items() if subtype.is_secret}

    assert secret == {"user-verification", "password-reset", "user-invitation"}
