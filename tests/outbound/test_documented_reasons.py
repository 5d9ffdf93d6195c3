"""Every word that says why is explained to the people who meet it."""

from __future__ import annotations

from pathlib import Path

from notifications.status import Reason
from outbound.cli.dead_letters import REASONS

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def test_every_reason_is_in_the_table_of_reasons() -> None:
    assert [reason.value for reason in Reason if f"| `{reason.value}` |" not in TEXT] == []


def test_every_reason_of_a_dead_letter_is_one_of_them() -> None:
    assert {*REASONS} <= {reason.value for reason in Reason}
