"""From the fields of a stream entry to an event, and back (DESIGN §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from events import legacy
from events.catalog import CATALOG, canonical_type, envelope_of
from events.envelope import CloudEvent
from events.fields import valid_traceparent
from events.problem import describe, is_about_data, problems

MAX_ENTRY_BYTES = 1024 * 1024
"""All fields of an entry together, names included."""
_MAX_DETAIL_CHARS = 500
_MAX_RECORDED_CHARS = 512
_ATTRIBUTE = b"ce_"
_NOT_LEGACY = "event: not the legacy shape {id, eventType, timestamp, payload}; CloudEvents go into the field data"


class Refusal(StrEnum):
    """Why an entry cannot be read."""

    UNDECODABLE = "undecodable"
    """Not one of the three forms, not JSON, not an object, or holding NUL."""
    UNSUPPORTED_SPECVERSION = "unsupported_specversion"
    """Not CloudEvents 1.0."""
    MISSING_TENANT = "missing_tenant"
    """Does not say whose it is, and we never guess."""
    UNKNOWN_TYPE = "unknown_type"
    """Not in the catalogue."""
    INVALID_ENVELOPE = "invalid_envelope"
    """An attribute is absent or wrong."""
    INVALID_DATA = "invalid_data"
    """The data does not fit its type."""
    TOO_LARGE = "too_large"
    """Over the size cap; nothing of it was parsed."""


class UnreadableEventError(Exception):
    """An entry that is no event we can read.

    `reason` is a value of Refusal; `detail` says where and what in one line and repeats nothing of the content;
    `problems` are all there are, where `detail` counts them. The other attributes are what could be read of the event,
    for the record.
    """

    def __init__(
        self,
        reason: Refusal,
        detail: str,
        attributes: Mapping[str, Any] | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        read = attributes or {}
        self.reason: str = reason.value
        self.detail = detail[:_MAX_DETAIL_CHARS]
        self.problems = tuple(problems) or (self.detail,)
        self.tenantid: UUID | None = _uuid(_tenant(read))
        self.event_id: str | None = _recorded(read.get("id"))
        self.event_type: str | None = _recorded(read.get("type"))
        self.source: str | None = _recorded(read.get("source"))
        self.traceparent: str | None = valid_traceparent(read.get("traceparent"))
        super().__init__(f"{self.reason}: {self.detail}")


def decode(fields: Mapping[bytes, bytes], *, max_bytes: int = MAX_ENTRY_BYTES) -> CloudEvent[Any]:
    """Return the event an entry holds, its type without prefix and its data as the catalogue's model.

    Any `ce_*` field means binary mode (`data` is the payload); otherwise `data` is a whole event in structured mode,
    the canonical form; otherwise `event` is the legacy form.

    Raises:
        UnreadableEventError: for whatever else the entry may be.
    """
    size = sum(map(len, fields)) + sum(map(len, fields.values()))
    if size > max_bytes:
        raise UnreadableEventError(Refusal.TOO_LARGE, f"{size} bytes, {max_bytes} are allowed")
    if any(name.startswith(_ATTRIBUTE) for name in fields):
        return _validated(_binary(fields))
    if (text := fields.get(b"data")) is not None:
        return _validated(_object("data", text))
    if (text := fields.get(b"event")) is not None:
        return _validated(_legacy(_object("event", text)))
    raise UnreadableEventError(Refusal.UNDECODABLE, "none of the fields ce_*, data and event")


def encode(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the canonical fields of an event given as its attributes and `data`: JSON, in one field."""
    return {"data": to_json(dict(attributes)).decode()}


def _binary(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"specversion": "1.0"}
    for name, value in fields.items():
        if not name.startswith(_ATTRIBUTE):
            continue
        try:
            attributes[name[len(_ATTRIBUTE) :].decode()] = value.decode()
        except UnicodeDecodeError as error:
            raise UnreadableEventError(Refusal.UNDECODABLE, "ce_*: not UTF-8", attributes) from error
    # The payload is the field `data`, even if somebody sends ce_data.
    attributes.pop("data", None)
    if _has_nul(attributes):
        raise UnreadableEventError(Refusal.UNDECODABLE, "ce_*: NUL characters", attributes)
    if (text := fields.get(b"data")) is not None:
        attributes["data"] = _parsed("data", text, attributes)
    return attributes


