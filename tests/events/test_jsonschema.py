"""The schemas under schemas/ are those of the models, and say what the decoder does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from events.catalog import CATALOG
from events.delivery import DELIVERY_TYPES, EmailReport, EventReport, delivery_event
from events.jsonschema import schemas, stale, write

FOLDER = Path(__file__).parents[2] / "schemas"
TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert stale(FOLDER) == []


def test_there_is_one_schema_for_each_type() -> None:
    assert schemas().keys() == {f"{name}.json" for name in (*CATALOG, *DELIVERY_TYPES)}


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schemas_are_valid_and_named(name: str) -> None:
    schema = schemas()[name]

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:outbound:schema:{schema['title']}"
    assert name == f"{schema['title']}.json"


def test_a_changed_an_absent_and_a_superfluous_file_are_stale(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(schemas())
    assert stale(tmp_path) == []

    (tmp_path / "ticket.updated.v1.json").write_text("{}\n")
    (tmp_path / "user.deleted.v1.json").unlink()
    (tmp_path / "user.gone.v1.json").write_text("{}\n")
    (tmp_path / "asyncapi.json").write_text("{}\n")

    assert stale(tmp_path) == ["ticket.updated.v1.json", "user.deleted.v1.json", "user.gone.v1.json"]


def test_the_schema_accepts_a_good_event_and_names_what_is_wrong_with_a_bad_one(ticket: dict[str, Any]) -> None:
    validator = Draft202012Validator(schemas()["ticket.updated.v1.json"])

    assert list(validator.iter_errors(ticket)) == []
    for absent in ("specversion", "id", "source", "type", "tenantid", "data"):
        assert list(validator.iter_errors({name: value for name, value in ticket.items() if name != absent}))
    assert list(validator.iter_errors(ticket | {"type": "invoice.issued.v1"}))
    ticket["data"]["url"] = "javascript:alert(1)"
    assert list(validator.iter_errors(ticket))


@pytest.mark.parametrize("name", sorted(DELIVERY_TYPES))
def test_what_we_emit_fits_its_schema(name: str) -> None:
    status = name.split(".")[1]
    report = (
        EmailReport(notification_id=TENANT, version=1, status=status, due_at=NOW)
        if DELIVERY_TYPES[name] is EmailReport
        else EventReport(stream="s", entry_id="1-0", status=status, reason="duplicate")
    )

    event = delivery_event(report, time=NOW, tenantid=TENANT, causationid="1")

    assert list(Draft202012Validator(schemas()[f"{name}.json"]).iter_errors(event)) == []


def test_only_a_dead_letter_may_be_without_tenant() -> None:
    without = [name for name, schema in schemas().items() if "tenantid" not in schema["required"]]

    assert without == ["event.dead_lettered.v1.json"]
