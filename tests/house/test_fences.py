"""What import-linter cannot say about who may import what."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, modules, packages


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", sorted(packages() - {"outbound"}))
def test_the_telemetry_sdk_is_the_composition_root_s(package: str) -> None:
    found = [path for path in modules() if path.parts[0] == package and "opentelemetry.sdk" in set(imported(path))]
    assert found == []


def test_events_need_pydantic_and_the_standard_library_only() -> None:
    allowed = {"events", "pydantic", "pydantic_core", *sys.stdlib_module_names}
    foreign = {
        (str(path), name)
        for path in modules()
        if path.parts[0] == "events"
        for name in imported(path)
        if name.partition(".")[0] not in allowed
    }
    assert foreign == set()


def test_no_product_module_imports_the_tests() -> None:
    found = [path for path in modules() if path.parts[0] in packages() and "tests" in set(imported(path))]
    assert found == []
