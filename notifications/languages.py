"""The languages we ship, and what Babel knows of any: its formats and its plurals."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from gettext import c2py

from babel.core import Locale, UnknownLocaleError
from babel.messages.plurals import get_plural

SOURCE_LOCALE = "en"
"""The language that templates are written in."""
TRANSLATED_LOCALES = ("de", "es", "fr", "it", "nl", "pl", "pt")
LOCALES = (SOURCE_LOCALE, *TRANSLATED_LOCALES)
_KEPT = 64


@lru_cache(maxsize=_KEPT)
def babel_locale(tag: str) -> Locale:
    """Return how a language writes dates and numbers; English for an unknown one: no mail fails for it."""
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale(SOURCE_LOCALE)


@lru_cache(maxsize=_KEPT)
def plural_rule(tag: str) -> tuple[int, Callable[[int], int]]:
    """Return how many forms a language has for things that are counted, and which of them a number takes."""
    rule = get_plural(babel_locale(tag))
    return rule[0], c2py(rule[1])
