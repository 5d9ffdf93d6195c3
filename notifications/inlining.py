"""Styles become attributes when a template is saved: mail programs drop style sheets, and no mail pays for it."""

from __future__ import annotations

import re

from css_inline import CSSInliner, InlineError

from notifications.template_markup import Markup, read_markup
from notifications.template_rules import RefusedError

_MACRO = re.compile(r"(\{%[-+]?\s*macro\b.*?%\}\n?)(.*?)(\{%[-+]?\s*endmacro\s*[-+]?%\}\n?)", re.DOTALL)
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_KEPT_STYLE = "<!--kept style {}-->"
_ROW = re.compile(r"\s*<tr\b")


def inline_fragment(source: str, css: str) -> str:
    """Give a body's tags the styles that `css` has for them.

    Raises:
        RefusedError: when the HTML is such that a parser reads something else than what is written.
    """
    markup = read_markup(source)
    # A row outside a table is no row to a parser.
    is_row = _ROW.match(markup.html) is not None
    wrapped = f"<table>{markup.html}</table>" if is_row else markup.html
    try:
        html = CSSInliner(load_remote_stylesheets=False).inline_fragment(wrapped, css)
    except InlineError as error:
        raise RefusedError(f"the styles cannot be inlined: {error}") from None
    html = _without_made_up(html, source)
    return _checked(markup, html.removeprefix("<table>").removesuffix("</table>") if is_row else html)


def inline_document(source: str, css: str) -> str:
    """Do the same for a layout. Its own `<style>` stays as it is: what depends on the reader's screen is for there."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return _KEPT_STYLE.format(len(kept) - 1)

    markup = read_markup(_STYLE.sub(keep, source))
    try:
        html = CSSInliner(load_remote_stylesheets=False, extra_css=css).inline(markup.html)
    except InlineError as error:
        raise RefusedError(f"the styles cannot be inlined: {error}") from None
    html = _checked(markup, _without_made_up(html, source))
    for number, style in enumerate(kept):
        html = html.replace(_KEPT_STYLE.format(number), style)
    return html


def inline_partials(source: str, css: str) -> str:
    """Do the same for each of a file of partials."""
    return _MACRO.sub(lambda match: match[1] + inline_fragment(match[2], css) + match[3], source)


def _without_made_up(html: str, source: str) -> str:
    """Take out what parsers add to every table; between the rows of a loop it would be opened once and closed often."""
    return html if "<tbody" in source else html.replace("<tbody>", "").replace("</tbody>", "")


def _checked(markup: Markup, html: str) -> str:
    """Return the template again, in ASCII: one other character, and all of a mail is sent in another encoding."""
    markup.check_same_outline(html)
    return markup.restore(html.encode("ascii", "xmlcharrefreplace").decode())
