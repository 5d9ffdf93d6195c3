"""From what an author writes to what is stored: styles inlined, the text part derived, the texts found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from notifications.inlining import inline_fragment
from notifications.plain_text import text_of_html
from notifications.sandbox import Sandbox
from notifications.template import Layout, TemplateVersion, pin
from notifications.template_filters import KNOWN_WORDS
from notifications.translation import Message, Messages

_SAYS_WORDS = re.compile(r"\|\s*(?:label|brief)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A template's sources as they are stored, in whatever language they are said; `used` are the texts they have."""

    subject: str
    html: str
    text: str
    layout: Layout
    used: frozenset[str]

    def version(self, *, name: str, locale: str, messages: Messages = ()) -> TemplateVersion:
        """Return the version in one language. Of `messages`, those it uses become part of it."""
        return pin(
            name=name,
            locale=locale,
            subject=self.subject,
            html=self.html,
            text=self.text,
            layout=self.layout,
            messages=tuple((text, forms) for text, forms in messages if text in self.used),
        )


def prepare(*, subject: str, html: str, text: str | None = None, layout: Layout, css: str) -> Prepared:
    """Return what is stored of a template as an author writes it; without `text`, the HTML says it.

    Raises:
        RefusedError: when the HTML cannot be read as it is written, or a source does not keep to the rules.
        jinja2.TemplateSyntaxError: when a source cannot be read at all.
    """
    inlined = inline_fragment(html, css)
    plain = text_of_html(html) if text is None else text
    used = {message.text for message in texts_of(subject=subject, html=inlined, text=plain, layout=layout)}
    return Prepared(
        subject=subject,
        html=inlined,
        text=plain,
        layout=layout,
        used=frozenset(used | words_said((subject, inlined, plain))),
    )


def texts_of(*, subject: str, html: str, text: str, layout: Layout) -> list[Message]:
    """Return the texts that sources have, those of the layout and of the partials they use among them.

    Raises:
        RefusedError: when a source does not keep to the rules.
        jinja2.TemplateSyntaxError: when one cannot be read.
    """
    rich, plain = Sandbox(autoescape=True), Sandbox(autoescape=False)
    around_html, around_text = rich.compile_layout(layout.html), plain.compile_layout(layout.text)
    compiled = (
        plain.compile_line(subject),
        around_html,
        rich.compile_body(html, around_html.partials),
        around_text,
        plain.compile_body(text, around_text.partials),
    )
    return list(dict.fromkeys(message for one in compiled for message in one.messages))


def words_said(sources: Iterable[str]) -> set[str]:
    """Return the words that sources may say of fields and states (template_filters.py)."""
    return set(KNOWN_WORDS) if any(map(_SAYS_WORDS.search, sources)) else set()
