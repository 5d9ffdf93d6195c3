"""A template's Jinja set aside, so that what is left is HTML an HTML parser can read; and put back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError

from notifications.template_rules import RefusedError

_MARK = "xjinja{}x"
MARK = re.compile(r"<!--xjinja(\d+)x-->|xjinja(\d+)x")
"""What stands for a piece of Jinja: a comment between tags, a word inside an attribute or a comment."""
_TRANS = re.compile(r"\{%[-+]?\s*(end)?trans\b")
_TAG = re.compile(r"</?[a-z][\w:-]*|<!--xjinja\d+x-->")
_INSIDE = re.compile(r"xjinja\d+x")
_RAW_TEXT = frozenset({"script", "style", "textarea", "title"})
_TRANSITIONS = {
    "text": re.compile(r"(?P<comment><!--)|(?P<tag></?[a-zA-Z][\w:-]*|<!)"),
    "tag": re.compile(r"(?P<double>\")|(?P<single>')|(?P<text>>)"),
    "double": re.compile(r"(?P<tag>\")"),
    "single": re.compile(r"(?P<tag>')"),
    "comment": re.compile(r"(?P<text>-->)"),
    "raw": re.compile(r"(?P<tag></[a-zA-Z]+)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """HTML with marks in it, and the pieces they stand for, by number."""

    html: str
    pieces: tuple[str, ...]

    def restore(self, html: str) -> str:
        """Put the pieces back where their marks are."""
        return MARK.sub(lambda match: self.pieces[int(match[1] or match[2])], html)

    def check_same_outline(self, html: str) -> None:
        """Make sure that a parser that wrote `html` from this one saw the same tags and marks in the same order.

        Raises:
            RefusedError: where it did not, with the line: an end tag is missing, or a tag stands where none may.
        """
        mine, theirs = _outline(self.html.lower()), _outline(html.lower())
        for position, (start, tag) in enumerate(mine):
            if position >= len(theirs) or theirs[position][1] != tag:
                before = self.restore(self.html[:start])
                raise RefusedError("a start or end tag is missing or has no place here", before.count("\n") + 1)
        if len(theirs) > len(mine):
            raise RefusedError("an end tag is missing", self.restore(self.html).count("\n") + 1)


def _outline(html: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return each tag and mark with its place and the marks within it; attributes come in any order."""
    starts = list(_TAG.finditer(html))
    ends = [*(match.start() for match in starts[1:]), len(html)]
    return [
        (match.start(), (match[0], *sorted(_INSIDE.findall(html, match.end(), end))))
        for match, end in zip(starts, ends, strict=False)
    ]


class _Position:
    """Where in a document one is: in a text, a tag, an attribute, a comment."""

    def __init__(self) -> None:
        self.state = "text"
        self._is_raw = False

    def move(self, html: str) -> None:
        """Go on by a stretch of HTML."""
        at = 0
        while match := _TRANSITIONS[self.state].search(html, at):
            at = match.end()
            if self.state in {"text", "raw"} and match.lastgroup == "tag":
                self._is_raw = match[0][1:].lower() in _RAW_TEXT
            self.state = match.lastgroup or "text"
            if self.state == "text" and self._is_raw:
                self.state = "raw"


def read_markup(source: str) -> Markup:
    """Set the Jinja of a template aside.

    Raises:
        RefusedError: when it stands where a tag or an attribute is made up, or the template cannot be read.
    """
    if MARK.search(source):
        raise RefusedError("'xjinja' followed by a number is used here for something else")
    position = _Position()
    html: list[str] = []
    pieces: list[str] = []
    line = 1
    for is_jinja, text in _split(source):
        if not is_jinja:
            position.move(text)
            html.append(text)
        elif position.state == "tag":
            raise RefusedError("inside a tag, Jinja has its place in quoted values only", line)
        else:
            mark = _MARK.format(len(pieces))
            html.append(f"<!--{mark}-->" if position.state == "text" else mark)
            pieces.append(text)
        line += text.count("\n")
    return Markup(html="".join(html), pieces=tuple(pieces))


def _split(source: str) -> Iterator[tuple[bool, str]]:
    """Cut a source into Jinja and the rest; a translated text is Jinja from `trans` to `endtrans`."""
    translated = ""
    for is_jinja, text in _pieces(source):
        match = _TRANS.match(text) if is_jinja else None
        if match is None and not translated:
            yield is_jinja, text
            continue
        translated += text
        if match is not None and match[1]:
            yield True, translated
            translated = ""
    if translated:
        yield True, translated


def _pieces(source: str) -> Iterator[tuple[bool, str]]:
    """Cut a source into what is between the braces of Jinja, braces included, and what is not."""
    piece = ""
    try:
        for _, kind, text in Environment(autoescape=True, keep_trailing_newline=True).lex(source):
            if kind == "data":
                yield False, text
                continue
            piece += text
            if kind.endswith("_end") or kind == "raw_begin":
                yield True, piece
                piece = ""
    except TemplateSyntaxError as error:
        raise RefusedError(error.message or "cannot be read", error.lineno) from None
    if piece:
        yield True, piece
