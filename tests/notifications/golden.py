"""What each shipped template comes to in each language, as hashes: `python -m tests.notifications.golden` writes them.

A change shows which mails it changes; an equal file shows that none is.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from notifications.render import Renderer
from notifications.system_templates import system_templates
from tests.notifications.sample_data import BARE, BRAND, FULL, TENANT

FILE = Path(__file__).with_name("golden.json")
_SITUATIONS: dict[str, tuple[dict[str, dict[str, Any]], dict[str, Any]]] = {
    "full": (FULL, {"brand": BRAND, "timezone": "America/New_York"}),
    "bare": (BARE, {}),
}


def hashes(renderer: Renderer) -> dict[str, str]:
    """Return the hash of every mail, by template, language and situation."""
    return {
        f"{template.name}/{template.locale} {situation}": _hash(
            renderer, template, contexts[template.name] | more | {"tenant": TENANT}
        )
        for template in system_templates()
        for situation, (contexts, more) in _SITUATIONS.items()
    }


def _hash(renderer: Renderer, template: Any, data: dict[str, Any]) -> str:
    mail = renderer.render(template, data)
    return hashlib.sha256(f"{mail.subject}\0{mail.html}\0{mail.text}".encode()).hexdigest()[:32]


if __name__ == "__main__":
    FILE.write_text(json.dumps(hashes(Renderer()), indent=1) + "\n")
