"""Who a mail comes from: a pure choice between the platform's addresses, made for one tenant and one provider."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from providers.errors import InvalidAddressError
from providers.mailbox import Mailbox, parse_address

PLACEHOLDER = "{tenant}"
"""Stands for the tenant's slug in a pattern."""

_MAX_LABEL = 63  # RFC 1035 §2.3.4
# Two hyphens in a row are left to A-labels (RFC 5891 §4.2.3.1). The same rule as the event's and the table's.
_DNS_LABEL = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_NAME_AND_ADDRESS = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")


class InvalidSenderPolicyError(ValueError):
    """A sender setting cannot be used. The message names the variable, never its value."""


class InvalidSlugError(ValueError):
    """A tenant's slug is not a DNS label, so no address can be made from it."""


class NoSenderError(Exception):
    """The provider may send from none of the addresses that are configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderPolicy:
    """The platform's addresses, as configured: what a tenant without a domain of its own sends from.

    `email_from` (EMAIL_FROM) and `reply_to` (EMAIL_REPLY_TO) may be `Name <address>`. The patterns hold `{tenant}`:
    `tenant_from_pattern` (EMAIL_TENANT_FROM_PATTERN) and `tenant_reply_to_pattern` are whole addresses,
    `tenant_subdomain_pattern` (EMAIL_TENANT_SUBDOMAIN_PATTERN) is a domain that takes its local part from `email_from`.

    Raises:
        InvalidSenderPolicyError: when one of them cannot be read, or the domain pattern stands without `email_from`.
    """

    email_from: str | None = None
    tenant_from_pattern: str | None = None
    tenant_subdomain_pattern: str | None = None
    reply_to: str | None = None
    tenant_reply_to_pattern: str | None = None
    resend_default_domain: str | None = None

    def __post_init__(self) -> None:
        if self.email_from is not None:
            _check_mailbox("EMAIL_FROM", self.email_from)
        if self.reply_to is not None:
            _check_mailbox("EMAIL_REPLY_TO", self.reply_to)
        if self.tenant_from_pattern is not None:
            _check_pattern("EMAIL_TENANT_FROM_PATTERN", self.tenant_from_pattern, "an address")
        if self.tenant_reply_to_pattern is not None:
            _check_pattern("EMAIL_TENANT_REPLY_TO_PATTERN", self.tenant_reply_to_pattern, "an address")
        if self.tenant_subdomain_pattern is not None:
            _check_pattern("EMAIL_TENANT_SUBDOMAIN_PATTERN", self.tenant_subdomain_pattern, "a domain")
            if self.email_from is None and self.tenant_from_pattern is None:
                raise InvalidSenderPolicyError(
                    "EMAIL_TENANT_SUBDOMAIN_PATTERN needs EMAIL_FROM, which its local part comes from"
                )
        if self.resend_default_domain is not None and not _is_address(f"a@{self.resend_default_domain}"):
            raise InvalidSenderPolicyError("RESEND_DEFAULT_DOMAIN is not a domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantIdentity:
    """The tenant as a sender. `slug` is unique among tenants and a DNS label; `name` is shown as the display name.

    Raises:
        InvalidSlugError: when `slug` is not a DNS label.
    """

    name: str
    slug: str

    def __post_init__(self) -> None:
        if not is_dns_label(self.slug):
            raise InvalidSlugError("a tenant's slug is a DNS label: a-z, 0-9 and inner hyphens, at most 63 characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderAddress:
    """What the mail's From, Reply-To and envelope sender will be. `domain` is the From address's, in lower case."""

    from_: Mailbox
    reply_to: tuple[Mailbox, ...]
    mail_from: str
    domain: str


def sender_for(
    identity: SenderPolicy, tenant: TenantIdentity, provider_may_send: Callable[[str], bool]
) -> SenderAddress:
    """Return the first sender whose domain the provider may use: the tenant's, the default domain's, the platform's.

    The tenant's own address comes from the address pattern, else from the domain pattern, else it is EMAIL_FROM. An
    address that a long slug makes invalid (a local part over 64, a label over 63 characters) is passed over like one
    that is not allowed.

    Raises:
        NoSenderError: when the provider may use none of them.
    """
    for candidate in _candidates(identity, tenant.slug):
        address = _find_address(candidate)
        if address is None:
            continue
        mailbox = _mailbox(identity, tenant, address)
        if provider_may_send(mailbox.domain):
            return SenderAddress(
                from_=mailbox, reply_to=_reply_to(identity, tenant), mail_from=mailbox.addr_spec, domain=mailbox.domain
            )
    raise NoSenderError("the provider may send from none of the configured sender addresses")


def is_dns_label(slug: str) -> bool:
    """Tell whether `slug` can be one label of a host name as it stands: lower case, at most 63 characters."""
    return len(slug) <= _MAX_LABEL and _DNS_LABEL.fullmatch(slug) is not None


def slugify(name: str) -> str:
    """Return the DNS label for a name; one that has no letter or digit of ASCII becomes `t-` and a hash of it.

    Two names may have the same slug: whoever stores it keeps it unique.
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode().lower()
    label = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_LABEL].rstrip("-")
    return label or f"t-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def _candidates(identity: SenderPolicy, slug: str) -> Iterator[str]:
    """Yield the addresses to try, best first."""
    platform = None if identity.email_from is None else _split(identity.email_from)[1]
    if identity.tenant_from_pattern is not None:
        yield identity.tenant_from_pattern.replace(PLACEHOLDER, slug)
    elif identity.tenant_subdomain_pattern is not None and platform is not None:
        domain = identity.tenant_subdomain_pattern.replace(PLACEHOLDER, slug)
        yield f"{platform.rpartition('@')[0]}@{domain}"
    elif platform is not None:
        yield platform
    if identity.resend_default_domain is not None:
        yield f"{slug}@{identity.resend_default_domain}"
    if platform is not None:
        yield platform


