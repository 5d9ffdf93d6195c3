"""The Postgres roles: who may see what, whatever the code above asks for (DESIGN §7)."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Every connection acts as exactly one of these; the login itself may do nothing."""

    OWNER = "outbound_owner"
    """Owns the tables and migrates; bound by forced row-level security too."""
    WORKER = "outbound_worker"
    """The line: a transaction names the tenants of its batch."""
    API = "outbound_api"
    """The web side: a transaction names exactly one tenant."""
    DISPATCHER = "outbound_dispatcher"
    """All rows of the tables that hold ids only."""
    PLATFORM = "outbound_platform"
    """An operator: reads everything, writes what belongs to no tenant."""
