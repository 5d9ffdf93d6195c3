"""The people an event concerns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from events.fields import Address, EventData, Identifier, Locale, Name, TimeZone


class Person(EventData):
    """Somebody an event concerns. The directory fills in what is left out."""

    role: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Why they are concerned: assignee, agent, requester, contact, client, watcher; cc or bcc for a copy ... The words
    for those who work on a ticket are listed in docs/events.md; every other word means somebody outside."""
    user_id: Identifier | None = None
    """The upstream's key of this user."""
    email: Address | None = None
    """Where to write to."""
    name: Name | None = None
    """How to address them."""
    locale: Locale | None = None
    """Their language."""
    timezone: TimeZone | None = None
    """Their time zone."""


People = Annotated[tuple[Person, ...], Field(max_length=500, fail_fast=True)]
"""Everybody an event concerns; one person may appear in several roles."""


def distinct(people: Iterable[Person]) -> list[Person]:
    """Return each person once, in the order of their first mention, under their first role.

    Two mentions are one person when they share a user id or an address (in any case); what one leaves out the other
    fills in. Somebody with neither is told apart by name.
    """
    found: list[Person | None] = []
    place: dict[tuple[str, str], int] = {}
    for person in people:
        keys = _keys(person)
        at, *others = sorted({place[key] for key in keys if key in place}) or [len(found)]
        if at == len(found):
            found.append(person)
        else:
            found[at] = _filled(*(known for known in map(found.__getitem__, (at, *others)) if known), person)
        for other in others:
            found[other] = None
            place.update({key: at for key, index in place.items() if index == other})
        place.update(dict.fromkeys(keys, at))
    return [person for person in found if person]


def _keys(person: Person) -> set[tuple[str, str]]:
    keys = {("user", person.user_id or ""), ("email", (person.email or "").strip().lower())}
    known = {key for key in keys if key[1]}
    return known or {("name", person.name or "")}


def _filled(first: Person, *others: Person) -> Person:
    values = {name: value for name, value in first if value is not None}
    for other in others:
        values = {name: value for name, value in other if value is not None} | values
    return first.model_copy(update=values)
