"""The same version, language and data give the same bytes, today as when they were looked at last."""

from __future__ import annotations

import json

from notifications.render import Renderer
from tests.notifications.golden import FILE, hashes


def test_every_mail_is_the_same_twice_and_as_it_was_looked_at() -> None:
    renderer = Renderer()

    first = hashes(renderer)

    assert hashes(renderer) == hashes(Renderer()) == first
    # After a wanted change: python -m tests.notifications.golden
    known = json.loads(FILE.read_text())
    assert {name: digest for name, digest in first.items() if known.get(name) != digest} == {}
    assert set(known) == set(first)
