"""Partials: pieces of a mail that a layout defines and bodies use. They are written in where they are used.

A layout defines them as macros, `{% macro button(url, label) %}…{% endmacro %}`. A body uses one as a line of its own,
`{{ button(ticket.url, _("View ticket")) }}`, or around something, `{% call table() %}…{% endcall %}`. There is no macro
when the mail is rendered: nothing that could call itself, and nothing that is put together outside the caps.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from notifications.template_rules import RefusedError

MAX_EXPANDED_NODES = 20_000
"""Syntax nodes of one source with its partials written in."""
_CALLER = "caller"
_BINDERS = (nodes.For, nodes.Assign, nodes.Block, nodes.Macro)

N = TypeVar("N", bound=nodes.Node)
Partials = Mapping[str, nodes.Macro]


def take_partials(tree: nodes.Template) -> dict[str, nodes.Macro]:
    """Take the macros out of a layout; one may use those before it.

    Raises:
        RefusedError: when one stands inside something, or binds names that could be the user's.
    """
    partials: dict[str, nodes.Macro] = {}
    macros = [node for node in tree.body if isinstance(node, nodes.Macro)]
    names = {macro.name for macro in macros}
    for node in macros:
        if (binder := next(node.find_all(_BINDERS), None)) is not None:
            raise RefusedError(f"a partial has no {type(binder).__name__!r} in it", binder.lineno)
        if sum(_is_caller(call) for call in node.find_all(nodes.Call)) > 1:
            raise RefusedError("a partial has one caller() at most", node.lineno)
        partials[node.name] = expand(node, partials)
        for call in node.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in names:
                raise RefusedError("a partial uses those before it only", call.lineno)
    tree.body = [node for node in tree.body if not isinstance(node, nodes.Macro)]
    if (macro := tree.find(nodes.Macro)) is not None:
        raise RefusedError("a macro has its place at the top of a layout only", macro.lineno)
    return partials


def expand(tree: N, partials: Partials) -> N:
    """Write the partials in where a tree uses them.

    Raises:
        RefusedError: when one is used inside an expression or with other parameters than it has.
    """
    expanded = _Expander(partials).visit(tree)
    for call in expanded.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in partials:
            raise RefusedError(f"{call.node.name!r} has its place between braces of its own", call.lineno)
    if sum(1 for _ in expanded.find_all(nodes.Node)) > MAX_EXPANDED_NODES:
        raise RefusedError(f"the template has more than {MAX_EXPANDED_NODES} parts with its partials")
    return expanded  # type: ignore[no-any-return]  # the visitor is typed for any node


class _Expander(NodeTransformer):
    """Replaces uses by what they stand for."""

    def __init__(self, partials: Partials) -> None:
        self._partials = partials

    def visit_Output(self, node: nodes.Output) -> list[nodes.Node]:  # noqa: N802 - the name is how Jinja finds it
        """Cut an output where it uses a partial."""
        parts: list[nodes.Node] = []
        plain: list[nodes.Expr] = []
        for child in node.nodes:
            partial = self._used(child)
            if partial is None:
                plain.append(child)
                continue
            if plain:
                parts.append(nodes.Output(plain, lineno=node.lineno))
                plain = []
            parts += _written_in(partial, child, [])  # type: ignore[arg-type]  # what is used is a call
        if plain:
            parts.append(nodes.Output(plain, lineno=node.lineno))
        return parts

    def visit_CallBlock(self, node: nodes.CallBlock) -> list[nodes.Node]:  # noqa: N802 - the same
        """Put a body into what is called."""
        self.generic_visit(node)
        partial = self._used(node.call)
        if partial is None or node.args:
            raise RefusedError("a partial is called here without a name for its body", node.lineno)
        return _written_in(partial, node.call, node.body)

    def _used(self, node: nodes.Node) -> nodes.Macro | None:
        if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Name):
            return None
        return self._partials.get(node.node.name)


def _written_in(partial: nodes.Macro, call: nodes.Call, body: list[nodes.Node]) -> list[nodes.Node]:
    """Return a copy of a partial with the call's arguments for its parameters, and the body for its `caller()`."""
    written = _Filler(_arguments(partial, call), body)
    result: list[nodes.Node] = []
    for node in partial.body:
        filled: Any = written.visit(_copied(node))
        result += filled if isinstance(filled, list) else [filled]
    if body and not written.has_called:
        raise RefusedError(f"{partial.name!r} has no place for a body", call.lineno)
    inside = {id(inner) for node in body for inner in (node, *node.find_all(nodes.Node))}
    for node in result:
        for inner in (node, *node.find_all(nodes.Node)):
            if id(inner) not in inside:
                # What goes wrong in a partial is shown where it is used.
                inner.lineno = call.lineno
    return result


def _arguments(partial: nodes.Macro, call: nodes.Call) -> dict[str, nodes.Expr]:
    """Return the expression of each parameter."""
    names = [parameter.name for parameter in partial.args]
    given = dict(zip(names, call.args, strict=False)) | {keyword.key: keyword.value for keyword in call.kwargs}
    defaults = dict(zip(names[len(names) - len(partial.defaults) :], partial.defaults, strict=True))
    count = len(call.args) + len(call.kwargs)
    if set(given) - set(names) or count != len(given) or call.dyn_args is not None or call.dyn_kwargs is not None:
        raise RefusedError(f"{partial.name!r} takes {', '.join(names) or 'nothing'}", call.lineno)
    missing = [name for name in names if name not in given and name not in defaults]
    if missing:
        raise RefusedError(f"{partial.name!r} needs {', '.join(missing)}", call.lineno)
    return defaults | given


class _Filler(NodeTransformer):
    """Puts arguments in the place of parameters."""

    def __init__(self, arguments: Mapping[str, nodes.Expr], body: list[nodes.Node]) -> None:
        self._arguments = arguments
        self._body = body
        self.has_called = False

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802 - the name is how Jinja finds it
        """Replace a parameter."""
        argument = self._arguments.get(node.name)
        return node if argument is None else _copied(argument)

    def visit_Output(self, node: nodes.Output) -> nodes.Node | list[nodes.Node]:  # noqa: N802 - the same
        """Replace `caller()`, which stands alone."""
        for position, child in enumerate(node.nodes):
            if _is_caller(child):
                self.has_called = True
                before = nodes.Output(node.nodes[:position], lineno=node.lineno)
                after = nodes.Output(node.nodes[position + 1 :], lineno=node.lineno)
                self.generic_visit(before)
                self.generic_visit(after)
                return [*([before] if before.nodes else []), *self._body, *([after] if after.nodes else [])]
        self.generic_visit(node)
        return node


def _copied(node: N) -> N:
    """Return a node of its own with all inside it; the environment it names stays the same."""
    twin = copy(node)
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(twin, name, _copied(value))
        elif isinstance(value, list):
            setattr(twin, name, [_copied(item) if isinstance(item, nodes.Node) else item for item in value])
    return twin


def _is_caller(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == _CALLER
