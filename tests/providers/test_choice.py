"""Which providers are in use, and which of them a notification's first one is."""

from __future__ import annotations

import random
from collections import Counter
from uuid import UUID

import pytest

from providers.choice import Choice, InvalidChoiceError
from tests.notifications.builders import MILLISECONDS, NOTIFICATION

SPLIT = Choice("smtp", "mailgun", {"resend": 10})

VECTOR = {
    "01a20b48-0900-8226-b63c-5ab791b7584a": "resend",
    "01a20b48-0cd1-8cd6-8409-f134c386bbc4": "ses",
    "01a20b48-10a2-8414-9fb5-355e1e2feb89": "smtp",
    "01a20b48-1473-8c2c-9e39-44187311d8a3": "resend",
    "01a20b48-1844-8a6c-b27a-7185612e7696": "smtp",
    "01a20b48-1c15-835b-9f39-0b2018072e8c": "resend",
    "01a20b48-1fe6-8074-b57d-2cece4b06ce6": "resend",
    "01a20b48-23b7-863c-a6e0-439d6ec9d286": "resend",
}
"""What half for Resend and a quarter for SES came to once: another process, or a later version, must say the same."""


def notification_ids(count: int) -> list[UUID]:
    """Ids as the line makes them: milliseconds, then a hash, with the version and variant of a UUIDv8."""
    dice = random.Random(42)  # noqa: S311 - the same ids in every run
    return [
        UUID(
            int=(MILLISECONDS + number) << 80
            | 0x8 << 76
            | dice.getrandbits(12) << 64
            | 0b10 << 62
            | dice.getrandbits(62)
        )
        for number in range(count)
    ]


def test_the_primary_comes_first_and_the_fallback_second() -> None:
    assert Choice("smtp").order(NOTIFICATION) == ("smtp",)
    assert Choice("smtp", "resend").order(NOTIFICATION) == ("smtp", "resend")
    assert Choice("smtp", "resend").names == {"smtp", "resend"}


@pytest.mark.parametrize(
    ("preferred", "order"),
    [
        ("resend", ("resend", "smtp")),
        ("smtp", ("smtp", "resend")),
        ("ses", ("ses", "smtp", "resend")),
        (None, ("smtp", "resend")),
    ],
)
def test_a_tenant_s_own_provider_comes_before_both(preferred: str | None, order: tuple[str, ...]) -> None:
    assert Choice("smtp", "resend").order(NOTIFICATION, preferred) == order


def test_a_tenant_s_own_provider_comes_before_the_split() -> None:
    split = Choice("smtp", None, {"resend": 100})

    assert split.order(NOTIFICATION) == ("resend", "smtp")
    assert split.order(NOTIFICATION, "ses") == ("ses", "smtp")


def test_a_tenth_of_all_mail_is_a_tenth_of_all_mail() -> None:
    orders = Counter(SPLIT.order(id_) for id_ in notification_ids(10_000))

    assert set(orders) == {("resend", "smtp", "mailgun"), ("smtp", "mailgun")}
    assert 850 <= orders["resend", "smtp", "mailgun"] <= 1150


def test_shares_are_parts_of_the_whole_whatever_their_order() -> None:
    split = Choice("smtp", None, {"ses": 25, "resend": 50})

    firsts = Counter(split.order(id_)[0] for id_ in notification_ids(10_000))

    assert 4850 <= firsts["resend"] <= 5150
    assert 2350 <= firsts["ses"] <= 2650
    assert firsts == Counter(
        Choice("smtp", None, {"resend": 50, "ses": 25}).order(id_)[0] for id_ in notification_ids(10_000)
    )


def test_who_got_a_share_keeps_it_when_the_share_grows() -> None:
    tenth, third = (
        {id_ for id_ in notification_ids(2_000) if Choice("smtp", None, {"resend": share}).order(id_)[0] == "resend"}
        for share in (10, 33)
    )

    assert tenth < third


def test_a_whole_share_leaves_the_primary_nothing() -> None:
    split = Choice("smtp", None, {"resend": 60, "ses": 40})

    assert {split.order(id_)[0] for id_ in notification_ids(500)} == {"resend", "ses"}


def test_the_same_notification_has_the_same_first_provider_in_every_process() -> None:
    split = Choice("smtp", None, {"resend": 50, "ses": 25})

    assert {name: split.order(UUID(name))[0] for name in VECTOR} == VECTOR


@pytest.mark.parametrize(
    ("primary", "fallback", "split", "problem"),
    [
        ("smtp", "smtp", {}, "another provider than the primary"),
        ("smtp", None, {"resend": 0}, "1 to 100 per cent"),
        ("smtp", None, {"resend": -1}, "1 to 100 per cent"),
        ("smtp", None, {"resend": 101}, "1 to 100 per cent"),
        ("smtp", None, {"resend": 60, "ses": 41}, "at most 100 in all"),
        ("smtp", None, {"smtp": 10}, "no share of its own"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(
    primary: str, fallback: str | None, split: dict[str, int], problem: str
) -> None:
    with pytest.raises(InvalidChoiceError, match=problem):
        Choice(primary, fallback, split)


def test_every_provider_that_is_named_is_known_before_it_is_used() -> None:
    assert Choice("smtp", "ses", {"resend": 1}).names == {"smtp", "ses", "resend"}
