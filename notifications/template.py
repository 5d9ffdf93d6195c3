"""A template's sources, pinned by their hash, and the templates the system ships."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

_VERSION_HEX_DIGITS = 32
_LAYOUT_FOLDER = "_layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a mail's body is set into: `html` and `text` call the block `content`."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One template in one language as it was at one time. `version` names its sources: equal sources, equal version."""

    name: str
    locale: str
    version: str
    subject: str
    html: str
    text: str
    layout_html: str
    layout_text: str


def template_version(*, subject: str, html: str, text: str, layout_html: str, layout_text: str) -> str:
    """Return the 32 hex digits that name a set of sources."""
    digest = hashlib.sha256()
    for source in (subject, html, text, layout_html, layout_text):
        encoded = source.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:_VERSION_HEX_DIGITS]


def pin(*, name: str, locale: str, subject: str, html: str, text: str, layout: Layout | None = None) -> TemplateVersion:
    """Return the version these sources are. A tenant's override leaves `layout` out and gets the system's."""
    around = layout or system_layout()
    return TemplateVersion(
        name=name,
        locale=locale,
        version=template_version(
            subject=subject, html=html, text=text, layout_html=around.html, layout_text=around.text
        ),
        subject=subject,
        html=html,
        text=text,
        layout_html=around.html,
        layout_text=around.text,
    )


def system_layout() -> Layout:
    """Read the layout all system templates share."""
    folder = _system_folder() / _LAYOUT_FOLDER
    return Layout(html=_read(folder, "layout.html"), text=_read(folder, "layout.txt"))


def system_templates() -> list[TemplateVersion]:
    """Read the templates the system ships, one per folder `{name}/{locale}`, sorted by name and locale."""
    layout = system_layout()
    return [
        pin(
            name=template.name,
            locale=locale.name,
            subject=_read(locale, "subject.txt"),
            html=_read(locale, "body.html"),
            text=_read(locale, "body.txt"),
            layout=layout,
        )
        for template in _folders(_system_folder())
        if template.name != _LAYOUT_FOLDER
        for locale in _folders(template)
    ]


def _system_folder() -> Traversable:
    return files("notifications") / "templates"


def _folders(parent: Traversable) -> list[Traversable]:
    return sorted((entry for entry in parent.iterdir() if entry.is_dir()), key=lambda entry: entry.name)


def _read(folder: Traversable, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
