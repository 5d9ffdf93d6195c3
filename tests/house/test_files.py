"""What no file of ours may say."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import pytest

from tests.house.tree import ROOT, modules, tracked_files

# In pieces, so that the rule does not find itself.
_INDEX_HOSTS = (
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "registry.npm" + "js",
    "regis" + "try.yarnpkg",
    "/simp" + "le/",
)
_MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:ho" + r"me|Us" + r"ers|ro" + r"ot|wo" + r"rk)/[A-Za-z0-9_.-]+")
_REASON = re.compile(
    r"# (?:noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*|type: ignore\[[\w, -]+\]|pyright: ignore\[\w+(?:, \w+)*\]) +(?:-|#) *\S.{4,}"
)
_EXCUSES = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:)")
_PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)
_LOCKS = ("requirements.lock", "requirements-run.lock", "requirements-dev.lock")


def test_no_file_names_a_machine_s_path_or_an_index() -> None:
    found: list[str] = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in _INDEX_HOSTS if host in text]
        found += [f"{path.relative_to(ROOT)}: {match}" for match in _MACHINE_PATHS.findall(text)]
    assert found == []


def test_no_file_is_a_secret_or_leftover() -> None:
    names = {path.name for path in tracked_files()}
    assert names & {".env", "uv.lock", ".coverage", ".DS_Store"} == set()


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_has_exact_versions_and_hashes_and_no_hosts(name: str) -> None:
    text = (ROOT / name).read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())

    assert "://" not in text
    assert [line for line in text.splitlines() if line.startswith("-")] == []
    for requirement in requirements:
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==[^ ]+", requirement)
        assert "--hash=sha256:" in requirement


def test_the_locks_agree_with_each_other() -> None:
    # A lock may hold two versions of a package, for different interpreters; what both locks know is the same in both.
    pins: dict[str, dict[str, set[str]]] = {}
    for name in _LOCKS:
        for package, version in re.findall(
            r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE
        ):
            pins.setdefault(package, {}).setdefault(name, set()).add(version)
    assert {package: found for package, found in pins.items() if len({*map(frozenset, found.values())}) > 1} == {}


def test_an_exception_from_a_check_names_its_rule_and_its_reason() -> None:
    unexplained = [
        f"{path}:{token.start[0]} {token.string}"
        for path in modules()
        for token in _comments(ROOT / path)
        if _EXCUSES.match(token.string) and not _REASON.match(token.string)
    ]
    assert unexplained == []


def test_nothing_is_left_to_do() -> None:
    words = re.compile(r"\b(?:" + "TO" + "DO|FIX" + "ME|X" + r"XX)\b")
    assert [path for path in modules() if words.search((ROOT / path).read_text())] == []


def _comments(path: Path) -> list[tokenize.TokenInfo]:
    with path.open("rb") as source:
        return [token for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT]
