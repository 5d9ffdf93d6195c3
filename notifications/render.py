"""A template and data become subject, HTML and text; whatever goes wrong is a RenderingError that quotes no data."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from jinja2 import Template, TemplateSyntaxError, UndefinedError
from jinja2.runtime import Context

from notifications.branding import DEFAULT_BRAND
from notifications.sandbox import Sandbox, check_plain, template_globals
from notifications.template import TemplateVersion
from notifications.template_code import Compiled
from notifications.template_filters import KNOWN_WORDS, WORDS
from notifications.template_rules import RefusedError
from notifications.translation import words_of
from providers.mailbox import clean_line

MAX_OUTPUT = 512 * 1024
"""Bytes of subject, HTML and text together."""
MAX_CHUNKS = 50_000
"""Pieces a mail is written in: every output and every turn of a loop is one, so this bounds the work as well."""
MAX_SECONDS = 0.25
"""The time one mail may take to render; a system template takes a thousandth of it."""
BATCH_SECONDS = 0.05
"""What rendering may take of a batch; the rest is rendered a moment later, so that nothing else has to wait for it."""
MAX_SUBJECT = 400
"""Characters of a subject."""
_VERSIONS_KEPT = 1024
_COMPILED_KEPT = 768
_CHUNKS_A_LOOK = 16
_TOO_LARGE = f"the mail has more than {MAX_OUTPUT} bytes"


class RenderingError(Exception):
    """A template did not become a mail.

    `template` names the template, its locale and the part; `line` is the line of that part, where it is known. The
    message is made of the template's own words: neither it nor a cause holds a value of the data.
    """

    def __init__(self, template: str, line: int | None, message: str) -> None:
        place = template if line is None else f"{template}:{line}"
        super().__init__(f"{place}: {message}")
        self.template = template
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A mail's content. `subject` is one line."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A compiled part: the template that is run, and the blocks a body puts into it."""

    name: str
    entry: Template
    blocks: Mapping[str, list[Callable[[Context], Iterator[str]]]]
    body: Template
    texts: Mapping[str, Any]
    """The texts in the language of the version, by the names they have in what was compiled."""


K = TypeVar("K")
V = TypeVar("V")


class _Kept(OrderedDict[K, V]):
    """What was made once and is kept, the last used of it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return what is kept under a key, made now if there is nothing."""
        kept = self.get(key)
        if kept is not None:
            self.move_to_end(key)
            return kept
        self[key] = made = make()
        if len(self) > self._limit:
            self.popitem(last=False)
        return made


