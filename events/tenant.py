"""What is said when something happens to a tenant. Which tenant it is, the envelope says (`tenantid`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from events.fields import EventData, Line, Name

_TenantName = Annotated[Name, StringConstraints(min_length=1)]
# The slug becomes a label of the sender's domain: RFC 1123 §2.1, in lower case. Two hyphens in a row are an A-label's.
_Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=63)]


class TenantRegistered(EventData):
    """A tenant is new."""

    name: _TenantName
    """Its name, for display."""
    slug: _Slug | None = None
    """Its unique short name, fit for a domain name."""


class TenantUpdated(EventData):
    """Something about a tenant changed. What is left out stays as it is."""

    name: _TenantName | None = None
    """Its name, for display."""
    slug: _Slug | None = None
    """Its unique short name, fit for a domain name."""


class TenantSuspended(EventData):
    """Nobody is to get mail in the name of this tenant any more."""

    reason: Line | None = None
    """Why."""
