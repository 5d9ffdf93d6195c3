"""The system templates' texts in other languages: what the catalogues have, and what they lack.

`python -m notifications.catalogues update` brings the catalogues up to what the templates say; `check` says what is
missing in them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog

from notifications.languages import SOURCE_LOCALE, TRANSLATED_LOCALES, plural_rule
from notifications.po_files import FOLDER, forms_of, read_catalogue, read_entries, text_of, write_entries
from notifications.saving import texts_of
from notifications.system_templates import system_layout, system_templates
from notifications.template_filters import KNOWN_WORDS
from notifications.template_rules import RefusedError
from notifications.translation import Message, placeholders

_TICKET = ("Ticket", "Ticket %(number)s")

SAME: Mapping[str, frozenset[str]] = {
    "de": frozenset({"Normal", "Status", *_TICKET}),
    "es": frozenset({"Normal", "No", *_TICKET}),
    "fr": frozenset({"Client", "Contact", "Description", *_TICKET}),
    "it": frozenset({"No", *_TICKET}),
    "nl": frozenset({"Contact", "Open", "Status", *_TICKET}),
    "pl": frozenset({"Status"}),
    "pt": frozenset({"Normal"}),
}
"""What a language says in the same word as English; anything else that is equal has been forgotten."""


def problems(locale: str, texts: Iterable[Message], folder: Path = FOLDER) -> list[str]:
    """Return what a catalogue lacks, or has too much, each as a sentence."""
    wanted = {message.text: message for message in texts}
    found = {text_of(message): message for message in read_entries(locale, folder) if message.id}
    listed = [f"{locale}: {text!r} is missing" for text in wanted if text not in found]
    for text, entry in found.items():
        message = wanted.get(text)
        if message is None:
            listed.append(f"{locale}: {text!r} is in no template")
        else:
            listed += [f"{locale}: {text!r} {problem}" for problem in _problems(locale, message, entry)]
    return listed


def update(texts: Iterable[Message], folder: Path = FOLDER) -> None:
    """Write the catalogues again: with every text of the templates, and no other; translations are kept."""
    wanted = sorted(texts, key=lambda message: message.text)
    for locale in TRANSLATED_LOCALES:
        known = dict(read_catalogue(locale, folder))
        catalogue = Catalog(locale=locale, header_comment=f"# What outbound's mails say ({locale}).", fuzzy=False)
        count, _ = plural_rule(locale)
        for message in wanted:
            forms = known.get(message.text, ("",) * (1 if message.plural is None else count))
            if message.plural is None:
                catalogue.add(message.text, forms[0])
            else:
                catalogue.add((message.text, message.plural), forms)
        write_entries(locale, catalogue, folder)
    read_catalogue.cache_clear()


def system_texts() -> list[Message]:
    """Return every text of the system's templates, and the words they may say of fields and states."""
    versions = {(one.subject, one.html, one.text): one for one in system_templates() if one.locale == SOURCE_LOCALE}
    words = [Message(text=word, plural=None, variable=word, placeholders=()) for word in KNOWN_WORDS]
    texts = [
        message
        for one in versions.values()
        for message in texts_of(subject=one.subject, html=one.html, text=one.text, layout=system_layout())
    ]
    return list({message.text: message for message in [*words, *texts]}.values())


def main() -> None:
    """Update the catalogues, or say what they lack: exit code 1 if anything."""
    parser = argparse.ArgumentParser(prog="python -m notifications.catalogues", description=__doc__)
    parser.add_argument("action", choices=["update", "check"])
    texts = system_texts()
    if parser.parse_args().action == "update":
        update(texts)
    listed = [problem for locale in TRANSLATED_LOCALES for problem in problems(locale, texts)]
    sys.stdout.writelines(f"{problem}\n" for problem in listed)
    sys.exit(1 if listed else 0)


def _problems(locale: str, message: Message, entry: Any) -> Iterable[str]:
    forms = forms_of(entry)
    if entry.fuzzy:
        yield "is marked fuzzy"
    if not all(form.strip() for form in forms):
        yield "is not translated"
        return
    if message.text in forms and message.text not in SAME.get(locale, frozenset()):
        yield "is as it is in English"
    if len(forms) != (1 if message.plural is None else plural_rule(locale)[0]):
        yield "has not as many forms as the language"
    for form in forms:
        try:
            names = set(placeholders(form))
        except RefusedError as error:
            yield f"cannot be read: {error.message}"
            continue
        # A form for one thing may leave the number out.
        if names - set(message.placeholders) or (message.plural is None and names != set(message.placeholders)):
            yield "has other placeholders"
        if "<" in form:
            yield "has markup"


if __name__ == "__main__":
    main()
