"""What the house rules look at: the checkout, its packages, its files."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_NOT_PACKAGES = {"tests", "benchmarks"}


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def packages() -> frozenset[str]:
    """The top-level folders that are packages of the product."""
    return frozenset(path.parent.name for path in ROOT.glob("*/__init__.py")) - _NOT_PACKAGES


def modules() -> list[Path]:
    """Every Python file of ours, relative to the root."""
    folders = sorted({*packages(), *_NOT_PACKAGES})
    return [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def tracked_files() -> list[Path]:
    """Every file git tracks or would; skips the test where there is no git or no repository."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
