"""The templates the system ships: written once in English, said in eight languages."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from notifications.inlining import inline_document, inline_partials
from notifications.languages import LOCALES
from notifications.po_files import read_catalogue
from notifications.saving import prepare
from notifications.template import Layout, TemplateVersion

_LAYOUT_FOLDER = "_layout"


def system_templates() -> list[TemplateVersion]:
    """Return the templates the system ships, sorted by name and locale.

    A folder `{name}` has `subject.txt`, `body.html` and, where the HTML would not do as text, `body.txt`, for all
    languages.
    """
    return [version for folder in _template_folders() for version in _versions(folder)]


@cache
def system_css() -> str:
    """Return the styles of system templates, which overrides get too."""
    return _read(_system_folder() / _LAYOUT_FOLDER, "style.css")


@cache
def system_layout() -> Layout:
    """Return the layout all system templates share, with its partials."""
    folder = _system_folder() / _LAYOUT_FOLDER
    partials = inline_partials(_read(folder, "partials.html"), system_css())
    return Layout(
        html=partials + inline_document(_read(folder, "layout.html"), system_css()),
        text=_read(folder, "partials.txt") + _read(folder, "layout.txt"),
    )


def _versions(folder: Traversable) -> list[TemplateVersion]:
    prepared = prepare(
        subject=_read(folder, "subject.txt"),
        html=_read(folder, "body.html"),
        text=_read(folder, "body.txt") if (folder / "body.txt").is_file() else None,
        layout=system_layout(),
        css=system_css(),
    )
    return [prepared.version(name=folder.name, locale=locale, messages=read_catalogue(locale)) for locale in LOCALES]


def _template_folders() -> list[Traversable]:
    return [folder for folder in _folders(_system_folder()) if folder.name != _LAYOUT_FOLDER]


def _system_folder() -> Traversable:
    return files("notifications") / "templates"


def _folders(parent: Traversable) -> list[Traversable]:
    return sorted((entry for entry in parent.iterdir() if entry.is_dir()), key=lambda entry: entry.name)


def _read(folder: Traversable, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")
