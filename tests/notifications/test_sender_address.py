"""Sender addresses as a truth table: settings, tenant and provider in, From and Reply-To out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.sender_address import (
    InvalidSenderPolicyError,
    InvalidSlugError,
    NoSenderError,
    SenderPolicy,
    TenantIdentity,
    is_dns_label,
    sender_for,
    slugify,
)
from providers.mailbox import Mailbox

ACME = TenantIdentity(name="Acme Support", slug="acme")


def only(*domains: str) -> Callable[[str], bool]:
    return frozenset(domains).__contains__


def anything(domain: str) -> bool:
    return True


PLATFORM = "Outbound <hello@mail.example.com>"
BY_ADDRESS = "noreply@{tenant}.example.com"
BY_LOCAL_PART = "{tenant}@example.com"
BY_DOMAIN = "{tenant}.sub.example.com"
DEFAULT = "default.example.org"


@pytest.mark.parametrize(
    ("from_pattern", "subdomain_pattern", "default_domain", "allowed", "address"),
    [
        (None, None, None, anything, "hello@mail.example.com"),
        (None, None, DEFAULT, anything, "hello@mail.example.com"),
        (BY_ADDRESS, None, None, anything, "noreply@acme.example.com"),
        (BY_LOCAL_PART, None, None, anything, "acme@example.com"),
        (None, BY_DOMAIN, None, anything, "hello@acme.sub.example.com"),
        (BY_ADDRESS, BY_DOMAIN, DEFAULT, anything, "noreply@acme.example.com"),
        (BY_ADDRESS, BY_DOMAIN, DEFAULT, only("acme.sub.example.com", DEFAULT), "acme@default.example.org"),
        (BY_ADDRESS, None, DEFAULT, only(DEFAULT, "mail.example.com"), "acme@default.example.org"),
        (BY_ADDRESS, None, DEFAULT, only("mail.example.com"), "hello@mail.example.com"),
        (BY_ADDRESS, None, None, only("mail.example.com", DEFAULT), "hello@mail.example.com"),
        (None, BY_DOMAIN, DEFAULT, only(DEFAULT), "acme@default.example.org"),
        (None, BY_DOMAIN, None, only("mail.example.com"), "hello@mail.example.com"),
        (None, None, DEFAULT, only(DEFAULT), "acme@default.example.org"),
    ],
)
def test_the_first_address_the_provider_may_use_is_the_sender(
    from_pattern: str | None,
    subdomain_pattern: str | None,
    default_domain: str | None,
    allowed: Callable[[str], bool],
    address: str,
) -> None:
    policy = SenderPolicy(
        email_from=PLATFORM,
        tenant_from_pattern=from_pattern,
        tenant_subdomain_pattern=subdomain_pattern,
        resend_default_domain=default_domain,
    )

    sender = sender_for(policy, ACME, allowed)

    assert sender.from_ == Mailbox("Acme Support", address)
    assert sender.mail_from == address
    assert sender.domain == address.partition("@")[2]


@pytest.mark.parametrize(
    "policy",
    [
        SenderPolicy(),
        SenderPolicy(email_from=PLATFORM),
        SenderPolicy(email_from=PLATFORM, tenant_from_pattern=BY_ADDRESS, resend_default_domain=DEFAULT),
        SenderPolicy(tenant_from_pattern=BY_ADDRESS),
    ],
)
def test_without_an_address_the_provider_may_use_there_is_no_sender(policy: SenderPolicy) -> None:
    with pytest.raises(NoSenderError):
        sender_for(policy, ACME, only("elsewhere.example.com"))


def test_a_pattern_can_stand_without_the_platforms_address() -> None:
    sender = sender_for(SenderPolicy(tenant_from_pattern=BY_ADDRESS), ACME, anything)

    assert sender.from_.addr_spec == "noreply@acme.example.com"


def test_a_slug_too_long_for_the_local_part_gives_way_to_the_platforms_address() -> None:
    long = TenantIdentity(name="Long", slug="a" * 63)
    policy = SenderPolicy(email_from=PLATFORM, tenant_from_pattern="noreply-{tenant}@example.com")

    assert sender_for(policy, long, anything).from_.addr_spec == "hello@mail.example.com"


def test_a_tenant_name_that_is_an_address_gives_way_to_the_platforms_name() -> None:
    spoof = TenantIdentity(name="ceo@bank.example", slug="spoof")

    sender = sender_for(SenderPolicy(email_from=PLATFORM), spoof, anything)

    assert sender.from_ == Mailbox("Outbound", "hello@mail.example.com")


def test_a_tenant_name_cannot_bring_a_line_into_the_header() -> None:
    spoof = TenantIdentity(name="Acme\r\nBcc: evil@x\u202e", slug="acme")
    named = TenantIdentity(name="Acme\r\nBcc: evil\u202e", slug="acme")

    assert sender_for(SenderPolicy(email_from="a@example.com"), spoof, anything).from_.display_name is None
    assert sender_for(SenderPolicy(email_from="a@example.com"), named, anything).from_.display_name == "Acme Bcc: evil"


@pytest.mark.parametrize(
    ("reply_to", "pattern", "expected"),
    [
        (None, None, ()),
        ("help@example.com", None, (Mailbox(None, "help@example.com"),)),
        ('"The Help" <help@example.com>', None, (Mailbox("The Help", "help@example.com"),)),
        ("help@example.com", "{tenant}@in.example.com", (Mailbox("Acme Support", "acme@in.example.com"),)),
        (None, "reply@{tenant}.in.example.com", (Mailbox("Acme Support", "reply@acme.in.example.com"),)),
    ],
)
def test_answers_go_to_the_tenants_address_else_to_the_platforms(
    reply_to: str | None, pattern: str | None, expected: tuple[Mailbox, ...]
) -> None:
    policy = SenderPolicy(email_from=PLATFORM, reply_to=reply_to, tenant_reply_to_pattern=pattern)

    assert sender_for(policy, ACME, anything).reply_to == expected


def test_a_slug_too_long_for_the_reply_address_gives_way_to_the_platforms_one() -> None:
    policy = SenderPolicy(
        email_from=PLATFORM, reply_to="help@example.com", tenant_reply_to_pattern="reply-{tenant}@example.com"
    )
    long = TenantIdentity(name="Long", slug="a" * 63)

    assert sender_for(policy, long, anything).reply_to == (Mailbox(None, "help@example.com"),)


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"email_from": "nonsense"}, "EMAIL_FROM"),
        ({"email_from": "a@example.com\r\nBcc: b@example.com"}, "EMAIL_FROM"),
        ({"email_from": "A <a@example.com>, B <b@example.com>"}, "EMAIL_FROM"),
        ({"reply_to": "@example.com"}, "EMAIL_REPLY_TO"),
        ({"tenant_from_pattern": "noreply@example.com"}, "EMAIL_TENANT_FROM_PATTERN"),
        ({"tenant_from_pattern": "{tenant}.example.com"}, "EMAIL_TENANT_FROM_PATTERN"),
        ({"tenant_from_pattern": "{tenant}@{tenant}@example.com"}, "EMAIL_TENANT_FROM_PATTERN"),
        ({"tenant_from_pattern": "{tenant}-{user}@example.com"}, "EMAIL_TENANT_FROM_PATTERN"),
        ({"tenant_from_pattern": "Acme <{tenant}@example.com>"}, "EMAIL_TENANT_FROM_PATTERN"),
        ({"tenant_reply_to_pattern": "reply-{tenant}"}, "EMAIL_TENANT_REPLY_TO_PATTERN"),
        ({"email_from": PLATFORM, "tenant_subdomain_pattern": "example.com"}, "EMAIL_TENANT_SUBDOMAIN_PATTERN"),
        ({"email_from": PLATFORM, "tenant_subdomain_pattern": "a@{tenant}.x.com"}, "EMAIL_TENANT_SUBDOMAIN_PATTERN"),
        ({"email_from": PLATFORM, "tenant_subdomain_pattern": "{tenant}..x.com"}, "EMAIL_TENANT_SUBDOMAIN_PATTERN"),
        ({"tenant_subdomain_pattern": BY_DOMAIN}, "EMAIL_TENANT_SUBDOMAIN_PATTERN needs EMAIL_FROM"),
        ({"resend_default_domain": "no domain here"}, "RESEND_DEFAULT_DOMAIN"),
    ],
)
def test_a_bad_setting_is_refused_with_one_line_that_names_it_and_not_its_value(
    settings: dict[str, str], variable: str
) -> None:
    with pytest.raises(InvalidSenderPolicyError) as refused:
        SenderPolicy(**settings)

    message = str(refused.value)
    assert message.startswith(variable)
    assert "\n" not in message
    assert not any(value in message for value in settings.values())


@pytest.mark.parametrize("slug", ["acme", "a", "7", "a-b", "x" * 63, "a-b-c-d"])
def test_a_dns_label_is_a_slug(slug: str) -> None:
    assert is_dns_label(slug)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "ab--c",
        "-a",
        "a-",
        "A",
        "a.b",
        "a b",
        "a\n",
        "a_b",
        "x" * 64,
        "büro",
        "xn--bro-hoa",
        "a@b",
        "{tenant}",
        "../a",
    ],
)
def test_anything_else_is_refused_as_a_slug(slug: str) -> None:
    assert not is_dns_label(slug)
    with pytest.raises(InvalidSlugError):
        TenantIdentity(name="Acme", slug=slug)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("Acme & Söhne GmbH", "acme-sohne-gmbh"),
        ("  Straße 7 ", "strasse-7"),
        ("--", f"t-{hashlib.sha256(b'--').hexdigest()[:10]}"),
        ("a" * 62 + " b", "a" * 62),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    assert slugify(name) == slug


@given(st.text())
@settings(deadline=None)
def test_every_name_has_a_slug_that_is_a_dns_label(name: str) -> None:
    assert is_dns_label(slugify(name))


@given(name=st.text(), slug=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
@settings(deadline=None)
def test_every_tenant_gets_an_address_inside_the_patterns_domain(name: str, slug: str) -> None:
    policy = SenderPolicy(email_from=PLATFORM, tenant_from_pattern=BY_ADDRESS)

    sender = sender_for(policy, TenantIdentity(name=name, slug=slug), anything)

    assert sender.from_.addr_spec == f"noreply@{slug}.example.com"