def _legacy(entry: dict[str, Any]) -> dict[str, Any]:
    if "eventType" not in entry:
        raise UnreadableEventError(Refusal.INVALID_ENVELOPE, _NOT_LEGACY, entry)
    attributes = legacy.attributes(entry)
    if attributes["type"] is None:
        name = entry["eventType"]
        attributes["type"] = name
        if isinstance(name, str):
            detail = f"eventType: not one of {', '.join(legacy.LEGACY)}"
            raise UnreadableEventError(Refusal.UNKNOWN_TYPE, detail, attributes)
        raise UnreadableEventError(Refusal.INVALID_ENVELOPE, "eventType: Input should be a valid string", attributes)
    return attributes


def _validated(attributes: dict[str, Any]) -> CloudEvent[Any]:
    """Check in the order in which a publisher would want to know: version, tenant, type, then each field."""
    if attributes.get("specversion") != "1.0":
        detail = "specversion: Input should be '1.0'" if "specversion" in attributes else "specversion: Field required"
        raise UnreadableEventError(Refusal.UNSUPPORTED_SPECVERSION, detail, attributes)
    tenant = _tenant(attributes)
    if tenant is None:
        raise UnreadableEventError(Refusal.MISSING_TENANT, "tenantid: Field required", attributes)
    name = attributes.get("type")
    if not isinstance(name, str):
        raise UnreadableEventError(Refusal.INVALID_ENVELOPE, "type: Input should be a valid string", attributes)
    entry = CATALOG.get(canonical_type(name))
    if entry is None:
        raise UnreadableEventError(Refusal.UNKNOWN_TYPE, "type: not in the catalogue, see schemas/", attributes)
    try:
        return envelope_of(entry.model).model_validate({**attributes, "tenantid": tenant, "type": entry.type})
    except ValidationError as error:
        reason = Refusal.INVALID_DATA if is_about_data(error) else Refusal.INVALID_ENVELOPE
        # Not `from error`: its text quotes the keys of the input, and whoever logs a chain would log them.
        raise UnreadableEventError(reason, describe(error), attributes, problems(error)) from None


def _tenant(attributes: Mapping[str, Any]) -> Any:
    """Return what names the tenant: the attribute, else the data (Dapr's own envelope has no tenantid)."""
    tenant = attributes.get("tenantid")
    if tenant is not None and tenant != "":
        return tenant
    data = attributes.get("data")
    if not isinstance(data, dict):
        return None
    payload = cast("dict[str, Any]", data)
    return payload.get("tenantId") or payload.get("tenant_id")


def _object(field: str, text: bytes) -> dict[str, Any]:
    value = _parsed(field, text, None)
    if not isinstance(value, dict):
        raise UnreadableEventError(Refusal.UNDECODABLE, f"{field}: not a JSON object")
    return cast("dict[str, Any]", value)


def _parsed(field: str, text: bytes, attributes: Mapping[str, Any] | None) -> Any:
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise UnreadableEventError(Refusal.UNDECODABLE, f"{field}: not JSON: {error}", attributes) from error
    # The escape is the only way to put NUL into JSON; looking for it is free, the walk is not.
    if b"\\u0000" in text and _has_nul(value):
        read = attributes or (cast("dict[str, Any]", value) if isinstance(value, dict) else None)
        raise UnreadableEventError(Refusal.UNDECODABLE, f"{field}: NUL characters", read)
    return value


def _has_nul(value: Any) -> bool:
    """Look into every string and key; the parser has bounded the depth."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in cast("dict[str, Any]", value).items() for part in pair)
    return isinstance(value, list) and any(map(_has_nul, value))


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _recorded(value: Any) -> str | None:
    """Return a string fit to be stored: short enough, and without NUL."""
    return value[:_MAX_RECORDED_CHARS] if isinstance(value, str) and "\0" not in value else None
