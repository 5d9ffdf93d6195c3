"""One thing that was checked, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands."""

    OK = "ok"
    """As it should be."""
    WARN = "warn"
    """It works, and somebody should know."""
    FAIL = "fail"
    """outbound does not work like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row of the answer. `found` says what was seen, `advice` what to do; neither ever holds a secret."""

    name: str
    state: State
    found: str
    advice: str = ""


def good(name: str, found: str) -> Check:
    """Return a check that is as it should be."""
    return Check(name=name, state=State.OK, found=found)


def warning(name: str, found: str, advice: str) -> Check:
    """Return a check that somebody should know about."""
    return Check(name=name, state=State.WARN, found=found, advice=advice)


def failure(name: str, found: str, advice: str) -> Check:
    """Return a check that must be mended."""
    return Check(name=name, state=State.FAIL, found=found, advice=advice)
