"""Texts of a template in the language of its version.

`{{ _("…") }}` and `{% trans %}…{% pluralize %}…{% endtrans %}` are read as Jinja's i18n extension reads them. A message
is plain text: where it is written into HTML, it is escaped like data. Its placeholders are `%(name)s` and nothing else
(no widths); a percent sign is `%%`. No catalogue is read while a mail is rendered: a version holds its messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from notifications.languages import SOURCE_LOCALE, plural_rule
from notifications.template_rules import RefusedError

SINGULAR = frozenset({"_", "gettext"})
PLURAL = "ngettext"
MAX_MESSAGE = 10_000
"""Characters of a text or its translation."""
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|(%)|(.?))", re.DOTALL)
_NO_MARKUP = "markup has no place in a translated text; put it around, or use two texts"

Messages = tuple[tuple[str, tuple[str, ...]], ...]
"""What a version says instead of the texts of its template: (text, its translation or its plural forms), sorted."""
FILLED = frozenset({"filled", "counted"})
"""The methods of the environment that put values into texts."""
TEXT_VARIABLE = re.compile(r"_[0-9a-f]{16}")
"""What the variable of a text is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A text to be filled: `%s` for each value; `order` has their positions, None where these are 0, 1, 2 and so on."""

    format: str
    order: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text as a template has it, with the name its translation has among the variables."""

    text: str
    plural: str | None
    variable: str
    placeholders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The forms of a text that depends on a number."""

    form: Callable[[int], int]
    forms: tuple[Filled, ...]


def placeholders(text: str) -> list[str]:
    """Return the names in a text, in order.

    Raises:
        RefusedError: for a percent sign that is neither doubled nor part of `%(name)s`.
    """
    names: list[str] = []
    for match in _PLACEHOLDER.finditer(text):
        if match[1]:
            names.append(match[1])
        elif not match[2]:
            raise RefusedError("in a translated text a percent sign is written '%%'")
    return names


class Translator(NodeTransformer):
    """Turns the texts of a tree into variables, which a version brings. `messages` are those it found."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - the name is how Jinja finds it
        """Replace one text."""
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else None
        if name in SINGULAR:
            return self._singular(node)
        return self._plural(node) if name == PLURAL else node

    def _singular(self, node: nodes.Call) -> nodes.Node:
        [text] = _texts(node, 1)
        values = {keyword.key: keyword.value for keyword in node.kwargs}
        message = self._message(node, text, None, values)
        variable = nodes.Name(message.variable, "load", lineno=node.lineno)
        if not message.placeholders:
            return variable
        return _method(node, "filled", [variable, *(values[name] for name in message.placeholders)])

    def _plural(self, node: nodes.Call) -> nodes.Node:
        text, plural = _texts(node, 2)
        if len(node.args) != 3:  # noqa: PLR2004 - one, many, how many
            raise RefusedError("ngettext() takes two texts and a number", node.lineno)
        number = node.args[2]
        values = {"num": number} | {keyword.key: keyword.value for keyword in node.kwargs}
        message = self._message(node, text, plural, values)
        variable = nodes.Name(message.variable, "load", lineno=node.lineno)
        return _method(node, "counted", [variable, number, *(values[name] for name in message.placeholders)])

    def _message(self, node: nodes.Call, text: str, plural: str | None, values: Mapping[str, nodes.Expr]) -> Message:
        try:
            names = sorted({*placeholders(text), *placeholders(plural or "")})
        except RefusedError as error:
            raise RefusedError(error.message, node.lineno) from None
        if "<" in text + (plural or ""):
            raise RefusedError(_NO_MARKUP, node.lineno)
        if missing := [name for name in names if name not in values]:
            raise RefusedError(f"a text needs a value for {missing[0]!r}", node.lineno)
        variable = "_" + sha256(f"{text}\0{plural}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        found = Message(text=text, plural=plural, variable=variable, placeholders=tuple(names))
        return self.messages.setdefault(variable, found)


def _texts(node: nodes.Call, count: int) -> list[str]:
    """Return the texts of a call, which are written out: a text made of data could not be translated."""
    texts = [arg.value for arg in node.args[:count] if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
    if len(texts) != count or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise RefusedError("a translated text is written out in quotes", node.lineno)
    if count == 1 and len(node.args) != 1:
        raise RefusedError("_() takes one text, and its values by name", node.lineno)
    return texts


def _method(node: nodes.Call, name: str, arguments: Sequence[nodes.Expr]) -> nodes.Call:
    function = nodes.EnvironmentAttribute(name, lineno=node.lineno)
    return nodes.Call(function, list(arguments), [], None, None, lineno=node.lineno)


def words_of(messages: Sequence[Message], translations: Messages, locale: str, *, is_html: bool) -> dict[str, Any]:
    """Return what the variables of some messages are in a language; a text that is not translated is its own.

    Raises:
        RefusedError: when a translation has a placeholder that its text has not, or not as many forms as the language.
    """
    known = dict(translations)
    return {message.variable: _word(message, known.get(message.text), locale, is_html=is_html) for message in messages}


def _word(message: Message, forms: tuple[str, ...] | None, locale: str, *, is_html: bool) -> Any:
    if message.plural is None:
        text = _filled(message.text if forms is None else forms[0], message, is_html=is_html)
        if message.placeholders:
            return text
        plain = text.format % ()
        return Markup(plain) if is_html else plain  # noqa: S704 - escaped when it was cut
    count, form = plural_rule(SOURCE_LOCALE if forms is None else locale)
    wanted = forms or (message.text, message.plural)
    if len(wanted) != count:
        raise RefusedError(f"{message.text!r} needs {count} forms")
    return Counted(form=form, forms=tuple(_filled(text, message, is_html=is_html) for text in wanted))


def _filled(text: str, message: Message, *, is_html: bool) -> Filled:
    """Read a text with its placeholders."""
    if len(text) > MAX_MESSAGE:
        raise RefusedError(f"a text has more than {MAX_MESSAGE} characters")
    names = placeholders(text)
    if set(names) - set(message.placeholders):
        raise RefusedError(f"the translation of {message.text!r} has a placeholder of its own")
    order = tuple(message.placeholders.index(name) for name in names)
    # Escaping leaves percent signs and parentheses alone.
    written = str(escape(text)) if is_html else text
    return Filled(
        format=_PLACEHOLDER.sub(lambda match: "%s" if match[1] else "%%", written),
        order=None if order == tuple(range(len(message.placeholders))) else order,
    )
