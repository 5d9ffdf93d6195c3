"""What `outbound providers list` knows of each provider, and how it shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outbound.cli.answer import plain, put_json, put_line, put_table
from outbound.cli.provider_switch import in_words
from outbound.provider_check import Examined
from providers.choice import Choice
from providers.receipt import Outcome
from providers.registry import known
from storage.provider_inspection import Traffic
from storage.provider_settings import ProviderRow, StoredChoice

_FOR_TESTS = "recording"
"""Delivers nothing: shown only where somebody uses it."""
_NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that was found out."""

    configured: Choice
    stored: StoredChoice | None
    settings: Sequence[ProviderRow]
    traffic: Sequence[Traffic]
    tenants: Mapping[str, int]

    @property
    def choice(self) -> Choice:
        """What is in use."""
        return self.configured if self.stored is None else self.stored.choice

    def names(self) -> list[str]:
        """Return whom to show: the registered ones, and whoever is used, registered or not."""
        used = self.choice.names | set(self.tenants) | {row.provider for row in self.traffic}
        return sorted({name for name in known() if name != _FOR_TESTS} | used)


def put_findings(findings: Findings, examined: Mapping[str, Examined], *, as_json: bool) -> None:
    """Write them as one object, or as a few lines and a table."""
    rows = [_described(findings, examined[name]) for name in findings.names()]
    stored = findings.stored
    if as_json:
        put_json(
            {
                **_document(findings.choice),
                "switched": None if stored is None else {"by": stored.changed_by, "at": stored.changed_at},
                "environment": _document(findings.configured),
                "providers": rows,
            }
        )
        return
    put_line(f"in use       {in_words(findings.choice)}")
    if stored is not None:
        put_line(f"switched     by {plain(stored.changed_by)} at {plain(stored.changed_at)}")
    put_line(f"environment  {in_words(findings.configured)}")
    if stored is not None and stored.configured != findings.configured:
        put_line(f"             when it was switched: {in_words(stored.configured)}")
    put_table(
        ("provider", "role", "configured", "answers", "last 15 min", "last error", "rests", "last drill", "can"),
        (_cells(row) for row in rows),
        whole=("provider",),
        spare=("can", "last drill", "last error"),
    )


def _described(findings: Findings, examined: Examined) -> dict[str, Any]:
    name = examined.name
    stored = next((row for row in findings.settings if row.provider == name), None)
    return {
        "name": name,
        "role": _role(findings.choice, name),
        "split": findings.choice.split.get(name),
        "tenants": findings.tenants.get(name, 0),
        "is_configured": not examined.problems,
        "problems": list(examined.problems),
        "capabilities": sorted(capability.value for capability in examined.capabilities),
        "is_healthy": examined.is_healthy,
        "passive": _passive([row for row in findings.traffic if row.provider == name]),
        "rest": _rest(stored),
        "drill": None
        if stored is None or stored.drilled_at is None
        else {"at": stored.drilled_at, "outcome": stored.drill_outcome},
    }


def _passive(traffic: Collection[Traffic]) -> dict[str, Any]:
    attempts = sum(row.attempts for row in traffic)
    accepted = sum(row.attempts for row in traffic if row.outcome == Outcome.ACCEPTED)
    failed = [row for row in traffic if row.outcome != Outcome.ACCEPTED]
    last = max(failed, key=lambda row: row.last_at, default=None)
    return {
        "accepted": accepted,
        "failed": {row.outcome: row.attempts for row in sorted(failed, key=lambda row: row.outcome)},
        "success_rate": round(accepted / attempts, 4) if attempts else None,
        "last_error": None if last is None else {"outcome": last.outcome, "error": last.last_error, "at": last.last_at},
    }


def _role(choice: Choice, name: str) -> str | None:
    return {choice.primary: "primary", choice.fallback: "fallback"}.get(name)


def _rest(row: ProviderRow | None) -> dict[str, Any] | None:
    if row is None or row.paused_until is None or row.paused_until <= datetime.now(UTC):
        return None
    return {"until": row.paused_until, "reason": row.pause_reason}


def _document(choice: Choice) -> dict[str, Any]:
    return {"primary": choice.primary, "fallback": choice.fallback, "split": dict(choice.split)}


def _cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    passive, rest, drill = row["passive"], row["rest"], row["drill"]
    last = passive["last_error"]
    return (
        row["name"],
        _roles(row),
        "yes" if row["is_configured"] else " ".join(row["problems"]),
        row["is_healthy"],
        _attempts(passive),
        last and f"{last['outcome']}: {plain(last['error'])} at {plain(last['at'])}",
        rest and f"{rest['reason']} until {plain(rest['until'])}",
        drill and f"{plain(drill['outcome'])} at {plain(drill['at'])}",
        ", ".join(row["capabilities"]) or _NOTHING,
    )


def _roles(row: Mapping[str, Any]) -> str:
    roles = [row["role"]] if row["role"] else []
    roles += [f"split {row['split']} %"] if row["split"] else []
    roles += [f"{row['tenants']} tenant{'s' * (row['tenants'] != 1)}"] if row["tenants"] else []
    return ", ".join(roles) or _NOTHING


def _attempts(passive: Mapping[str, Any]) -> str:
    if passive["success_rate"] is None:
        return _NOTHING
    counts = [f"{passive['accepted']} accepted", *(f"{count} {name}" for name, count in passive["failed"].items())]
    return f"{', '.join(counts)} ({passive['success_rate']:.1%})"
