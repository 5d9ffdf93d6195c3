"""The CloudEvents 1.0 envelope every event on the bus wears."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from events.fields import EventTime, Traceparent, Tracestate, UtcTime

D = TypeVar("D", bound=BaseModel)

_MAX_KEY_BYTES = 1024


def _short(value: str) -> str:
    """Refuse what an index could not hold: tenant, source and id together are the key of the inbox."""
    if len(value.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES:
        raise ValueError(f"should have at most {_MAX_KEY_BYTES} bytes in UTF-8")
    return value


# Postgres cannot store NUL in text.
_NO_NUL = r"^[^\x00]*$"
_Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_NO_NUL), AfterValidator(_short)]
_Source = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=_NO_NUL), AfterValidator(_short)]
_Attribute = Annotated[str, StringConstraints(max_length=1024, pattern=_NO_NUL)]


class CloudEvent(BaseModel, Generic[D]):
    """One event: CloudEvents attributes, the extensions we read, and `data`. Unknown attributes are kept.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", loc_by_alias=False, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    specversion: Literal["1.0"] = "1.0"
    """The version of CloudEvents."""
    id: _Id
    """Unique within `source` and tenant: the same id again is a duplicate."""
    source: _Source
    """Where the event comes from, such as /psa/tickets."""
    type: _Id
    """What happened: `<noun>.<past participle>.v<major>`."""
    time: EventTime | None = None
    """When it happened."""
    subject: _Attribute | None = None
    """What it happened to, such as ticket/42. Events of one subject keep their order."""
    dataschema: _Attribute | None = None
    """Informative; never fetched."""
    datacontenttype: _Attribute | None = None
    """Data is JSON, whatever this says."""
    tenantid: UUID
    """The tenant the event belongs to."""
    correlationid: _Attribute | None = None
    """Copied to every delivery event this event leads to."""
    causationid: _Attribute | None = None
    """The id of the event that led to this one."""
    partitionkey: _Attribute | None = None
    """Events of one key keep their order; the subject where absent."""
    expirytime: UtcTime | None = None
    """Nobody is to be told after this moment."""
    traceparent: Traceparent = None
    """The trace the event began in (W3C Trace Context)."""
    tracestate: Tracestate = None
    """Goes with traceparent."""
    data: D
    """What happened, in the fields of this type."""

    @property
    def key(self) -> str:
        """What keeps its order: events of one key. Two tenants never share one, whatever partition key they choose."""
        return f"{self.tenantid}/{self.partitionkey or self.subject or f'{self.source}/{self.id}'}"
