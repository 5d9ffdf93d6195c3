"""What an operation answers, before it is bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """A status and a JSON body."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        return self.status >= 400


def refusal(status: int, name: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    """An error in its documented shape."""
    return Reply(status, {"statusCode": status, "name": name, "message": message}, headers or {})
