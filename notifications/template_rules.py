"""What a template may be written with, read off its syntax tree before it is compiled."""

from __future__ import annotations

from collections.abc import Collection

from jinja2 import nodes

MAX_NODES = 4_000
"""Syntax nodes of one source."""
MAX_DEPTH = 60
"""Nesting of one source; Jinja's compiler walks it recursively."""
MAX_LOOP_NESTING = 2

# Everything else is refused by its absence: import, include, extends (there is nothing outside to reach), filter and
# set blocks (buffered instead of streamed past the caps), autoescape (would switch escaping off), with, dict literals,
# and any extension but i18n. A macro is the layout's way to write a partial (partials.py): none is left to be run.
_ALLOWED: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Block,
        nodes.If,
        nodes.For,
        nodes.Assign,
        nodes.Name,
        nodes.Const,
        nodes.Tuple,
        nodes.List,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Slice,
        nodes.CondExpr,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Add,
        nodes.Sub,
        nodes.Mul,
        nodes.Div,
        nodes.FloorDiv,
        nodes.Mod,
        nodes.Pow,
        nodes.Neg,
        nodes.Pos,
        nodes.Concat,
        nodes.Filter,
        nodes.Test,
        nodes.Keyword,
        nodes.Call,
        nodes.CallBlock,
    }
)
# `_trans` is what Jinja itself calls the number in `{% trans n=range(3)|length %}`.
_OWN_NAMES = frozenset({"_", "_trans"})
_CALLABLE = frozenset({"range", "_", "gettext", "ngettext"})


class RefusedError(Exception):
    """A template is not allowed what it asks for. The message is made of the template's words, never of the data.

    `line` is known when the template itself shows it, before anything is rendered.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class TemplateRules:
    """The rules for one part of a mail: the filters, tests, blocks and partials there are, and the limits of all parts.

    A layout may have macros: they are the partials.
    """

    def __init__(
        self,
        *,
        filters: Collection[str],
        tests: Collection[str],
        blocks: Collection[str],
        partials: Collection[str] = (),
        is_layout: bool = False,
    ) -> None:
        self._filters = filters
        self._tests = tests
        self._blocks = blocks
        self._callable = _CALLABLE | set(partials) | ({"caller"} if is_layout else set[str]())
        self._allowed = _ALLOWED | {nodes.Macro} if is_layout else _ALLOWED

    def check(self, tree: nodes.Template) -> None:
        """Go through a parsed template.

        Raises:
            RefusedError: at the first thing that is not allowed, with its line.
        """
        # (node, depth, loops around it); a list instead of recursion, so that a deep tree is counted, not followed.
        pending: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
        count = 0
        while pending:
            node, depth, loops = pending.pop()
            count += 1
            if count > MAX_NODES:
                raise RefusedError(f"the template has more than {MAX_NODES} parts")
            if depth > MAX_DEPTH:
                raise RefusedError(f"the template is nested more than {MAX_DEPTH} deep", node.lineno)
            self._check_node(node, loops)
            inside = loops + isinstance(node, nodes.For)
            if inside > MAX_LOOP_NESTING:
                raise RefusedError(f"loops are nested more than {MAX_LOOP_NESTING} deep", node.lineno)
            pending += [(child, depth + 1, inside) for child in node.iter_child_nodes()]

    def _check_node(self, node: nodes.Node, loops: int) -> None:
        """Refuse one node for what it is."""
        if type(node) not in self._allowed:
            raise RefusedError(f"{type(node).__name__!r} is not available in templates", node.lineno)
        match node:
            case nodes.Filter() if node.node is None or node.name not in self._filters:
                raise RefusedError(f"there is no filter {node.name!r}", node.lineno)
            case nodes.Test() if node.name not in self._tests:
                raise RefusedError(f"there is no test {node.name!r}", node.lineno)
            case nodes.Name() if node.name.startswith("_") and node.name not in _OWN_NAMES:
                # What is called so is ours, and is written out as it is (template_code.py).
                raise RefusedError("a name does not begin with an underscore", node.lineno)
            case nodes.Call():
                self._check_call(node)
            case nodes.For() if node.recursive:
                raise RefusedError("recursive loops are not available in templates", node.lineno)
            case nodes.For() if node.test is not None:
                # A filtered loop runs in silence: nothing could count its turns.
                raise RefusedError("a condition belongs inside the loop, not on it", node.lineno)
            case nodes.Block() if loops or node.name not in self._blocks:
                raise RefusedError(f"a block {node.name!r} has no place here", node.lineno)
            case _:
                pass

    def _check_call(self, node: nodes.Call) -> None:
        """Allow `range(…)`, texts and partials; no method of anything is reachable by a call."""
        if not isinstance(node.node, nodes.Name) or node.node.name not in self._callable:
            raise RefusedError("only range(…), _(…) and partials can be called in templates", node.lineno)
        if node.dyn_args is not None or node.dyn_kwargs is not None or (node.kwargs and node.node.name == "range"):
            raise RefusedError(f"{node.node.name}(…) takes plain values", node.lineno)
