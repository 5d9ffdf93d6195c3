"""A template's sources, pinned by their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifications.translation import Messages

_VERSION_HEX_DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a mail's body is set into: `html` and `text` call the block `content`, and bring the partials of bodies."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One template in one language as it was at one time. `version` names its sources: equal sources, equal version.

    `messages` are the texts of its sources in the language; what it does not have is said as the sources have it.
    """

    name: str
    locale: str
    version: str
    # Not hashed with each look-up: the version stands for them.
    subject: str = field(hash=False)
    html: str = field(hash=False)
    text: str = field(hash=False)
    layout_html: str = field(hash=False)
    layout_text: str = field(hash=False)
    messages: Messages = field(default=(), hash=False)


def template_version(
    *, subject: str, html: str, text: str, layout_html: str, layout_text: str, messages: Messages = ()
) -> str:
    """Return the 32 hex digits that name a set of sources."""
    digest = hashlib.sha256()
    for source in (subject, html, text, layout_html, layout_text, messages_to_json(messages)):
        encoded = source.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:_VERSION_HEX_DIGITS]


def pin(
    *, name: str, locale: str, subject: str, html: str, text: str, layout: Layout | None = None, messages: Messages = ()
) -> TemplateVersion:
    """Return the version these sources are, as they are; without `layout` they get the system's.

    What an author writes goes through `saving.prepare`, which inlines styles and derives what is missing.
    """
    if layout is None:
        from notifications.system_templates import system_layout  # noqa: PLC0415 - a worker never saves: 4 MB less

        layout = system_layout()
    messages = tuple(sorted(messages))
    return TemplateVersion(
        name=name,
        locale=locale,
        version=template_version(
            subject=subject,
            html=html,
            text=text,
            layout_html=layout.html,
            layout_text=layout.text,
            messages=messages,
        ),
        subject=subject,
        html=html,
        text=text,
        layout_html=layout.html,
        layout_text=layout.text,
        messages=messages,
    )


def messages_to_json(messages: Messages) -> str:
    """Return messages as they are stored: a text and its translation, or the list of its plural forms."""
    stored = {text: forms[0] if len(forms) == 1 else list(forms) for text, forms in messages}
    return json.dumps(stored, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def messages_from_json(stored: str) -> Messages:
    """Read them back; what is neither a text nor a list of texts is left out, and said as the sources have it."""
    read: Mapping[str, Any] = json.loads(stored)
    forms = ((text, (found,) if isinstance(found, str) else found) for text, found in read.items())
    return tuple(sorted((text, tuple(found)) for text, found in forms if _are_texts(found)))


def _are_texts(found: Any) -> bool:
    return isinstance(found, list | tuple) and bool(found) and all(isinstance(form, str) for form in found)
