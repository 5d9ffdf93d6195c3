"""What a switch means where not everything is said, and a provider that does not do what it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from notifications.sender_address import SenderPolicy
from outbound.canary import Canary, send_canary
from outbound.cli.provider_switch import command_for, default_fallback, in_words
from outbound.provider_check import Single
from providers.choice import Choice
from providers.receipt import Outcome
from tests.providers.scripted import ScriptedProvider

CANARY = Canary(to="sink@drill.example", policy=SenderPolicy(email_from="noreply@acme.example"), purpose="test")


@pytest.mark.parametrize(
    ("name", "current", "configured", "fallback"),
    [
        ("resend", Choice("smtp", "resend"), Choice("smtp", "resend"), "smtp"),
        ("smtp", Choice("resend", "smtp"), Choice("smtp", "resend"), "resend"),
        ("smtp", Choice("smtp", "resend"), Choice("smtp", "resend"), "resend"),
        ("ses", Choice("smtp", "resend"), Choice("smtp", "resend"), "resend"),
        ("resend", Choice("smtp"), Choice("smtp"), None),
        ("resend", Choice("resend"), Choice("smtp", "resend"), None),
        ("smtp", Choice("resend"), Choice("smtp", "resend"), "resend"),
        ("resend", Choice("ses"), Choice("smtp", "resend"), "smtp"),
        ("ses", Choice("smtp"), Choice("smtp", "resend"), "resend"),
    ],
)
def test_a_pair_stays_a_pair_and_nobody_gets_a_fallback_that_was_never_wanted(
    name: str, current: Choice, configured: Choice, fallback: str | None
) -> None:
    assert default_fallback(name, current, configured) == fallback


def test_a_choice_is_said_in_words_and_as_the_command_that_makes_it() -> None:
    choice = Choice("smtp", "resend", {"ses": 10, "other": 5})

    assert in_words(choice) == "primary smtp, fallback resend, 5 % to other, 10 % to ses"
    assert command_for(choice) == ("outbound providers switch smtp --fallback resend --split other=5 --split ses=10")


async def test_a_provider_that_raises_is_unknown_under_the_name_of_what_it_raised() -> None:
    provider = ScriptedProvider("scripted")
    provider.answer = ZeroDivisionError()

    answered = await send_canary(Single(provider), "scripted", CANARY)

    assert (answered.receipt.outcome, answered.receipt.error) == (Outcome.UNKNOWN, "ZeroDivisionError")
    assert not answered.is_accepted


async def test_nobody_waits_for_ever_for_a_provider_that_never_answers() -> None:
    provider = ScriptedProvider("scripted")
    provider.answer = None

    answered = await send_canary(Single(provider, patience_seconds=0.01), "scripted", CANARY)

    assert (answered.receipt.outcome, answered.receipt.error) == (Outcome.UNKNOWN, "attempt_timeout")


async def test_every_canary_is_a_mail_of_its_own() -> None:
    provider = ScriptedProvider("scripted")

    first, second = await asyncio.gather(*(send_canary(Single(provider), "scripted", CANARY) for _ in range(2)))

    assert first.id != second.id
    assert first.from_ == "noreply@acme.example"


async def test_a_single_provider_is_not_another_one() -> None:
    single: Any = Single(ScriptedProvider("scripted"))

    with pytest.raises(KeyError):
        await send_canary(single, "other", CANARY)
