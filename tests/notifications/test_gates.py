"""The gates: their order, and what each of them lets through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from notifications.facts import RecipientFacts
from notifications.gates import GATES, GateInput, Verdict, judge
from notifications.status import Reason
from tests.notifications.builders import ADDRESS, NOW, a_subtype, a_tenant

OPEN = GateInput(
    service_enabled=True,
    tenant=a_tenant(),
    subtype=a_subtype(),
    recipient=RecipientFacts(),
    user_id="u-1",
    actor_id=None,
    email=ADDRESS,
    expires_at=None,
    now=NOW,
)


def closing(given: GateInput, **changes: Any) -> GateInput:
    """Close a gate more, whatever is closed already; `subtype` and `recipient` change in part."""
    for part in ("subtype", "recipient", "tenant"):
        if part in changes:
            changes[part] = replace(getattr(given, part), **changes[part])
    return replace(given, **changes)


# DESIGN §9, each with what closes it and the reason it gives.
ORDER: list[tuple[str, dict[str, Any], Reason]] = [
    ("expired", {"expires_at": NOW}, Reason.EXPIRED),
    ("service", {"service_enabled": False}, Reason.SERVICE_DISABLED),
    ("tenant", {"tenant": {"is_active": False}}, Reason.TENANT_INACTIVE),
    ("tenant_notifications", {"tenant": {"is_enabled": False}}, Reason.TENANT_DISABLED),
    ("category", {"subtype": {"category_enabled": False}}, Reason.CATEGORY_OFF),
    ("subtype", {"subtype": {"subtype_enabled": False}}, Reason.SUBTYPE_OFF),
    ("actor", {"actor_id": "u-1"}, Reason.ACTOR_IS_RECIPIENT),
    ("preference", {"recipient": {"wants_subtype": False}}, Reason.OPTED_OUT),
    ("address", {"email": None}, Reason.NO_ADDRESS),
    ("suppression", {"recipient": {"suppressions": frozenset({"manual"})}}, Reason.SUPPRESSED),
]
PREFERENCE_GATES = {"actor", "preference"}


def test_the_table_is_the_order() -> None:
    assert [name for name, _ in GATES] == [name for name, _, _ in ORDER]


def test_with_every_gate_open_a_notification_passes_and_says_which_preference_held() -> None:
    assert judge(OPEN) == Verdict(gate="passed", reason=None, evidence={"preference": True, "from": "default"})


@pytest.mark.parametrize(("number", "gate"), list(enumerate(ORDER)))
def test_of_all_closed_gates_the_first_decides(number: int, gate: tuple[str, dict[str, Any], Reason]) -> None:
    given = OPEN
    for _, changes, _ in ORDER[number:]:
        given = closing(given, **changes)

    verdict = judge(given)

    assert (verdict.gate, verdict.reason) == (gate[0], gate[2])


@pytest.mark.parametrize(("name", "changes", "reason"), ORDER)
def test_mandatory_mail_skips_the_preference_gates_and_no_other(
    name: str, changes: dict[str, Any], reason: Reason
) -> None:
    given = closing(closing(OPEN, **changes), subtype={"is_mandatory": True})
    if name == "suppression":
        given = closing(given, recipient={"suppressions": frozenset({"hard_bounce"})})

    assert judge(given).reason == (None if name in PREFERENCE_GATES else reason)


@pytest.mark.parametrize(
    ("subtype", "category", "default"), list(product((None, True, False), (None, True, False), (True, False)))
)
def test_the_subtype_s_preference_beats_the_category_s_and_that_the_default(
    subtype: bool | None, category: bool | None, default: bool
) -> None:
    given = closing(
        OPEN,
        recipient={"wants_subtype": subtype, "wants_category": category},
        subtype={"enabled_by_default": default},
    )

    wanted = default if subtype is None and category is None else category if subtype is None else subtype
    assert judge(given).reason == (None if wanted else Reason.OPTED_OUT)


@pytest.mark.parametrize(
    ("listed", "for_optional", "for_mandatory"),
    [
        (set(), False, False),
        ({"unsubscribed"}, True, False),
        ({"complaint"}, True, False),
        ({"manual"}, True, False),
        ({"hard_bounce"}, True, True),
        ({"unsubscribed", "hard_bounce"}, True, True),
    ],
)
def test_mandatory_mail_ignores_every_suppression_but_a_hard_bounce(
    listed: set[str], for_optional: bool, for_mandatory: bool
) -> None:
    given = closing(OPEN, recipient={"suppressions": frozenset(listed)})

    assert (judge(given).reason is Reason.SUPPRESSED) == for_optional
    assert (judge(closing(given, subtype={"is_mandatory": True})).reason is Reason.SUPPRESSED) == for_mandatory


@pytest.mark.parametrize(
    ("email", "is_deleted", "reason"),
    [
        (ADDRESS, False, None),
        (ADDRESS, True, Reason.NO_ADDRESS),
        (None, False, Reason.NO_ADDRESS),
        ("", False, Reason.NO_ADDRESS),
        ("no-at-sign", False, Reason.INVALID_ADDRESS),
        ("alice@example.com\r\nBcc: eve@example.com", False, Reason.INVALID_ADDRESS),
    ],
)
def test_an_address_is_known_and_one(email: str | None, is_deleted: bool, reason: Reason | None) -> None:
    assert judge(closing(OPEN, email=email, recipient={"is_deleted": is_deleted})).reason is reason


@pytest.mark.parametrize(("seconds", "is_expired"), [(-1, True), (0, True), (1, False)])
def test_a_mail_expires_at_its_moment(seconds: int, is_expired: bool) -> None:
    verdict = judge(closing(OPEN, expires_at=NOW + timedelta(seconds=seconds)))

    assert (verdict.reason is Reason.EXPIRED) == is_expired


def test_an_actor_without_a_name_is_nobody_s_recipient() -> None:
    assert judge(closing(OPEN, user_id=None, actor_id=None)).reason is None
    assert judge(closing(OPEN, actor_id="u-2")).reason is None


def test_the_evidence_quotes_no_address() -> None:
    for _, changes, _ in ORDER:
        assert "@" not in str(judge(closing(OPEN, **changes)).evidence)
    assert "alice" not in str(judge(closing(OPEN, email="alice@@example.com")).evidence)
