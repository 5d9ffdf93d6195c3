"""The page for whoever publishes events names all there is."""

from __future__ import annotations

import pytest

from consumers.audience import AGENT_ROLES
from events.catalog import CATALOG
from events.legacy import LEGACY
from events.mail import File
from events.people import Person
from events.ticket import Comment
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("event_type", sorted(CATALOG))
def test_every_event_is_on_the_page_with_its_subtypes(event_type: str) -> None:
    entry = CATALOG[event_type]
    start = next(number for number, row in enumerate(ROWS) if f"`{event_type}`" in row)
    rows = "\n".join(ROWS[start : start + max(1, len(entry.subtypes))])

    assert [slug for slug in entry.subtypes if f"| `{slug}` |" not in rows] == []
    assert entry.category is None or f"| {entry.category} |" in rows


@pytest.mark.parametrize("event_type", sorted(CATALOG))
def test_every_field_of_an_event_is_on_the_page(event_type: str) -> None:
    assert [name for name in CATALOG[event_type].model.model_fields if f"`{name}`" not in PAGE] == []


def test_every_part_of_an_event_every_role_and_every_legacy_name_is_on_the_page() -> None:
    names = [*Person.model_fields, *Comment.model_fields, *File.model_fields, *AGENT_ROLES, *LEGACY]

    assert [name for name in names if f"`{name}`" not in PAGE] == []
