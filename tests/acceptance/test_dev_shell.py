"""A shell beside `outbound dev`: what it read once stays right, and is never taken for something else."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import pytest

from tests.acceptance.dev_command import LIMIT_SECONDS, lines_until, running, sourced

OURS = ("DATABASE_", "REDIS_", "EMAIL_", "OUTBOUND_")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no embedded servers for Windows")


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="outbound-shell-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def variables(folder: Path) -> dict[str, str]:
    lines = sourced(folder).splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith(OURS))


def addresses(lines: Sequence[str]) -> list[str]:
    return [word for line in lines for word in line.split() if word.startswith("http")]


def test_a_shell_that_read_the_variables_stays_right_through_a_restart_and_replaces_nothing(folder: Path) -> None:
    with running(folder) as (process, first):
        known = variables(folder)
        lines_until(process, "duplicate")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_SECONDS) == 0

    with running(folder, **known) as (process, second):
        again = variables(folder)
        lines_until(process, "duplicate")
        [metrics_url] = [address for address in addresses(second) if address.endswith("/metrics")]
        with urlopen(metrics_url, timeout=LIMIT_SECONDS) as answer:  # noqa: S310 - our own worker's
            metrics = answer.read().decode()
        [example] = [line for line in second if "xadd(" in line]
        sourced(folder, example)
        lines_until(process, "from elsewhere")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_SECONDS) == 0

    assert known["OUTBOUND_DEV_FOLDER"] == str((folder / "var").resolve())
    assert again == known
    assert addresses(second) == addresses(first)
    assert "outbound_" in metrics
    assert "_created" not in metrics
