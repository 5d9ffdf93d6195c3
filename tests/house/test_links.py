"""Every link from one document of ours to another leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def test_no_document_points_at_nothing() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in _LINK.findall(document.read_text())
        if not (document.parent / target).exists()
    ]

    assert documents
    assert broken == []
