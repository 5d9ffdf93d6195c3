"""What the events of the catalogue may say, in either spelling, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from events.catalog import CATALOG
from events.jsonschema import schemas
from events.ticket import Comment
from tests.events import samples
from tests.events.samples import TENANT, event_of


def camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(key): camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def test_there_is_a_sample_of_every_event_that_leads_to_mail() -> None:
    with_mail = {name for name, entry in CATALOG.items() if entry.subtypes}

    assert samples.FULL.keys() == samples.BARE.keys() == with_mail


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_a_full_event_says_nothing_that_is_ignored(event_type: str) -> None:
    assert CATALOG[event_type].model.model_validate(samples.FULL[event_type], extra="forbid")


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_camel_case_says_the_same_as_snake_case(event_type: str) -> None:
    data = samples.FULL[event_type]

    assert event_of(event_type, camel(data)) == event_of(event_type, data)


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
@pytest.mark.parametrize("data", [samples.FULL, samples.BARE], ids=["full", "bare"])
def test_the_schema_accepts_what_the_model_accepts(event_type: str, data: dict[str, dict[str, Any]]) -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": event_type,
        "tenantid": str(TENANT),
        "data": data[event_type],
    }

    assert list(Draft202012Validator(schemas()[f"{event_type}.json"]).iter_errors(event)) == []


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_every_text_of_an_event_has_an_end(event_type: str) -> None:
    data = samples.FULL[event_type]

    for name, value in data.items():
        if isinstance(value, str):
            with pytest.raises(ValidationError):
                event_of(event_type, data | {name: "9" * 300_000})


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_what_is_null_is_absent_where_it_may_be_absent(event_type: str) -> None:
    model = CATALOG[event_type].model
    optional = [name for name, field in model.model_fields.items() if not field.is_required() and field.default is None]

    assert event_of(event_type, samples.BARE[event_type] | dict.fromkeys(optional)) == event_of(
        event_type, samples.BARE[event_type]
    )


@pytest.mark.parametrize(
    ("event_type", "changes"),
    [
        ("ticket.comment_added.v1", {"comment": None}),
        ("ticket.comment_added.v1", {"comment": {"id": "c"}}),
        ("ticket.comment_added.v1", {"comment": {"content": "x"}}),
        ("ticket.comment_added.v1", {"comment": {"id": "c", "content": "x", "is_internal": None}}),
        ("ticket.comment_added.v1", {"comment": {"id": "c", "content": "x", "is_internal": "perhaps"}}),
        ("invoice.overdue.v1", {"days_overdue": -1}),
        ("invoice.overdue.v1", {"days_overdue": 10**9}),
        ("invoice.paid.v1", {"amount": "NaN"}),
        ("user.password_reset_requested.v1", {"reset_url": "javascript:alert(1)"}),
        ("user.password_reset_requested.v1", {"email": ""}),
        ("user.password_reset_requested.v1", {"user_id": None}),
        ("user.invited.v1", {"invitation_url": "https://bank.example@evil.example/"}),
    ],
)
def test_what_makes_no_sense_is_refused(event_type: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event_of(event_type, samples.FULL[event_type] | changes)


@pytest.mark.parametrize(
    "flags", [{"is_internal": True, "isInternal": False}, {"is_internal": False, "isInternal": True}]
)
def test_a_comment_that_is_internal_in_one_spelling_only_is_refused(flags: dict[str, bool]) -> None:
    with pytest.raises(ValidationError, match="is_internal once"):
        Comment.model_validate({"id": "c", "content": "x"} | flags)


def test_a_comment_may_say_twice_that_it_is_internal() -> None:
    assert Comment.model_validate({"id": "c", "content": "x", "is_internal": True, "isInternal": True}).is_internal
