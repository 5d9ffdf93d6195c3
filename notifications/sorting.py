"""Sorts what was planned by what is known of it: new events, repeats of known ones, and what names no tenant. Pure."""

from __future__ import annotations

from notifications.entry import DeadLetter, Entry
from notifications.facts import Seen
from notifications.plan import Plan, PlannedEvent
from notifications.ports import BatchFacts
from notifications.status import Reason


def sort_out(plan: Plan, facts: BatchFacts) -> tuple[list[PlannedEvent], list[PlannedEvent], list[DeadLetter]]:
    """Part new events from repeats and redeliveries, and dead-letter what names no tenant we know."""
    dead = list(plan.dead)
    known: dict[bool, list[PlannedEvent]] = {True: [], False: []}
    for is_first, met in ((True, plan.events), (False, plan.repeats)):
        for event in met:
            if event.key.tenant_id in facts.tenants or event.registers_tenant:
                known[is_first].append(event)
            else:
                dead.append(_unknown_tenant(event))
    events = [event for event in known[True] if event.key not in facts.seen]
    repeats = [
        event
        for event in (*known[True], *known[False])
        if event.key in facts.seen and not is_same(event.entry, facts.seen[event.key])
    ]
    return events, repeats + [event for event in known[False] if event.key not in facts.seen], dead


def is_same(entry: Entry, seen: Seen) -> bool:
    """Tell whether this is the entry that was claimed: a redelivery, which is only acknowledged."""
    return (entry.stream, entry.entry_id) == (seen.stream, seen.entry_id)


def _unknown_tenant(event: PlannedEvent) -> DeadLetter:
    return DeadLetter(
        entry=event.entry,
        reason=Reason.UNKNOWN_TENANT,
        detail="tenantid: no such tenant; register it first (tenant.registered.v1, or `outbound tenants add`)",
        tenant_id=event.key.tenant_id,
        source=event.key.source,
        event_id=event.key.event_id,
        type=event.event.type,
        traceparent=event.event.traceparent,
    )
