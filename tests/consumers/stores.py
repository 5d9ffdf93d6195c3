"""Files and an account's credits, as told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from notifications.content import FileRef
from providers.attachment import Attachment


class KeptFiles:
    """Knows the files it is given by their hash, or fails as told."""

    def __init__(self) -> None:
        self.kept: dict[str, Attachment] = {}
        self.error: Exception | None = None

    async def fetch(self, tenant_id: UUID, files: Sequence[FileRef]) -> tuple[Attachment, ...]:  # noqa: ARG002 - the port's
        if self.error is not None:
            raise self.error
        return tuple(self.kept[file.sha256] for file in files)


class ScriptedAccount:
    """Gives attempts out as told; an account has as many as one likes where nothing is told."""

    def __init__(self) -> None:
        self.answer: timedelta | Exception | None = None
        self.taken: list[tuple[str, float]] = []
        self.lines: list[tuple[str, bool]] = []
        self.learnt: list[tuple[str, float]] = []
        self.learning_fails: Exception | None = None

    async def take(self, provider: str, rate: float, *, line: str, has_waited: bool) -> timedelta | None:
        self.lines.append((line, has_waited))
        self.taken.append((provider, rate))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def learn(self, provider: str, rate: float) -> None:
        if self.learning_fails is not None:
            raise self.learning_fails
        self.learnt.append((provider, rate))
