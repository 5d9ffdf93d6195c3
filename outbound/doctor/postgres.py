"""Postgres: reachable, new enough, migrated, and keeping tenants apart."""

from __future__ import annotations

from collections.abc import Iterator

from outbound.doctor.check import Check, failure, good, warning
from storage.inspection import PostgresInspection, UnreachableError, inspect

_OLDEST = 15


async def check_postgres(dsn: str, head: str) -> list[Check]:
    """Check the database behind DATABASE_URL against `head`, the newest revision we know."""
    try:
        found = await inspect(dsn)
    except UnreachableError as error:
        return [failure("postgres", str(error), "check DATABASE_URL, and that the server runs and lets this host in")]
    return list(judge(found, head))


def judge(found: PostgresInspection, head: str) -> Iterator[Check]:
    """Yield what an inspection means."""
    major, minor = divmod(found.version_number, 10_000)
    if major < _OLDEST:
        yield failure("postgres", f"version {major}.{minor}", f"use Postgres {_OLDEST} or later")
    else:
        yield good("postgres", f"version {major}.{minor}")
    if found.is_superuser or found.bypasses_row_security:
        what = "a superuser" if found.is_superuser else "allowed to bypass row-level security"
        yield warning("postgres login", f"{found.login} is {what}", "use a login that is neither")
    else:
        yield good("postgres login", f"{found.login} is an ordinary user")
    yield from _schema(found, head)


def _schema(found: PostgresInspection, head: str) -> Iterator[Check]:
    if found.missing_roles:
        yield failure(
            "postgres roles",
            f"the login is no member of {', '.join(found.missing_roles)}",
            "run `outbound migrate`, or as an administrator grant these roles to the login",
        )
        return
    yield good("postgres roles", "the login is a member of each")
    if found.revision != head:
        seen = "never migrated" if found.revision is None else f"revision {found.revision}, this version knows {head}"
        yield failure("postgres schema", seen, "run `outbound migrate`")
        return
    yield good("postgres schema", f"revision {head}")
    if found.unprotected_tables:
        yield failure(
            "row-level security",
            f"not forced on {', '.join(found.unprotected_tables)}",
            "alter table … enable row level security, force row level security; then find out who changed it",
        )
    else:
        yield good("row-level security", "forced on every table with a tenant")
