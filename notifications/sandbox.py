"""A Jinja environment in which a template can read plain data, and do nothing else.

Values: only dicts, lists, texts, numbers, booleans and None come in, so an attribute is always a key and there is no
method to call. Work: what a template builds is capped where it is built, and every turn of a loop yields a chunk that
the renderer counts. What a template may be written with is in template_rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.runtime import Context, LoopContext, Undefined, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from notifications.partials import Partials, expand, take_partials
from notifications.template_code import Compiled, MailCode, with_texts_and_caps
from notifications.template_filters import FILTERS
from notifications.template_rules import RefusedError, TemplateRules
from notifications.translation import Counted, Filled

MAX_SOURCE = 200_000
"""Characters of one source."""
MAX_TEXT = 256 * 1024
"""Characters of a text that a template puts together before it is written out."""
_TOO_LONG = f"a text has more than {MAX_TEXT} characters"
MAX_REPEAT = 10_000
"""Characters that `text * number` may give."""
MAX_RANGE = 1_000
"""Numbers in a range."""
MAX_EXPONENT = 64
MAX_NUMBER = 1 << 63
"""Whole numbers that can be multiplied or raised."""
MAX_DATA_DEPTH = 32

CONTENT_BLOCK = "content"
BODY_BLOCKS = frozenset({"preheader", "reason"})
"""What a body may say outside its content: the line an inbox shows after the subject, and why the mail was sent."""

_TESTS = frozenset(
    {"defined", "undefined", "none", "true", "false", "number", "string", "mapping", "odd", "even", "in", "eq", "ne"}
)
_SCALARS = frozenset({str, int, float, bool, type(None)})
# Undefined is what `{{ x if y }}` gives without an else: nothing is written. StrictUndefined raises when it is written.
_PRINTABLE = frozenset({str, int, float, bool, Markup, Undefined, StrictUndefined})
_LOOP_ATTRIBUTES = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
)


def check_plain(value: Any, depth: int = 0) -> None:
    """Make sure that a dict or list holds what JSON can hold: exact types, so that no object brings its own methods.

    Raises:
        RefusedError: when something else is in it, or it is nested too deep.
    """
    kind = type(value)
    if depth >= MAX_DATA_DEPTH:
        raise RefusedError(f"the data is nested more than {MAX_DATA_DEPTH} deep")
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise RefusedError("the data has a key that is not a text")
            if type(item) not in _SCALARS:
                check_plain(item, depth + 1)
    elif kind is list:
        for item in value:
            if type(item) not in _SCALARS:
                check_plain(item, depth + 1)
    else:
        raise RefusedError(f"the data holds a value of type {kind.__name__}, which is not plain data")


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one kind of part: HTML is escaped, subject and text are not."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = MailCode
    newstyle_gettext: bool

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(
            extensions=["jinja2.ext.i18n"],
            autoescape=autoescape,
            undefined=StrictUndefined,
            finalize=_printable,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=0,
        )
        self.globals = {}
        self.newstyle_gettext = True
        self.policies["ext.i18n.trimmed"] = True
        self.filters = dict(FILTERS)
        self.tests = {name: test for name, test in self.tests.items() if name in _TESTS}

    def compile_layout(self, source: str) -> Compiled:
        """Compile what a body is set into.

        Raises:
            RefusedError: when it does not keep to the rules.
            jinja2.TemplateSyntaxError: when it cannot be read.
        """
        tree = self._parsed(source, BODY_BLOCKS | {CONTENT_BLOCK}, is_layout=True)
        partials = take_partials(tree)
        return self._compiled(expand(tree, partials), partials)

    def compile_body(self, source: str, partials: Partials) -> Compiled:
        """Compile a body; what stands outside its blocks becomes the block `content`. Raises as `compile_layout`."""
        tree = expand(self._parsed(source, BODY_BLOCKS, partials), partials)
        others = [node for node in tree.body if isinstance(node, nodes.Block)]
        content = [node for node in tree.body if not isinstance(node, nodes.Block)]
        tree.body = [nodes.Block(CONTENT_BLOCK, content, False, False, lineno=1), *others]
        return self._compiled(tree)

    def compile_line(self, source: str) -> Compiled:
        """Compile a part that stands alone, without blocks. Raises as `compile_layout`."""
        return self._compiled(self._parsed(source, frozenset()))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read `obj.attribute`: a key of a dict, or what a loop knows about itself. Never an attribute of a value."""
        if type(obj) is dict:
            if attribute in obj:
                return obj[attribute]
        elif isinstance(obj, Undefined) or (type(obj) is LoopContext and attribute in _LOOP_ATTRIBUTES):
            return getattr(obj, attribute)
        return self.undefined(hint=f"there is no {attribute!r} here")

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read `obj[argument]`. What is missing is not named: the argument may be a value of the data."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(hint="there is no such item")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what would grow beyond its cap before it is computed."""
        if isinstance(left, str) or isinstance(right, str):
            _check_text_operation(operator, left, right)
        elif not isinstance(left, int | float) or not isinstance(right, int | float):
            raise RefusedError(f"{operator!r} works on numbers")
        elif operator in {"*", "**"}:
            if abs(left) > MAX_NUMBER or abs(right) > MAX_NUMBER:
                raise RefusedError(f"{operator!r} works on numbers up to 2^63")
            if operator == "**" and abs(right) > MAX_EXPONENT:
                raise RefusedError(f"an exponent is at most {MAX_EXPONENT}")
        return super().call_binop(context, operator, left, right)

    def concat(self, *parts: Any) -> str:
        """Put texts and numbers together: what `a ~ b` becomes here."""
        values = ["" if part is None else self.scalar(part) for part in parts]
        if sum(len(value) for value in values if isinstance(value, str)) > MAX_TEXT:
            raise RefusedError(_TOO_LONG)
        return markup_join(values) if self.autoescape else str_join(values)

    def scalar(self, value: Any) -> Any:
        """Let pass what `set` may keep. Lists could be doubled line by line until nothing can hold them."""
        if isinstance(value, Undefined):
            str(value)  # raises the error that says what is missing
        if value is not None and type(value) not in _PRINTABLE:
            raise RefusedError("'set' and '~' work on texts and numbers")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise RefusedError(_TOO_LONG)
        return value

    def filled(self, text: Filled, *values: Any) -> str:
        """Put values into a translated text: what `_("…", name=value)` becomes here."""
        shown = [self._shown(value) for value in values]
        values = tuple(shown) if text.order is None else tuple([shown[position] for position in text.order])
        if sum(map(len, values)) > MAX_TEXT:
            raise RefusedError(_TOO_LONG)
        # The format is ours, cut from the text: `%s` as often as there are values, and no other directive.
        filled = text.format % values
        return Markup(filled) if self.autoescape else filled  # noqa: S704 - format and values are escaped

    def counted(self, text: Counted, number: Any, *values: Any) -> str:
        """Put values into the form that a number asks for: what `{% pluralize %}` becomes here."""
        if type(number) is not int:
            raise RefusedError("a plural is chosen by a whole number")
        return self.filled(text.forms[text.form(number)], *values)

    def _shown(self, value: Any) -> str:
        """Return a value as it is written into a translated text."""
        if type(value) is not str:
            if isinstance(value, Undefined):
                return str(value)  # raises the error that says what is missing
            value = _printable(value)
        return escape(value) if self.autoescape else str(value)

    def _parsed(
        self, source: str, blocks: frozenset[str], partials: Partials | None = None, *, is_layout: bool = False
    ) -> nodes.Template:
        """Read a source and check it against the rules."""
        if len(source) > MAX_SOURCE:
            raise RefusedError(f"the template has more than {MAX_SOURCE} characters")
        tree = self.parse(source)
        names = [macro.name for macro in tree.find_all(nodes.Macro)] if is_layout else partials or ()
        rules = TemplateRules(
            filters=self.filters, tests=self.tests, blocks=blocks, partials=names, is_layout=is_layout
        )
        rules.check(tree)
        return tree

    def _compiled(self, tree: nodes.Template, partials: Partials | None = None) -> Compiled:
        """Compile a checked tree with its texts as variables and the caps built in."""
        tree, messages = with_texts_and_caps(tree)
        tree.set_environment(self)
        return Compiled(
            template=Template.from_code(self, self.compile(tree), self.globals),
            messages=messages,
            partials=partials or {},
        )


