"""Which provider carries a tenant's mail, from which address, and where it may go on to."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from notifications.facts import TenantEmail
from notifications.routing import WORDS_ONLY, Routing, address
from notifications.sender_address import SenderPolicy
from notifications.status import Reason, Status
from providers.choice import Choice
from providers.health import PauseReason
from providers.mailbox import Mailbox
from providers.manager import ProviderManager
from providers.provider import Capability
from providers.receipt import Outcome
from tests.notifications.builders import NOTIFICATION, OTHER_TENANT, a_draft, a_tenant
from tests.providers.messages import a_message, yes
from tests.providers.scripted import NOW, Clock, ScriptedProvider

PLATFORM = frozenset({"outbound.example"})
OWN = frozenset({"acme.mail.example"})
NOWHERE = frozenset({"elsewhere.example"})
ANY: frozenset[str] = frozenset()
KEEPS = TenantEmail(keeps_from=True)


class Scene:
    """SMTP first and Resend behind it, each with the domains it may send from; none named: any."""

    def __init__(self, *, smtp: frozenset[str] = ANY, resend: frozenset[str] | None = ANY) -> None:
        self.smtp = ScriptedProvider("smtp", domains=smtp)
        self.resend = ScriptedProvider("resend", idempotent=True, domains=resend or ANY)
        self.ses = ScriptedProvider("ses")
        providers = {"smtp": self.smtp, "resend": self.resend, "ses": self.ses}
        self.manager = ProviderManager(
            providers, Choice("smtp", "resend" if resend is not None else None), breaker_threshold=1, now=Clock()
        )
        policy = SenderPolicy(email_from="noreply@outbound.example", tenant_subdomain_pattern="{tenant}.mail.example")
        self.routing = Routing(policy=policy, providers=self.manager)

    def chosen(
        self, email: TenantEmail | None = None, needs: frozenset[Capability] = frozenset()
    ) -> tuple[str, str] | None:
        """Return the provider of a new mail and the domain it sends from."""
        route = self.routing.choose(a_tenant(email=email or TenantEmail()), NOTIFICATION, needs)
        return None if route is None else (route.provider, route.sender.domain)

    def onwards(
        self,
        left: str = "smtp",
        email: TenantEmail | None = None,
        domain: str = "acme.mail.example",
        needs: frozenset[Capability] = frozenset(),
    ) -> tuple[str, str] | None:
        """Return where a mail goes on that `left` did not take, and the domain it sends from there."""
        tenant = a_tenant(email=email or TenantEmail())
        route = self.routing.elsewhere(tenant, NOTIFICATION, left=left, from_domain=domain, needs=needs)
        return None if route is None else (route.provider, route.sender.domain)

    async def answers(self, name: str, **answer: object) -> None:
        """Let a provider answer so, once."""
        provider = {"smtp": self.smtp, "resend": self.resend, "ses": self.ses}[name]
        provider.answer = {"outcome": Outcome.NOT_SENT, "error": "away", **answer}
        await self.manager.send(name, a_message(from_=Mailbox(None, "noreply@acme.mail.example")), yes)


def test_the_primary_sends_from_the_tenant_s_own_address() -> None:
    route = Scene().routing.choose(a_tenant(), NOTIFICATION, WORDS_ONLY)

    assert route is not None
    assert (route.provider, route.sender.mail_from, route.pause) == ("smtp", "noreply@acme.mail.example", None)
    assert route.wait(NOTIFICATION) is None


def test_a_provider_that_may_not_use_the_tenant_s_address_uses_the_platform_s() -> None:
    assert Scene(smtp=PLATFORM).chosen() == ("smtp", "outbound.example")


def test_where_only_the_fallback_may_send_it_does() -> None:
    assert Scene(smtp=NOWHERE, resend=PLATFORM).chosen() == ("resend", "outbound.example")


@pytest.mark.parametrize("resend", [None, NOWHERE])
def test_where_nobody_may_send_there_is_no_choice_but_a_preferred_sender(resend: frozenset[str] | None) -> None:
    scene = Scene(smtp=NOWHERE, resend=resend)

    preferred = scene.routing.preferred(a_tenant())

    assert scene.chosen() is None
    assert preferred is not None
    assert preferred.mail_from == "noreply@acme.mail.example"


async def test_new_mail_passes_over_a_primary_that_fails() -> None:
    scene = Scene()

    await scene.answers("smtp")

    assert scene.chosen() == ("resend", "acme.mail.example")


async def test_new_mail_passes_over_a_primary_whose_quota_is_used_up() -> None:
    scene = Scene()

    await scene.answers("smtp", error="quota", retry_after=timedelta(hours=2))

    assert scene.chosen() == ("resend", "acme.mail.example")


async def test_a_throttled_provider_keeps_its_mail_and_says_until_when() -> None:
    scene = Scene()

    await scene.answers("smtp", outcome=Outcome.THROTTLED, retry_after=timedelta(hours=2))

    route = scene.routing.choose(a_tenant(), NOTIFICATION, WORDS_ONLY)
    assert route is not None
    assert route.provider == "smtp"
    assert route.wait(NOTIFICATION) == (Reason.THROTTLED, NOW + timedelta(hours=2))


async def test_where_everybody_is_turned_away_it_waits_for_the_first_and_not_with_all_the_others() -> None:
    scene = Scene()
    for name in ("smtp", "resend"):
        await scene.answers(name)

    route = scene.routing.choose(a_tenant(), NOTIFICATION, WORDS_ONLY)
    assert route is not None
    assert route.pause is not None
    assert (route.provider, route.pause.reason) == ("smtp", PauseReason.BREAKER)
    waits = [route.wait(UUID(int=NOTIFICATION.int + number)) for number in (0, 0x4000, 0x8000, 0xC000)]
    assert {wait[0] for wait in waits if wait} == {Reason.BREAKER}
    spread = [(wait[1] - NOW).total_seconds() for wait in waits if wait]
    assert spread == sorted(spread)
    assert 30 <= spread[0] < spread[-1] < 45


async def test_a_breaker_without_a_fallback_is_waited_for() -> None:
    scene = Scene(resend=None)

    await scene.answers("smtp")

    assert scene.chosen() == ("smtp", "acme.mail.example")


def test_a_tenant_that_keeps_its_address_is_sent_only_by_who_may_use_it() -> None:
    assert Scene(resend=PLATFORM).onwards(email=KEEPS) is None
    assert Scene(resend=OWN).onwards(email=KEEPS) == ("resend", "acme.mail.example")
    assert Scene(resend=PLATFORM).onwards() == ("resend", "outbound.example")


async def test_a_tenant_that_keeps_its_address_waits_for_its_provider() -> None:
    scene = Scene(resend=PLATFORM)

    await scene.answers("smtp")

    assert scene.chosen() == ("resend", "outbound.example")
    assert scene.chosen(KEEPS) == ("smtp", "acme.mail.example")


def test_there_is_no_way_on_to_a_fallback_that_is_not_there_or_may_not() -> None:
    assert Scene(resend=None).onwards() is None
    assert Scene(resend=NOWHERE).onwards() is None


async def test_there_is_no_way_on_to_one_that_takes_no_mail_now() -> None:
    scene = Scene()

    await scene.answers("resend", outcome=Outcome.THROTTLED, retry_after=timedelta(seconds=2))

    assert scene.onwards() is None


async def test_a_tenant_s_own_provider_comes_first_and_the_others_behind_it() -> None:
    scene = Scene()
    own = TenantEmail(provider="ses")

    first, then = scene.chosen(own), scene.onwards("ses", own)
    await scene.answers("ses")

    assert (first, then) == (("ses", "acme.mail.example"), ("smtp", "acme.mail.example"))
    assert scene.chosen(own) == ("smtp", "acme.mail.example")


def test_a_tenant_s_own_provider_that_is_not_configured_is_as_if_not_named() -> None:
    assert Scene().chosen(TenantEmail(provider="pigeon")) == ("smtp", "acme.mail.example")


def test_a_split_gives_mail_to_others_and_the_rest_behind_them() -> None:
    scene = Scene()
    scene.manager.switch(Choice("smtp", "resend", {"ses": 100}))

    assert scene.chosen() == ("ses", "acme.mail.example")
    assert scene.onwards("ses") == ("smtp", "acme.mail.example")


def test_a_switch_counts_from_the_next_choice_on() -> None:
    scene = Scene()

    scene.manager.switch(Choice("resend", "smtp"))

    assert scene.chosen() == ("resend", "acme.mail.example")
    assert scene.onwards("resend") == ("smtp", "acme.mail.example")


FILES = frozenset({Capability.ATTACHMENTS})


async def test_a_mail_goes_only_where_what_it_needs_can_be_done() -> None:
    scene = Scene()
    scene.resend.capabilities |= FILES

    assert scene.chosen(needs=FILES) == ("resend", "acme.mail.example")
    assert scene.onwards("resend", needs=FILES) is None
    assert scene.onwards("smtp", needs=FILES) == ("resend", "acme.mail.example")
    assert scene.chosen(needs=FILES | {Capability.INLINE_IMAGES}) is None
    assert scene.routing.lacking(FILES | {Capability.INLINE_IMAGES}, "resend") == {Capability.INLINE_IMAGES}


def test_a_given_provider_is_asked_for_by_name() -> None:
    routing = Scene(resend=NOWHERE).routing

    smtp = routing.at(a_tenant(), "smtp")

    assert smtp is not None
    assert (smtp.provider, smtp.sender.domain) == ("smtp", "acme.mail.example")
    assert routing.at(a_tenant(), "resend") is None


def test_a_sender_is_remembered_for_as_long_as_the_settings_stand() -> None:
    routing = Scene().routing

    first = routing.preferred(a_tenant(name="Acme"))
    same_version = routing.preferred(a_tenant(name="Renamed"))
    next_version = routing.preferred(a_tenant(name="Renamed", version=2))
    other = routing.preferred(a_tenant(id=OTHER_TENANT, name="Other", slug="other"))

    assert first is same_version
    assert next_version is not None
    assert next_version.from_.display_name == "Renamed"
    assert other is not None
    assert other.mail_from == "noreply@other.mail.example"


def test_whether_a_repeat_is_safe_is_unknown_of_a_provider_that_is_gone() -> None:
    routing = Scene().routing

    assert [routing.is_idempotent(name) for name in ("smtp", "resend", "gone")] == [False, True, None]


def test_what_no_provider_can_carry_is_refused_loudly() -> None:
    drafted = a_draft()

    address(drafted, Scene().routing, FILES, NOW)

    assert (drafted.status, drafted.reason) == (Status.FAILED, Reason.UNSUPPORTED)
    assert drafted.detail == "no provider in use can carry attachments"
