"""`outbound why`: what became of an event or a notification, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from uuid import UUID

import typer

from notifications.gates import PASSED
from outbound.cli.answer import FAILED, fail, plain, put_json, put_line
from outbound.moment import with_moments
from outbound.settings import load
from storage.dead_letter_admin import Letter, letters_of_event
from storage.operator import (
    Attempt,
    Notification,
    QueuePlace,
    SeenEvent,
    attempts_of,
    find_event_of,
    find_events,
    find_notification,
    notifications_of,
    open_for_operator,
    queue_places_of,
)
from storage.roles import Role
from storage.session import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """All that is known under an id."""

    events: Sequence[SeenEvent]
    letters: Sequence[Letter]
    notifications: Sequence[Notification]
    attempts: Sequence[Attempt]
    places: Sequence[QueuePlace]


def why(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id of an event or of a notification.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Explain what became of an event or a notification: every gate, status and attempt, with its reason.

    Shows addresses, never what a mail says. Ends with 1 when nothing is known under the id.
    """
    if not id_.strip():
        raise typer.BadParameter("an id is not empty", param_hint="ID")
    settings = load(needs=("DATABASE_URL",))
    found = asyncio.run(_look(settings.database_url.get_secret_value(), id_))
    is_known = bool(found.events or found.letters or found.notifications)
    if as_json:
        put_json(_described(id_, found))
        if not is_known:
            raise typer.Exit(FAILED)
        return
    if not is_known:
        fail(f"never seen here: {plain(id_)}. It waits unread in its stream, went to another one, or is no id of ours")
    _tell(found)


async def _look(dsn: str, id_: str) -> _Found:
    async with open_for_operator(dsn) as database, database.everyone(Role.PLATFORM) as connection:
        notification = await _notification(connection, id_)
        if notification is not None:
            event = await find_event_of(connection, notification)
            events, letters, notifications = [event] if event else [], list[Letter](), [notification]
        else:
            events = await find_events(connection, id_)
            letters = await letters_of_event(connection, id_)
            notifications = await notifications_of(connection, events)
        ids = [one.id for one in notifications]
        return _Found(
            events=events,
            letters=letters,
            notifications=notifications,
            attempts=await attempts_of(connection, ids),
            places=await queue_places_of(connection, ids),
        )


async def _notification(connection: Connection, id_: str) -> Notification | None:
    """Return the notification with this id; an event's id may look like one too."""
    try:
        notification_id = UUID(id_)
    except ValueError:
        return None
    return await find_notification(connection, notification_id)


def _described(id_: str, found: _Found) -> dict[str, Any]:
    return {
        "id": id_,
        "events": [
            asdict(event) | {"repeats": [with_moments(repeat) for repeat in event.repeats]} for event in found.events
        ],
        "dead_letters": [
            {name: value for name, value in asdict(letter).items() if name != "fields"} for letter in found.letters
        ],
        "notifications": [
            asdict(one)
            | {
                "gates": _gates(one),
                "trail": [with_moments(step) for step in one.trail],
                "attempts": [asdict(attempt) for attempt in found.attempts if attempt.notification_id == one.id],
                "queue": next((asdict(place) for place in found.places if place.notification_id == one.id), None),
            }
            for one in found.notifications
        ],
    }


def _tell(found: _Found) -> None:
    for event in found.events:
        _tell_event(event)
    for letter in found.letters:
        put_line(f"dead letter  {plain(letter.stream)} {letter.entry_id}, since {plain(letter.created_at)}")
        put_line(f"  reason     {plain(letter.reason)}: {plain(letter.detail)}")
        put_line(f"  state      {letter.state}")
    for notification in found.notifications:
        _tell_notification(notification)
        for place in found.places:
            if place.notification_id == notification.id:
                put_line(f"  queue      {_where(place)}")
        for attempt in found.attempts:
            if attempt.notification_id == notification.id:
                put_line(f"  attempt {attempt.n}  {_attempted(attempt)}")


def _tell_event(event: SeenEvent) -> None:
    put_line(f"event        {plain(event.event_id)} of {plain(event.source)}: {plain(event.type)}")
    put_line(f"  tenant     {plain(event.tenant_slug)} ({event.tenant_id})")
    put_line(f"  received   {plain(event.received_at)}, {plain(event.stream)} {event.entry_id}")
    put_line(f"  outcome    {plain(event.outcome)}")
    for repeat in map(with_moments, event.repeats):
        put_line(
            f"  duplicate  {plain(repeat.get('stream'))} {plain(repeat.get('entry_id'))}, {plain(repeat.get('at'))}"
        )


def _tell_notification(one: Notification) -> None:
    put_line(f"notification {one.id}: {plain(one.subtype)} ({plain(one.category)})")
    put_line(f"  recipient  {plain(one.user_id)} <{plain(one.recipient)}>")
    put_line(f"  status     {_with_reason(one.status, one.reason)}, version {one.version}, {plain(one.updated_at)}")
    put_line(f"  gates      {_verdict(_gates(one))}")
    if one.template_name is not None:
        put_line(
            f"  template   {plain(one.template_name)}/{plain(one.template_locale)} {plain(one.template_version)[:12]}"
        )
    if one.redrive_of is not None:
        put_line(f"  re-drive   of {one.redrive_of}")
    for step in map(with_moments, one.trail):
        put_line(
            f"  {plain(step.get('version')):>3}        {plain(step.get('at'))}"
            f"  {_with_reason(step.get('status'), step.get('reason'))}"
        )


def _gates(one: Notification) -> dict[str, Any]:
    return {**one.gates, "evidence": with_moments(one.gates.get("evidence") or {})}


def _with_reason(status: object, reason: object) -> str:
    return plain(status) if reason is None else f"{plain(status)} ({plain(reason)})"


def _verdict(gates: Mapping[str, Any]) -> str:
    """Say which gate decided, on what, under which version of the tenant's settings."""
    gate = gates.get("gate")
    evidence: Mapping[str, Any] = gates.get("evidence") or {}
    looked_at = ", ".join(f"{plain(name)} = {plain(value)}" for name, value in evidence.items())
    failed = f", but {plain(gates['detail'])}" if gates.get("detail") else ""
    decided = f"all passed{failed}" if gate == PASSED else f"stopped by {plain(gate)}: {plain(gates.get('reason'))}"
    version = f"settings version {plain(gates.get('settings_version'))}"
    return f"{decided}; {looked_at}; {version}" if looked_at else f"{decided}; {version}"


def _where(place: QueuePlace) -> str:
    why_there = f" for {plain(place.reason)}" if place.reason is not None else ""
    if place.owner is None:
        return f"waits{why_there} until {plain(place.due_at)}, attempts so far: {place.attempt}"
    holder = f"worker {plain(place.owner_name)} ({place.owner})"
    if place.opened_at is None:
        return f"held by {holder}{why_there}"
    return f"attempt {place.attempt} open at {plain(place.provider)} since {plain(place.opened_at)}, by {holder}"


def _attempted(attempt: Attempt) -> str:
    parts = [f"{plain(attempt.finished_at)}  {plain(attempt.provider)}: {plain(attempt.outcome)}"]
    parts += [
        f"{name} {plain(value)}"
        for name, value in (
            ("error", attempt.error),
            ("reply", attempt.reply),
            ("provider's id", attempt.provider_message_id),
            ("from", attempt.mail_from),
            ("by", attempt.worker),
        )
        if value is not None
    ]
    return "; ".join(parts)