class Renderer:
    """Renders in this process, one mail at a time. Sources are compiled once, for all the languages they are said in.

    A template cannot read anything but its data, and is stopped by what it puts out, by its turns and by the size of
    what it builds (sandbox.py). The clock is looked at between its pieces; one long operation is not interrupted.
    """

    def __init__(self) -> None:
        self._html = Sandbox(autoescape=True)
        self._plain = Sandbox(autoescape=False)
        self._globals = template_globals()
        self._versions: _Kept[TemplateVersion, tuple[_Part, _Part, _Part]] = _Kept(_VERSIONS_KEPT)
        self._compiled: _Kept[tuple[str, ...], Compiled] = _Kept(_COMPILED_KEPT)

    def render(self, template: TemplateVersion, data: Mapping[str, Any]) -> Rendered:
        """Render all parts of a mail.

        `data` is the context: plain dicts, lists, texts, numbers, booleans and None, with `tenant` (name, slug) beside
        the keys of the subtype, `timezone` (an IANA name) if it is known, and `brand` (branding.py). Every template
        sees `locale`, `range` and a whole `brand` as well; what the data says of it wins.

        Raises:
            RenderingError: for any failure of template or data.
        """
        subject, html, text = self._parts(template)
        variables = self._variables(template, data)
        budget = _Budget()
        return Rendered(
            subject=clean_line(_run(subject, template, variables, budget).strip(), MAX_SUBJECT),
            html=_run(html, template, variables, budget),
            text=_without_gaps(_run(text, template, variables, budget)),
        )

    def subject(self, template: TemplateVersion, data: Mapping[str, Any]) -> str:
        """Render only the subject of a mail. Raises as `render`."""
        subject, _, _ = self._parts(template)
        return clean_line(_run(subject, template, self._variables(template, data), _Budget()).strip(), MAX_SUBJECT)

    def _variables(self, template: TemplateVersion, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a template sees."""
        try:
            check_plain(dict(data))
        except RefusedError as error:
            raise RenderingError(_label(template, "data"), None, error.message) from None
        return {**self._globals, **data, "locale": template.locale, "brand": _brand(data)}

    def check(self, template: TemplateVersion) -> None:
        """Compile a template without rendering it, as when somebody saves it.

        Raises:
            RenderingError: when it cannot be read, or does not keep to the rules.
        """
        self._parts(template)

    def _parts(self, template: TemplateVersion) -> tuple[_Part, _Part, _Part]:
        """Return the parts of a version, compiled now if they are not kept."""
        return self._versions.get_or_make(template, lambda: self._compile(template))

    def _compile(self, template: TemplateVersion) -> tuple[_Part, _Part, _Part]:
        """Make the three parts of a template."""
        subject = self._compiled_source(template, "subject", self._plain.compile_line, template.subject)
        return (
            _part("subject", template, subject, subject, is_html=False),
            self._set_into_layout(template, "html", self._html, template.html, template.layout_html),
            self._set_into_layout(template, "text", self._plain, template.text, template.layout_text),
        )

    def _set_into_layout(
        self, template: TemplateVersion, name: str, sandbox: Sandbox, body_source: str, layout_source: str
    ) -> _Part:
        """Compile a body and its layout, to be run as one template."""
        layout = self._compiled_source(template, f"{name} layout", sandbox.compile_layout, layout_source)
        body = self._compiled_source(
            template, name, lambda source: sandbox.compile_body(source, layout.partials), body_source, layout_source
        )
        return _part(name, template, layout, body, is_html=sandbox is self._html)

    def _compiled_source(
        self,
        template: TemplateVersion,
        part: str,
        compile_source: Callable[[str], Compiled],
        source: str,
        layout_source: str = "",
    ) -> Compiled:
        """Compile one source of a template, unless it is compiled for another language already."""
        key = (part, source, layout_source)
        return self._compiled.get_or_make(key, lambda: _compiled(template, part, compile_source, source))


def _brand(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the brand with everything in it, called as the tenant is where it has no name of its own."""
    given, tenant = data.get("brand"), data.get("tenant")
    brand = {**DEFAULT_BRAND, **given} if isinstance(given, dict) else dict(DEFAULT_BRAND)
    if not brand["name"] and isinstance(tenant, dict):
        brand["name"] = tenant.get("name", "")
    return brand


class _Budget:
    """What is left for a mail, over all its parts."""

    __slots__ = ("bytes", "chunks", "until")

    def __init__(self) -> None:
        self.bytes = MAX_OUTPUT
        self.chunks = MAX_CHUNKS
        self.until = time.perf_counter() + MAX_SECONDS


def _part(name: str, template: TemplateVersion, entry: Compiled, body: Compiled, *, is_html: bool) -> _Part:
    """Put an entry, a body and the texts of both together."""
    messages = dict.fromkeys((*entry.messages, *body.messages))
    try:
        texts = words_of(list(messages), template.messages, template.locale, is_html=is_html)
    except RefusedError as error:
        raise RenderingError(_label(template, f"{name} texts"), None, error.message) from None
    known = dict(template.messages)
    texts[WORDS] = {word: known[word][0] for word in KNOWN_WORDS if word in known}
    blocks = {} if entry is body else {block: [run] for block, run in body.template.blocks.items()}
    return _Part(name=name, entry=entry.template, blocks=blocks, body=body.template, texts=texts)


def _compiled(template: TemplateVersion, part: str, compile_source: Callable[[str], Compiled], source: str) -> Compiled:
    """Compile one source, and say what is wrong with it where."""
    try:
        return compile_source(source)
    except RefusedError as error:
        raise RenderingError(_label(template, part), error.line, error.message) from None
    except TemplateSyntaxError as error:
        raise RenderingError(_label(template, part), error.lineno, error.message or "cannot be read") from None
    except Exception as error:  # noqa: BLE001 - a source can break parser and compiler in any way (depth, huge numbers)
        raise RenderingError(_label(template, part), None, f"cannot be compiled: {type(error).__name__}") from None


def _run(part: _Part, template: TemplateVersion, variables: dict[str, Any], budget: _Budget) -> str:
    """Write one part, chunk by chunk, within what is left of the budget."""
    # What `extends` does at run time: the entry's context, with the body's blocks in front of its own.
    context = part.entry.new_context({**variables, **part.texts}, shared=True)
    context.blocks.update(part.blocks)
    try:
        return _collect(part.entry.root_render_func(context), budget)
    except Exception as error:  # noqa: BLE001 - a template can fail in any way; here is where it becomes one
        layout_failed, line = _place(error.__traceback__, part)
        where = f"{part.name} layout" if layout_failed else part.name
        # No cause: its message may quote the data, and whoever logs the traceback would log that.
        raise RenderingError(_label(template, where), line, _reason(error)) from None


def _collect(chunks: Iterator[str], budget: _Budget) -> str:
    """Put chunks together while the budget lasts. Characters are counted on the way, bytes at the end."""
    collected: list[str] = []
    characters_left = budget.bytes
    # Every turn of a loop is a chunk; looking at size and clock for each would cost as much as a short mail.
    while some := list(islice(chunks, _CHUNKS_A_LOOK)):
        collected += some
        characters_left -= sum(map(len, some))
        if characters_left < 0:
            raise RefusedError(_TOO_LARGE)
        if len(collected) > budget.chunks:
            raise RefusedError(f"the mail is written in more than {MAX_CHUNKS} pieces")
        if time.perf_counter() > budget.until:
            raise RefusedError(f"rendering takes longer than {MAX_SECONDS} s")
    budget.chunks -= len(collected)
    written = "".join(collected)
    budget.bytes -= len(written) if written.isascii() else len(written.encode())
    if budget.bytes < 0:
        raise RefusedError(_TOO_LARGE)
    return written


def _without_gaps(text: str) -> str:
    """Return a text with one blank line at a time: what is left out of a text leaves its blank lines behind."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def _place(traceback: TracebackType | None, part: _Part) -> tuple[bool, int | None]:
    """Return whether the layout is to blame, and the line; Jinja keeps the template beside the code it made of it."""
    failed: Template | None = None
    line: int | None = None
    while traceback is not None:
        template: Template | None = traceback.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            failed, line = template, template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return failed is not None and failed is not part.body, line


def _reason(error: Exception) -> str:
    """Say what failed without quoting the data: ours and the errors on missing names hold the template's words only."""
    if isinstance(error, RefusedError):
        return error.message
    if isinstance(error, UndefinedError):
        return error.message or "a value is missing"
    return f"{type(error).__name__} while rendering"


def _label(template: TemplateVersion, part: str) -> str:
    return f"{template.name}/{template.locale} {part}"
