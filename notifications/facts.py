"""What the gates are told: the settings of a tenant and what is known of a recipient, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from notifications.categories import UncertainPolicy
from notifications.template import TemplateVersion
from notifications.timing import DigestTime, Frequency, QuietHours


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKey:
    """What makes an event the same event (DESIGN §5)."""

    tenant_id: UUID
    source: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtypeSettings:
    """One subtype as it stands for one tenant: the system's row with the tenant's own laid over it."""

    slug: str
    category: str
    category_enabled: bool
    subtype_enabled: bool
    enabled_by_default: bool
    is_mandatory: bool
    is_urgent: bool
    is_secret: bool
    uncertain_policy: UncertainPolicy
    expires_after: timedelta | None
    digest_window: timedelta | None = None

    @property
    def ignores_quiet_hours(self) -> bool:
        """Whether it may wake somebody: what must not be opted out of, and what is waited for."""
        return self.is_mandatory or self.is_urgent


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantEmail:
    """How a tenant's mail goes out. `provider` None is the service's; `headers` are names with their values.

    With `keeps_from` mail waits rather than leave from another domain than the one it has at its first provider.
    """

    provider: str | None = None
    keeps_from: bool = False
    reply_to: str | None = None
    tags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """Everything tenant-wide a decision needs. `version` changes with every change to any of it.

    `rate_per_minute` and `rate_burst` are None where the service's default holds. `templates` holds the tenant's
    current overrides by (name, locale), `branding` what its templates see as `brand`.
    """

    id: UUID
    slug: str
    name: str
    version: int
    is_active: bool
    is_enabled: bool
    rate_per_minute: int | None
    rate_burst: int | None
    subtypes: Mapping[str, SubtypeSettings]
    email: TenantEmail = field(default_factory=TenantEmail)
    templates: Mapping[tuple[str, str], TemplateVersion] = field(default_factory=dict[tuple[str, str], TemplateVersion])
    branding: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientKey:
    """Whom to look up. `email` is the event's own address, lower-case, which beats the directory's.

    With `keeps_address` it does not count where somebody would rather have this kind of mail. `reader` and `about` name
    the digest that it may belong to.
    """

    tenant_id: UUID
    user_id: str | None
    email: str | None
    subtype: str
    category: str
    keeps_address: bool = False
    reader: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFacts:
    """What directory, preferences and suppression list know; None where they know nothing.

    `suppressions` are the reasons listed for the address that would be used, the tenant's and global ones alike.
    `other_email` is where they want this kind of mail instead. `open_digest` tells whether they were told of the same
    thing within the subtype's digest window.
    """

    email: str | None = None
    name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    is_deleted: bool = False
    wants_subtype: bool | None = None
    wants_category: bool | None = None
    other_email: str | None = None
    quiet: QuietHours | None = None
    frequency: Frequency = Frequency.REALTIME
    digest_time: DigestTime = field(default_factory=DigestTime)
    open_digest: bool = False
    suppressions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An event that was claimed before, and under which entry."""

    stream: str
    entry_id: str
