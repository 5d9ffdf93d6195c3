"""Who is told at all: every combination of the switches against a table that somebody wrote by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest

from notifications.facts import RecipientFacts
from notifications.gates import GateInput, judge
from notifications.status import Reason
from tests.notifications.builders import ADDRESS, NOW, a_subtype, a_tenant


class Switches(NamedTuple):
    """The switches in the order in which they are asked; the preferences may say nothing (None)."""

    service: bool
    tenant_active: bool
    tenant_on: bool
    category_on: bool
    subtype_on: bool
    mandatory: bool
    own_action: bool
    prefers_subtype: bool | None
    prefers_category: bool | None
    default: bool


ANY = "any"
ON, OFF, UNSAID = True, False, None

# docs/preferences.md shows this table. Each combination matches exactly one row.
#  service active tenant category subtype mandatory own    pref.subtype pref.category default → what stops it
TABLE: list[tuple[tuple[Any, ...], Reason | None]] = [
    ((OFF, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY), Reason.SERVICE_DISABLED),
    ((ON, OFF, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY), Reason.TENANT_INACTIVE),
    ((ON, ON, OFF, ANY, ANY, ANY, ANY, ANY, ANY, ANY), Reason.TENANT_DISABLED),
    ((ON, ON, ON, OFF, ANY, ANY, ANY, ANY, ANY, ANY), Reason.CATEGORY_OFF),
    ((ON, ON, ON, ON, OFF, ANY, ANY, ANY, ANY, ANY), Reason.SUBTYPE_OFF),
    ((ON, ON, ON, ON, ON, ON, ANY, ANY, ANY, ANY), None),
    ((ON, ON, ON, ON, ON, OFF, ON, ANY, ANY, ANY), Reason.ACTOR_IS_RECIPIENT),
    ((ON, ON, ON, ON, ON, OFF, OFF, ON, ANY, ANY), None),
    ((ON, ON, ON, ON, ON, OFF, OFF, OFF, ANY, ANY), Reason.OPTED_OUT),
    ((ON, ON, ON, ON, ON, OFF, OFF, UNSAID, ON, ANY), None),
    ((ON, ON, ON, ON, ON, OFF, OFF, UNSAID, OFF, ANY), Reason.OPTED_OUT),
    ((ON, ON, ON, ON, ON, OFF, OFF, UNSAID, UNSAID, ON), None),
    ((ON, ON, ON, ON, ON, OFF, OFF, UNSAID, UNSAID, OFF), Reason.OPTED_OUT),
]


def everything() -> Iterator[Switches]:
    two, three = (ON, OFF), (ON, OFF, UNSAID)
    for values in product(two, two, two, two, two, two, two, three, three, two):
        yield Switches(*values)


def rows_for(switches: Switches) -> list[Reason | None]:
    return [
        reason
        for pattern, reason in TABLE
        if all(wanted is ANY or wanted is value for wanted, value in zip(pattern, switches, strict=True))
    ]


def verdict(switches: Switches) -> Reason | None:
    subtype = a_subtype(
        category_enabled=switches.category_on,
        subtype_enabled=switches.subtype_on,
        is_mandatory=switches.mandatory,
        enabled_by_default=switches.default,
    )
    return judge(
        GateInput(
            service_enabled=switches.service,
            tenant=a_tenant(subtype, is_active=switches.tenant_active, is_enabled=switches.tenant_on),
            subtype=subtype,
            recipient=RecipientFacts(wants_subtype=switches.prefers_subtype, wants_category=switches.prefers_category),
            user_id="u-1",
            actor_id="u-1" if switches.own_action else "u-2",
            email=ADDRESS,
            expires_at=None,
            now=NOW,
        )
    ).reason


def test_the_table_says_one_thing_about_every_combination() -> None:
    assert {switches: len(rows_for(switches)) for switches in everything() if len(rows_for(switches)) != 1} == {}


def test_every_combination_of_the_switches_is_decided_as_the_table_says() -> None:
    combinations = list(everything())

    wrong = {switches: (verdict(switches), rows_for(switches)) for switches in combinations}

    assert len(combinations) == 2304
    assert {switches: found for switches, found in wrong.items() if [found[0]] != found[1]} == {}


@pytest.mark.parametrize("reason", sorted({reason for _, reason in TABLE if reason is not None}))
def test_every_reason_of_the_table_is_reached(reason: Reason) -> None:
    assert any(verdict(switches) is reason for switches in everything())
