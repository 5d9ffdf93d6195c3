"""A JSON Schema (2020-12) for every event on the bus, generated from the models and committed under schemas/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from events.catalog import CATALOG, envelope_of
from events.delivery import DELIVERY_TYPES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return file name to schema, one per type: each event we read and each we emit, envelope and data.

    They describe the canonical form: snake_case fields, and the type without a prefix.
    """
    found = {entry.type: _input(entry.type, entry.model) for entry in CATALOG.values()}
    found |= {name: _output(name, model) for name, model in DELIVERY_TYPES.items()}
    return {f"{name}.json": schema for name, schema in found.items()}


def write(folder: Path) -> list[Path]:
    """Write every schema into the folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, schema in schemas().items():
        path = folder / name
        path.write_text(_text(schema), encoding="utf-8", newline="\n")
        written.append(path)
    return written


def stale(folder: Path) -> list[str]:
    """Return the names of the files that are absent, differ from the models, or belong to no type any more."""
    wanted = {name: _text(schema).encode() for name, schema in schemas().items()}
    there = {path.name: path.read_bytes() for path in folder.glob("*.v*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _input(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = envelope_of(model).model_json_schema(by_alias=False)
    schema |= {
        "$schema": _DIALECT,
        "$id": f"urn:outbound:schema:{name}",
        "title": name,
        "description": (model.__doc__ or "").partition("\n")[0],
    }
    # The model has a default for code that builds events; on the wire the version must be there.
    schema["required"] = ["specversion", *schema["required"]]
    schema["properties"]["type"] |= {"const": name}
    return schema


def _output(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = _input(name, model)
    status = name.split(".")[1]
    schema["properties"]["source"] |= {"const": "/outbound"}
    schema["$defs"][model.__name__]["properties"]["status"] |= {"const": status}
    schema["required"] += ["time"]
    if status == "dead_lettered":
        # It may not say whose it is.
        schema["required"].remove("tenantid")
    return schema
