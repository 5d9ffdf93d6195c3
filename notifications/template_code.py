"""From a checked syntax tree to code: texts become variables, caps are built in, and little is left to do per mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer

from notifications.partials import Partials
from notifications.translation import FILLED, TEXT_VARIABLE, Message, Translator


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A source that can be run: the texts it has, and the partials it brings, if it is a layout."""

    template: Template
    messages: tuple[Message, ...]
    partials: Partials = field(default_factory=dict[str, nodes.Macro])


def with_texts_and_caps(tree: nodes.Template) -> tuple[nodes.Template, tuple[Message, ...]]:
    """Return a tree that can be compiled, and the texts in it.

    Raises:
        RefusedError: for a text that cannot be translated.
    """
    translator = Translator()
    translated = translator.visit(tree)
    return cast("nodes.Template", _BuildCapsIn().visit(translated)), tuple(translator.messages.values())


class MailCode(CodeGenerator):
    """Writes the code of a template. What is ours is called as it is, and written out without another look."""

    def visit_Call(  # noqa: N802 - the name is how Jinja finds it
        self,
        node: nodes.Call,
        frame: Frame,
        forward_caller: bool = False,  # noqa: FBT001, FBT002 - as in the class above
    ) -> None:
        """Call a method of the environment directly; it is safe by its making."""
        if not isinstance(node.node, nodes.EnvironmentAttribute):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.write(f"environment.{node.node.name}(")
        for argument in node.args:
            self.visit(argument, frame)
            self.write(", ")
        self.write(")")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if not _is_text(node):
            super()._output_child_pre(node, frame, finalize)

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if not _is_text(node):
            super()._output_child_post(node, frame, finalize)


def _is_text(node: nodes.Expr) -> bool:
    """Tell whether an expression is a translated text: a text, and escaped where that is needed."""
    if isinstance(node, nodes.Call):
        return isinstance(node.node, nodes.EnvironmentAttribute) and node.node.name in FILLED
    return isinstance(node, nodes.Name) and TEXT_VARIABLE.fullmatch(node.name) is not None


class _BuildCapsIn(NodeTransformer):
    """Caps what Jinja has no hook for: growth by `~` and `set`, and the turns of a loop that writes nothing."""

    def generic_visit(self, node: nodes.Node, *args: object, **kwargs: object) -> nodes.Node:
        """Visit what is inside, then join outputs that follow each other: their constant parts become one."""
        super().generic_visit(node, *args, **kwargs)
        for name, inside in node.iter_fields(only=("body", "else_")):
            if isinstance(inside, list):
                setattr(node, name, _joined(inside))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - the name is how Jinja finds it
        """Let the environment join the parts."""
        self.generic_visit(node)
        return _environment_call("concat", node.nodes, node.lineno)

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:  # noqa: N802 - the same
        """Let the environment look at the value before it is kept."""
        self.generic_visit(node)
        node.node = _environment_call("scalar", [cast("nodes.Expr", node.node)], node.lineno)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the same
        """Write an empty text in each turn, which the renderer counts."""
        self.generic_visit(node)
        node.body.append(nodes.Output([nodes.TemplateData("", lineno=node.lineno)], lineno=node.lineno))
        return node


def _environment_call(method: str, arguments: Sequence[nodes.Expr], line: int) -> nodes.Call:
    function = nodes.EnvironmentAttribute(method, lineno=line)
    return nodes.Call(function, list(arguments), [], None, None, lineno=line)


def _joined(body: list[nodes.Node]) -> list[nodes.Node]:
    joined: list[nodes.Node] = []
    for node in body:
        if joined and isinstance(node, nodes.Output) and isinstance(last := joined[-1], nodes.Output):
            last.nodes.extend(node.nodes)
        else:
            joined.append(node)
    return joined
