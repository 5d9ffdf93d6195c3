"""The text part of a template that has only HTML, made when it is saved: the same Jinja between plain words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from notifications.template_markup import MARK, Markup, read_markup

_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "ul", "ol", "table", "blockquote", "pre"})
_LINES = frozenset({"div", "li", "tr"})
_SILENT = frozenset({"head", "script", "style", "title"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLOCK = re.compile(r"\{%[-+]?\s*(end)?block\b\s*(\w*)")
_PREHEADER = "preheader"
_MARGIN = re.compile(r"[ \t]+(?=\n)")
_TRIMS = re.compile(r"[^-+]%\}$")
_GAP = re.compile(r"\n{3,}")


def text_of_html(source: str) -> str:
    """Return a text template that says what an HTML template says.

    What stands alone on its line (a condition, a loop, a partial) does so in the text; a link has its address after it.

    Raises:
        RefusedError: when the template cannot be read.
    """
    markup = read_markup(source)
    alone = {number for number in range(len(markup.pieces)) if _is_alone(markup.html, number)}
    writer = _Writer(markup, alone)
    writer.feed(markup.html)
    writer.close()
    return _GAP.sub("\n\n", _MARGIN.sub("", "".join(writer.written))).strip("\n") + "\n"


def _is_alone(html: str, number: int) -> bool:
    return re.search(rf"^[ \t]*<!--xjinja{number}x-->[ \t]*$", html, re.MULTILINE) is not None


class _Writer(HTMLParser):
    """Writes text as tags and words come by."""

    def __init__(self, markup: Markup, alone: set[int]) -> None:
        super().__init__()
        self.written: list[str] = []
        self._markup = markup
        self._alone = alone
        self._links: list[str] = []
        self._silent = 0
        self._is_preheader = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, a cell, a link."""
        values = {name: self._markup.restore(value or "") for name, value in attrs}
        if tag in _SILENT:
            self._silent += 1
        elif tag in _PARAGRAPHS | _LINES:
            self._begin_line()
        if tag == "br":
            self._write("\n")
        elif tag == "li":
            self._write("* ")
        elif tag == "a":
            self._links.append(values.get("href", ""))
        elif tag == "img":
            self._write(values.get("alt", ""))

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        if tag in _SILENT:
            self._silent -= 1
        elif tag in _PARAGRAPHS:
            self._begin_line()
            self._write("\n")
        elif tag in _LINES:
            self._begin_line()
        elif tag in {"td", "th"}:
            self._write("  ")
        elif tag == "a" and self._links and (address := self._links.pop()):
            self._write(f" ({address})")

    def handle_data(self, data: str) -> None:
        """Write words; between tags, any white space is one space."""
        text = _SPACES.sub(" ", data)
        if self._is_at_line_start() or (self.written and self.written[-1].endswith(" ")):
            text = text.lstrip(" ")
        self._write(text)

    def handle_comment(self, data: str) -> None:
        """Write the Jinja that a comment stands for; other comments say nothing."""
        match = MARK.fullmatch(data)
        if match is None:
            return
        number = int(match[1] or match[2])
        piece = self._markup.pieces[number]
        block = _BLOCK.match(piece)
        if block is not None and self._is_of_preheader(block):
            return
        if number in self._alone or (block is not None and not block[1]):
            self._begin_line()
        self._write(piece)
        if number in self._alone or (block is not None and block[1]):
            self.written.append("\n")

    def _is_of_preheader(self, block: re.Match[str]) -> bool:
        """Tell whether a block begins or ends what an inbox shows: text has no place for it."""
        if block[2] == _PREHEADER and not block[1]:
            self._is_preheader = True
            self._silent += 1
            return True
        if block[1] and self._is_preheader:
            self._is_preheader = False
            self._silent -= 1
            return True
        return False

    def _write(self, text: str) -> None:
        if not text or self._silent:
            return
        if text.startswith("\n") and self.written and _TRIMS.search(self.written[-1]):
            # Jinja drops a line's end after a statement, which is right for one that has the line to itself.
            self.written[-1] = f"{self.written[-1][:-2]}+%}}"
        self.written.append(text)

    def _is_at_line_start(self) -> bool:
        return not self.written or self.written[-1].endswith("\n")

    def _begin_line(self) -> None:
        if not self._is_at_line_start():
            self._write("\n")
