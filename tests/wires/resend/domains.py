"""Domains and their verification life (https://resend.com/docs/dashboard/domains/introduction)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.wires.resend.reply import Reply, refusal

RECORDS_ARE_AWAITED = timedelta(hours=72)
REGIONS = ("us-east-1", "eu-west-1", "sa-east-1", "ap-northeast-1")
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
_SWITCHES = ("open_tracking", "click_tracking", "tracking_subdomain")
# What a domain's status says of each of its records, where the test does not say otherwise.
_OF_RECORDS = {"partially_verified": "pending", "partially_failed": "failed"}


@dataclass
class Record:
    """A DNS record that the domain's owner has to publish."""

    record: str
    name: str
    type: str
    value: str
    priority: int | None = None
    status: str = "not_started"

    @property
    def is_for_sending(self) -> bool:
        return self.record in {"SPF", "DKIM"}

    def shown(self, *, in_event: bool = False) -> dict[str, Any]:
        """Webhooks call the receiving record by another name than the API does."""
        kind = "Receiving MX" if in_event and self.record == "Receiving" else self.record
        shown = {"record": kind, "name": self.name, "type": self.type, "ttl": "Auto", "status": self.status}
        return shown | {"value": self.value} | ({} if self.priority is None else {"priority": self.priority})


@dataclass
class Domain:
    """A domain of one team. `verifications` counts how often the check was asked for."""

    id: str
    name: str
    team: str
    region: str
    created_at: datetime
    capabilities: dict[str, str]
    settings: dict[str, Any]
    records: list[Record]
    status: str = "not_started"
    verifications: int = 0
    awaited_since: datetime | None = None

    @property
    def may_send(self) -> bool:
        return self.status == "verified" or all(
            record.status == "verified" for record in self.records if record.is_for_sending
        )

    def listed(self) -> dict[str, Any]:
        tracking = {name: self.settings[name] for name in ("open_tracking", "click_tracking") if name in self.settings}
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "created_at": f"{self.created_at:%Y-%m-%d %H:%M:%S.%f}+00",
            "region": self.region,
            "capabilities": self.capabilities,
            **tracking,
        }

    def shown(self) -> dict[str, Any]:
        return {
            "object": "domain",
            **self.listed(),
            **self.settings,
            "records": [item.shown() for item in self.records],
        }

    def event_data(self) -> dict[str, Any]:
        return {
            **self.listed(),
            "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S.000Z}",
            "records": [item.shown(in_event=True) for item in self.records],
        }


@dataclass
class Domains:
    """All domains of all teams. `on_change(kind, domain)` is told of every change, as a webhook would be."""

    on_change: Callable[[str, Domain], None]
    by_id: dict[str, Domain] = field(default_factory=dict)

    def named(self, name: str) -> Domain:
        [domain] = [domain for domain in self.by_id.values() if domain.name == name]
        return domain

    def set_status(self, name: str, status: str, **records: str) -> Domain:
        """Let the far end find `status`; `records` gives kinds of record (SPF, DKIM, Receiving …) another one.

        A partially verified domain may send and waits for the rest; a partially failed one may send and lost the rest.
        """
        domain = self.named(name)
        for record in domain.records:
            rest = "verified" if record.is_for_sending and status in _OF_RECORDS else _OF_RECORDS.get(status, status)
            record.status = records.get(record.record, rest)
        domain.status = status
        self.on_change("domain.updated", domain)
        return domain

    def may_send(self, name: str, team: str) -> bool:
        """By exact name: a subdomain is another domain."""
        return any(domain.name == name and domain.team == team and domain.may_send for domain in self.by_id.values())

    def create(self, team: str, body: dict[str, Any], now: datetime) -> Reply:
        """Refuse a name that is taken by whomever. No document tells with which error; the status here is a guess."""
        name, region = str(body.get("name", "")).lower(), body.get("region", "us-east-1")
        if not _NAME.fullmatch(name):
            return refusal(422, "validation_error", "The `name` is not a domain.")
        if region not in REGIONS:
            return refusal(422, "invalid_region", "Region must be one of the listed ones.")
        if any(domain.name == name for domain in self.by_id.values()):
            return refusal(403, "validation_error", "The domain has been registered already.")
        capabilities = {"sending": "enabled", "receiving": "disabled"} | body.get("capabilities", {})
        settings = {name: body[name] for name in _SWITCHES if name in body}
        identifier = f"00000000-0000-4000-9000-{len(self.by_id):012d}"
        records = _records(body.get("custom_return_path", "send"), region, capabilities, settings)
        domain = Domain(identifier, name, team, region, now, capabilities, settings, records)
        self.by_id[identifier] = domain
        self.on_change("domain.created", domain)
        shown = domain.shown()
        return Reply(201, {key: value for key, value in shown.items() if key != "object"})

    def find(self, identifier: str, team: str, now: datetime) -> Domain | None:
        """A team sees its own. Records that are not found within 72 hours have failed."""
        domain = self.by_id.get(identifier)
        if domain is None or domain.team != team:
            return None
        if domain.status == "pending" and now - (domain.awaited_since or now) >= RECORDS_ARE_AWAITED:
            self.set_status(domain.name, "failed")
        return domain

    def shown(self, domain: Domain) -> Reply:
        return Reply(200, domain.shown())

    def of(self, team: str) -> Reply:
        data = [domain.listed() for domain in self.by_id.values() if domain.team == team]
        return Reply(200, {"object": "list", "has_more": False, "data": data})

    def verify(self, domain: Domain, now: datetime) -> Reply:
        """Only begins the check: the result is seen by asking again, or by webhook."""
        domain.verifications += 1
        if domain.status != "verified":
            domain.awaited_since = now
            self.set_status(domain.name, "pending")
        return Reply(200, {"object": "domain", "id": domain.id})

    def update(self, domain: Domain, body: dict[str, Any]) -> Reply:
        domain.settings |= {name: body[name] for name in _SWITCHES if name in body}
        domain.capabilities |= body.get("capabilities", {})
        known = {(record.record, record.name): record.status for record in domain.records}
        domain.records = _records(domain.records[0].name, domain.region, domain.capabilities, domain.settings)
        for record in domain.records:
            record.status = known.get((record.record, record.name), record.status)
        self.on_change("domain.updated", domain)
        return Reply(200, {"object": "domain", "id": domain.id})

    def delete(self, domain: Domain) -> Reply:
        del self.by_id[domain.id]
        self.on_change("domain.deleted", domain)
        return Reply(200, {"object": "domain", "id": domain.id, "deleted": True})


def _records(return_path: str, region: str, capabilities: dict[str, str], settings: dict[str, Any]) -> list[Record]:
    records = [
        Record("SPF", return_path, "MX", f"feedback-smtp.{region}.amazonses.com", 10),
        Record("SPF", return_path, "TXT", '"v=spf1 include:amazonses.com ~all"'),
        Record("DKIM", "resend._domainkey", "TXT", "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ"),
    ]
    if capabilities.get("receiving") == "enabled":
        records.append(Record("Receiving", "inbound", "MX", f"inbound-smtp.{region}.amazonaws.com", 10))
    if "tracking_subdomain" in settings:
        records.append(Record("Tracking", settings["tracking_subdomain"], "CNAME", "links.resend-dns.example"))
    return records
