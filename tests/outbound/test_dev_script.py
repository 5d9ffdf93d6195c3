"""`./dev` says what it does and what it can do, before anything is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dev(folder: Path, *words: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./dev", *words], cwd=folder, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_asked_for_its_usage_goes_to_standard_output(word: str) -> None:
    done = dev(ROOT, word)

    assert (done.returncode, done.stderr) == (0, "")
    assert "./dev run" in done.stdout
    assert "outbound dev" in done.stdout


@pytest.mark.parametrize("words", [(), ("rnu",)])
def test_wrong_usage_goes_to_standard_error(words: tuple[str, ...]) -> None:
    done = dev(ROOT, *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "./dev run" in done.stderr


@pytest.mark.parametrize("words", [(), ("lnie",)])
def test_a_benchmark_that_is_not_there_gets_those_that_are(words: tuple[str, ...]) -> None:
    done = dev(ROOT, "bench", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert " line" in done.stderr


def test_before_an_installation_it_says_what_takes_so_long(tmp_path: Path) -> None:
    for name in ("dev", "pyproject.toml", "requirements.lock", "requirements-run.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    failing = tmp_path / "bin" / "uv"
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\nexit 7\n")
    failing.chmod(0o755)

    done = dev(tmp_path, "run", path=f"{failing.parent}:/usr/bin:/bin")

    assert done.returncode == 7
    assert done.stderr.startswith("Making the environment in .venv (once")
    assert done.stdout == ""
