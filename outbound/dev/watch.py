"""What became of the events since the start, read from Postgres as an operator: for the view and for the JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.status import RANK, Reason, Status
from outbound.dev.demo import Published
from outbound.moment import with_moments
from storage.roles import Role
from storage.session import Connection, Database

PENDING = "pending"
NOTIFICATIONS = "notifications"
DEAD_LETTERED = "dead_lettered"
DUPLICATE = "duplicate"
SKIPPED = "skipped"
ELSEWHERE = "from elsewhere"
"""The label of what somebody else published meanwhile."""

_MOST = 200

# The demo's own come first, so that a flood from a second terminal cannot push them out of the limit.
_EVENTS = """
select c.stream, c.entry_id, t.slug, c.event_id, c.type, c.outcome, c.repeats,
  (select coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'subtype', l.subtype, 'user_id', l.user_id,
      'status', l.status, 'reason', l.reason, 'history', l.trail) order by l.id), '[]')
    from notification_logs l
    where (l.tenant_id, l.source, l.event_id) = (c.tenant_id, c.source, c.event_id)) as notifications
from (select * from consumed_events where received_at >= $1
  order by entry_id = any($2::text[]) desc, received_at desc limit $3) c
join tenants t on t.id = c.tenant_id
order by c.received_at, c.stream, c.entry_id"""

_DEAD = """
select d.stream, d.entry_id, coalesce(t.slug, d.tenant_id::text) as slug, d.event_id, d.type, d.reason
from (select * from dead_letters where created_at >= $1
  order by entry_id = any($2::text[]) desc, created_at desc limit $3) d
left join tenants t on t.id = d.tenant_id
order by d.created_at, d.stream, d.entry_id"""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationState:
    """A notification as it stands. `history` holds {version, status, reason, at}, oldest first."""

    id: str
    subtype: str
    user_id: str | None
    status: str
    reason: str | None
    history: Sequence[Mapping[str, Any]]

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to come; `accepted` is the end where nobody reports a delivery."""
        return RANK[Status(self.status)] > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """What became of one entry: `outcome` is pending, notifications, directory, skipped, duplicate or dead_lettered."""

    label: str
    id: str | None
    type: str | None
    tenant: str | None
    stream: str
    entry_id: str
    outcome: str = PENDING
    reason: str | None = None
    notifications: Sequence[NotificationState] = ()

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the demo's."""
        return self.label != ELSEWHERE

    @property
    def is_done(self) -> bool:
        """Whether the entry and everything it led to have come to their end."""
        return self.outcome != PENDING and all(notification.is_done for notification in self.notifications)


class Watch:
    """Reads how far things are: the published events in their order, then what came from elsewhere meanwhile."""

    def __init__(self, database: Database, since: datetime, published: Sequence[Published]) -> None:
        self._database = database
        self._since = since
        self._published = published

    async def read(self) -> list[EventState]:
        """Return the present state.

        Raises:
            UnavailableError: when Postgres is away.
        """
        entry_ids = [one.entry_id for one in self._published]
        async with self._database.everyone(Role.PLATFORM) as connection:
            found = await _events(connection, self._since, entry_ids) | await _dead(connection, self._since, entry_ids)
        ours = [_merged(one, found.pop((one.stream, one.entry_id), None)) for one in self._published]
        return ours + list(found.values())


async def database_time(database: Database) -> datetime:
    """Return the database's present moment: the clock its rows are dated by."""
    async with database.everyone(Role.PLATFORM) as connection:
        moment: datetime = await connection.fetchval("select now()")
    return moment


def summary(states: Sequence[EventState], mails: int | None) -> dict[str, Any]:
    """Return everything as one JSON object.

    Totals count each notification's every reason once. `inbox` is the number of mails that came in since the start,
    those that had been waiting from a former one included; null where the inbox is not ours.
    """
    notifications = [notification for state in states for notification in state.notifications]
    reasons = Counter(state.reason for state in states if state.reason)
    for notification in notifications:
        reasons.update({step["reason"] for step in notification.history if step["reason"]})
    return {
        "events": [_event_json(state) for state in states],
        "totals": {
            "events": len(states),
            "notifications": len(notifications),
            "outcomes": dict(Counter(state.outcome for state in states)),
            "statuses": dict(Counter(notification.status for notification in notifications)),
            "reasons": dict(reasons),
        },
        "inbox": mails,
    }


def _event_json(state: EventState) -> dict[str, Any]:
    return {
        "label": state.label,
        "id": state.id,
        "type": state.type,
        "tenant": state.tenant,
        "stream": state.stream,
        "entry_id": state.entry_id,
        "outcome": state.outcome,
        "reason": state.reason,
        "notifications": [
            {
                "id": notification.id,
                "subtype": notification.subtype,
                "user_id": notification.user_id,
                "status": notification.status,
                "reason": notification.reason,
                "history": [with_moments(step) for step in notification.history],
            }
            for notification in state.notifications
        ],
    }


def _merged(published: Published, found: EventState | None) -> EventState:
    """Lay what is found over what was published; an entry nobody could read keeps the id we know it by."""
    event = published.event
    return EventState(
        label=event.label,
        id=event.id,
        type=(found and found.type) or event.type,
        tenant=(found and found.tenant) or event.tenant,
        stream=published.stream,
        entry_id=published.entry_id,
        outcome=found.outcome if found else PENDING,
        reason=found.reason if found else None,
        notifications=found.notifications if found else (),
    )


async def _events(connection: Connection, since: datetime, entry_ids: Sequence[str]) -> dict[_Key, EventState]:
    found: dict[_Key, EventState] = {}
    for row in await connection.fetch(_EVENTS, since, entry_ids, _MOST):
        led_to_nothing = row["outcome"] == Reason.NO_RECIPIENTS
        found[row["stream"], row["entry_id"]] = EventState(
            label=ELSEWHERE,
            id=row["event_id"],
            type=row["type"],
            tenant=row["slug"],
            stream=row["stream"],
            entry_id=row["entry_id"],
            outcome=SKIPPED if led_to_nothing else row["outcome"],
            reason=row["outcome"] if led_to_nothing else None,
            notifications=[NotificationState(**one) for one in json.loads(row["notifications"])],
        )
        for repeat in json.loads(row["repeats"]):
            found[repeat["stream"], repeat["entry_id"]] = EventState(
                label=ELSEWHERE,
                id=row["event_id"],
                type=row["type"],
                tenant=row["slug"],
                stream=repeat["stream"],
                entry_id=repeat["entry_id"],
                outcome=DUPLICATE,
                reason=Reason.DUPLICATE,
            )
    return found


async def _dead(connection: Connection, since: datetime, entry_ids: Sequence[str]) -> dict[_Key, EventState]:
    return {
        (row["stream"], row["entry_id"]): EventState(
            label=ELSEWHERE,
            id=row["event_id"],
            type=row["type"],
            tenant=row["slug"],
            stream=row["stream"],
            entry_id=row["entry_id"],
            outcome=DEAD_LETTERED,
            reason=row["reason"],
        )
        for row in await connection.fetch(_DEAD, since, entry_ids, _MOST)
    }
