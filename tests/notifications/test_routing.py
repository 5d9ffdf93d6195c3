"""Which provider carries a tenant's mail, and from which address."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.routing import Routing
from notifications.sender_address import SenderPolicy
from providers.manager import ProviderManager
from providers.receipt import Outcome
from tests.notifications.builders import OTHER_TENANT, a_tenant
from tests.providers.messages import a_message, yes
from tests.providers.scripted import NOW, Clock, ScriptedProvider

PLATFORM = frozenset({"outbound.example"})


def senders(
    *, smtp: frozenset[str] = frozenset(), resend: frozenset[str] | None = frozenset()
) -> tuple[Routing, ScriptedProvider]:
    """SMTP first and Resend behind it, each with the domains it may send from (none named: any)."""
    first = ScriptedProvider("smtp", domains=smtp)
    providers = {"smtp": first}
    if resend is not None:
        providers["resend"] = ScriptedProvider("resend", idempotent=True, domains=resend)
    manager = ProviderManager(
        providers,
        "smtp",
        "resend" if resend is not None else None,
        breaker_threshold=1,
        now=Clock(),
    )
    policy = SenderPolicy(email_from="noreply@outbound.example", tenant_subdomain_pattern="{tenant}.mail.example")
    return Routing(policy=policy, providers=manager), first


async def fail(chooser: Routing, provider: ScriptedProvider, **answer: object) -> None:
    provider.answer = {"outcome": Outcome.NOT_SENT, "error": "away", **answer}
    await chooser.providers.send("smtp", a_message(), yes)


def test_the_primary_sends_from_the_tenant_s_own_address() -> None:
    chooser, _ = senders()

    choice = chooser.choose(a_tenant())

    assert choice is not None
    assert (choice.provider, choice.sender.mail_from) == ("smtp", "noreply@acme.mail.example")
    assert choice.paused_until is None


def test_a_provider_that_may_not_use_the_tenant_s_address_uses_the_platform_s() -> None:
    chooser, _ = senders(smtp=PLATFORM)

    choice = chooser.choose(a_tenant())

    assert choice is not None
    assert (choice.provider, choice.sender.mail_from) == ("smtp", "noreply@outbound.example")


def test_where_only_the_fallback_may_send_it_does() -> None:
    chooser, _ = senders(smtp=frozenset({"elsewhere.example"}), resend=PLATFORM)

    choice = chooser.choose(a_tenant())

    assert choice is not None
    assert (choice.provider, choice.sender.mail_from) == ("resend", "noreply@outbound.example")


@pytest.mark.parametrize("resend", [None, frozenset({"elsewhere.example"})])
def test_where_nobody_may_send_there_is_no_choice_but_a_preferred_sender(resend: frozenset[str] | None) -> None:
    chooser, _ = senders(smtp=frozenset({"elsewhere.example"}), resend=resend)

    preferred = chooser.preferred(a_tenant())

    assert chooser.choose(a_tenant()) is None
    assert preferred is not None
    assert preferred.mail_from == "noreply@acme.mail.example"


async def test_a_primary_that_fails_is_passed_over_for_new_mail() -> None:
    chooser, primary = senders()

    await fail(chooser, primary)

    choice = chooser.choose(a_tenant())
    assert choice is not None
    assert choice.provider == "resend"


def test_a_mail_goes_on_from_the_primary_to_the_fallback_and_never_back() -> None:
    chooser, _ = senders(resend=PLATFORM)

    onwards = chooser.alternative(a_tenant(), "smtp")

    assert onwards is not None
    assert (onwards.provider, onwards.sender.mail_from) == ("resend", "noreply@outbound.example")
    assert chooser.alternative(a_tenant(), "resend") is None


@pytest.mark.parametrize("resend", [None, frozenset({"elsewhere.example"})])
def test_there_is_no_way_on_to_a_fallback_that_is_not_there_or_may_not(resend: frozenset[str] | None) -> None:
    chooser, _ = senders(resend=resend)

    assert chooser.alternative(a_tenant(), "smtp") is None


async def test_a_throttled_provider_keeps_its_mail_and_says_until_when() -> None:
    chooser, primary = senders()

    await fail(chooser, primary, outcome=Outcome.THROTTLED, retry_after=timedelta(hours=2))

    choice = chooser.choose(a_tenant())
    assert choice is not None
    assert choice.provider == "smtp"
    assert choice.paused_until == NOW + timedelta(hours=2)


def test_a_sender_is_remembered_for_as_long_as_the_settings_stand() -> None:
    chooser, _ = senders()

    first = chooser.preferred(a_tenant(name="Acme"))
    same_version = chooser.preferred(a_tenant(name="Renamed"))
    next_version = chooser.preferred(a_tenant(name="Renamed", version=2))
    other = chooser.preferred(a_tenant(id=OTHER_TENANT, name="Other", slug="other"))

    assert first is same_version
    assert next_version is not None
    assert next_version.from_.display_name == "Renamed"
    assert other is not None
    assert other.mail_from == "noreply@other.mail.example"


def test_whether_a_repeat_is_safe_is_unknown_of_a_provider_that_is_gone() -> None:
    chooser, _ = senders()

    assert [chooser.is_idempotent(name) for name in ("smtp", "resend", "gone")] == [False, True, None]
