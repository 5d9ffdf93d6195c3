"""What the stand-in can be told to do instead of its work."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

SEND = "POST /emails"


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of the API's, before anything is accepted."""

    status: int
    name: str
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "refused"


@dataclass(frozen=True)
class Raw:
    """Answer with these bytes. With `accepted`, the mail was taken all the same."""

    status: int
    body: bytes
    content_type: str = "application/json"
    accepted: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop:
    """Reset the connection instead of answering. With `accepted`, the mail was taken: the lost reply."""

    accepted: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer. With `accepted`, the mail was taken."""

    accepted: bool = False


@dataclass(frozen=True)
class Slow:
    """Work until told to finish: meanwhile the request's idempotency key is in use. `begun` tells when that begins."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    finish: asyncio.Event = field(default_factory=asyncio.Event)


Fault = Refuse | Raw | Drop | Hang | Slow


class Faults:
    """Which fault comes next, by operation (`POST /emails`, `GET /domains/{domain_id}` …)."""

    def __init__(self) -> None:
        self._lasting: dict[str, Fault] = {}
        self._single: defaultdict[str, list[Fault]] = defaultdict(list)

    def always(self, fault: Fault, operation: str) -> None:
        self._lasting[operation] = fault

    def once(self, fault: Fault, operation: str) -> None:
        self._single[operation].append(fault)

    def heal(self) -> None:
        self._lasting.clear()
        self._single.clear()

    def take(self, operation: str) -> Fault | None:
        single = self._single[operation]
        return single.pop(0) if single else self._lasting.get(operation)
