"""Every tool knows every package, and nobody else ships one of their names."""

from __future__ import annotations

from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.house.tree import ROOT, modules, packages, pyproject

MAX_LINES = 300


def test_every_tool_knows_every_package() -> None:
    tool = pyproject()["tool"]
    known = {
        "hatch": tool["hatch"]["build"]["targets"]["wheel"]["packages"],
        "mypy": tool["mypy"]["packages"],
        "pyright": tool["pyright"]["include"],
        "coverage": tool["coverage"]["run"]["source"],
        "import-linter": tool["importlinter"]["root_packages"],
        "the layers": [
            name.strip() for layer in tool["importlinter"]["contracts"][0]["layers"] for name in layer.split("|")
        ],
    }
    assert {name: set(listed) ^ packages() for name, listed in known.items() if set(listed) != packages()} == {}


def test_ruff_looks_everywhere() -> None:
    assert not {"exclude", "extend-exclude", "include"} & set(pyproject()["tool"]["ruff"])


def test_coverage_leaves_nothing_out() -> None:
    run = pyproject()["tool"]["coverage"]["run"]
    assert "omit" not in run
    assert "omit" not in pyproject()["tool"]["coverage"]["report"]
    assert run["branch"] is True
    assert "subprocess" in run["patch"]


def test_no_installed_distribution_ships_one_of_our_names() -> None:
    owners = packages_distributions()
    assert {name: set(owners.get(name, [])) - {"outbound"} for name in packages()} == {
        name: set() for name in packages()
    }


@pytest.mark.parametrize("package", sorted(packages()))
def test_a_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_a_module_has_one_subject_and_at_most_300_lines() -> None:
    sizes = {path: len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {path: size for path, size in sizes.items() if size > MAX_LINES} == {}


def test_no_module_is_a_grab_bag() -> None:
    grab_bags = {"utils", "helpers", "common", "models", "base", "misc"}
    assert [path for path in modules() if {Path(part).stem for part in path.parts} & grab_bags] == []
