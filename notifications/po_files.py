"""The catalogue files, one for each language: read when templates are saved, never while a mail is rendered."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from notifications.languages import SOURCE_LOCALE
from notifications.translation import Messages

DOMAIN = "outbound"
FOLDER = Path(__file__).parent / "locales"
"""Where the catalogues of the system's templates are."""
_WIDTH = 100
# What a header needs to be read again: no dates, persons or versions of tools, which the history has.
_HEADER = (b'"Language:', b'"Plural-Forms:', b'"MIME-Version:', b'"Content-T')


@cache
def read_catalogue(locale: str, folder: Path = FOLDER) -> Messages:
    """Return what a language says instead of the templates' texts; nothing for theirs."""
    if locale == SOURCE_LOCALE:
        return ()
    entries = (entry for entry in read_entries(locale, folder) if entry.id and not entry.fuzzy)
    said = ((text_of(entry), forms_of(entry)) for entry in entries)
    return tuple(sorted((text, forms) for text, forms in said if all(forms)))


def read_entries(locale: str, folder: Path = FOLDER) -> Catalog:
    """Read a catalogue; an empty one where there is no file."""
    path = _path(locale, folder)
    if not path.is_file():
        return Catalog(locale=locale)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def write_entries(locale: str, catalogue: Catalog, folder: Path = FOLDER) -> None:
    """Write a catalogue, sorted, so that equal ones are equal files."""
    written = BytesIO()
    write_po(written, catalogue, width=_WIDTH, no_location=True, sort_output=True, ignore_obsolete=True)
    header, _, entries = written.getvalue().partition(b"\n\n")
    lines = header.split(b"\n")
    kept = [line for line in lines if not line.startswith(b'"') or line.startswith(_HEADER)]
    path = _path(locale, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(kept) + b"\n\n" + entries.rstrip(b"\n") + b"\n")


def _path(locale: str, folder: Path) -> Path:
    return folder / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def text_of(message: Any) -> str:
    """Return the text an entry is for; of a counted one, that for one thing."""
    return message.id if isinstance(message.id, str) else message.id[0]


def forms_of(message: Any) -> tuple[str, ...]:
    """Return its translation, or the forms of it."""
    said = message.string
    return (said,) if isinstance(said, str) else tuple(said)
