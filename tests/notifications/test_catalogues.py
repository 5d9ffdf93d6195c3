"""The catalogues: complete, translated for real, and readable; and how it is noticed when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from notifications.catalogues import SAME, problems, system_texts, update
from notifications.languages import LOCALES, TRANSLATED_LOCALES
from notifications.po_files import read_catalogue, read_entries, write_entries
from notifications.translation import Message

ONE = Message(text="Hello %(name)s", plural=None, variable="v", placeholders=("name",))
MANY = Message(text="One ticket", plural="%(num)s tickets", variable="w", placeholders=("num",))


@pytest.fixture(scope="module")
def texts() -> list[Message]:
    return system_texts()


@pytest.mark.parametrize("locale", TRANSLATED_LOCALES)
def test_a_catalogue_says_all_that_the_templates_say_and_nothing_else(locale: str, texts: list[Message]) -> None:
    assert problems(locale, texts) == []


def test_the_words_that_may_be_equal_are_words_of_the_templates(texts: list[Message]) -> None:
    assert {word for words in SAME.values() for word in words} <= {message.text for message in texts}
    assert set(SAME) == set(TRANSLATED_LOCALES)
    assert set(LOCALES) == {"en", "de", "fr", "es", "it", "nl", "pl", "pt"}


def test_a_new_text_is_added_and_one_that_is_gone_is_dropped(tmp_path: Path) -> None:
    update([ONE], tmp_path)
    catalogue = read_entries("de", tmp_path)
    catalogue[ONE.text].string = "Hallo %(name)s"
    write_entries("de", catalogue, tmp_path)
    read_catalogue.cache_clear()

    update([ONE, MANY], tmp_path)
    read_catalogue.cache_clear()
    assert read_catalogue("de", tmp_path) == (("Hello %(name)s", ("Hallo %(name)s",)),)
    assert problems("de", [ONE, MANY], tmp_path) == ["de: 'One ticket' is not translated"]
    assert "\nmsgstr[2]" in (tmp_path / "pl" / "LC_MESSAGES" / "outbound.po").read_text()

    update([MANY], tmp_path)
    assert [entry.id for entry in read_entries("de", tmp_path) if entry.id] == [("One ticket", "%(num)s tickets")]


def test_updating_twice_writes_the_same_file_without_a_date(tmp_path: Path) -> None:
    update([ONE, MANY], tmp_path)
    first = (tmp_path / "de" / "LC_MESSAGES" / "outbound.po").read_bytes()

    update([MANY, ONE], tmp_path)

    assert (tmp_path / "de" / "LC_MESSAGES" / "outbound.po").read_bytes() == first
    assert b"202" not in first


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not translated"),
        (" ", "is not translated"),
        ("Hello %(name)s", "is as it is in English"),
        ("Hallo", "has other placeholders"),
        ("Hallo %(name)s %(other)s", "has other placeholders"),
        ("Hallo %(name)d", "cannot be read"),
        ("100 % %(name)s", "cannot be read"),
        ("Hallo <b>%(name)s</b>", "has markup"),
    ],
)
def test_a_translation_that_is_none_is_found(tmp_path: Path, text: str, problem: str) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add(ONE.text, text)
    write_entries("de", catalogue, tmp_path)

    [found] = problems("de", [ONE], tmp_path)

    assert problem in found


def test_a_translation_that_is_a_guess_is_found_and_not_used(tmp_path: Path) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add(ONE.text, "Hallo %(name)s", flags=["fuzzy"])
    write_entries("de", catalogue, tmp_path)

    assert problems("de", [ONE], tmp_path) == ["de: 'Hello %(name)s' is marked fuzzy"]
    assert read_catalogue("de", tmp_path) == ()


def test_what_is_missing_or_too_much_is_found(tmp_path: Path) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("Old", "Alt")
    write_entries("de", catalogue, tmp_path)

    assert problems("de", [ONE], tmp_path) == ["de: 'Hello %(name)s' is missing", "de: 'Old' is in no template"]