def _printable(value: Any) -> Any:
    """Return what `{{ value }}` writes: nothing for None; a list or a dict is a mistake, and may be a bomb."""
    if value is None:
        return ""
    if type(value) in _PRINTABLE:
        return value
    raise RefusedError(f"a value of type {type(value).__name__} cannot be written out")


def _bounded_range(*numbers: int) -> Sequence[int]:
    """Return a range of at most MAX_RANGE numbers."""
    values = range(*numbers)
    if len(values) > MAX_RANGE:
        raise RefusedError(f"a range has at most {MAX_RANGE} numbers")
    return values


def _check_text_operation(operator: str, left: Any, right: Any) -> None:
    """Allow `text + text` and `text * number` within their caps; `text % values` would be a formatter with widths."""
    if operator == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_TEXT:
            raise RefusedError(_TOO_LONG)
        return
    text, times = (left, right) if isinstance(left, str) else (right, left)
    if operator == "*" and isinstance(text, str) and isinstance(times, int):
        if len(text) * times > MAX_REPEAT:
            raise RefusedError(f"a repeated text has at most {MAX_REPEAT} characters")
    else:
        raise RefusedError(f"{operator!r} does not work on these values")


def template_globals() -> Mapping[str, Any]:
    """Return what every template sees beside its data."""
    return {"range": _bounded_range}