def _mailbox(identity: SenderPolicy, tenant: TenantIdentity, address: str) -> Mailbox:
    """Return the From mailbox: named after the tenant, or as EMAIL_FROM is where that name cannot be shown."""
    mailbox = Mailbox(tenant.name, address)
    if mailbox.display_name is not None or identity.email_from is None:
        return mailbox
    return Mailbox(_split(identity.email_from)[0], address)


def _reply_to(identity: SenderPolicy, tenant: TenantIdentity) -> tuple[Mailbox, ...]:
    """Return where answers go: the tenant's own address, else the platform's, else nowhere but From."""
    if identity.tenant_reply_to_pattern is not None:
        address = _find_address(identity.tenant_reply_to_pattern.replace(PLACEHOLDER, tenant.slug))
        if address is not None:
            return (Mailbox(tenant.name, address),)
    if identity.reply_to is not None:
        name, address = _split(identity.reply_to)
        return (Mailbox(name, parse_address(address)),)
    return ()


def _split(value: str) -> tuple[str | None, str]:
    """Split `Name <address>`, or a bare address, into a name and an address that is not checked yet."""
    match = _NAME_AND_ADDRESS.fullmatch(value.strip())
    if match is None:
        return None, value.strip()
    return match["name"].strip().strip('"').strip() or None, match["address"].strip()


def _find_address(value: str) -> str | None:
    """Return the normalised address, or None when it is not one."""
    try:
        return parse_address(value)
    except InvalidAddressError:
        return None


def _is_address(value: str) -> bool:
    """Tell whether `value` is one bare address."""
    return _find_address(value) is not None


def _check_mailbox(variable: str, value: str) -> None:
    """Refuse a setting that is neither an address nor a name with one."""
    if not _is_address(_split(value)[1]):
        raise InvalidSenderPolicyError(f"{variable} is neither an address nor 'Name <address>'")


def _check_pattern(variable: str, pattern: str, shape: str) -> None:
    """Refuse a pattern without `{tenant}`, or one that does not give an address (or a domain) with it."""
    if PLACEHOLDER not in pattern:
        raise InvalidSenderPolicyError(f"{variable} does not contain {PLACEHOLDER}")
    filled = pattern.replace(PLACEHOLDER, "tenant")
    is_good = "@" not in filled and _is_address(f"a@{filled}") if shape == "a domain" else _is_address(filled)
    if not is_good or "{" in filled or "}" in filled:
        raise InvalidSenderPolicyError(f"{variable} is not {shape} once {PLACEHOLDER} is filled in")
