r"""Text to systems.

    # comments run to the end of the line; a line goes on while a bracket is open
    axis b, i = 784, p = (size(h) - size(u))//2 + 1     sizes of axes: known, related, or solved from data
    data x[b,i]                                          inputs, each with its role
    integer t[b]
    parameter W[i,j], β[j]
    state m[j] = 0
    random r[b,j] ~ uniform
    z[b,j] = sum[i](x[b,i]*W[i,j]) + β[j]                 equations

A text that declares no inputs needs none: what it reads and does not define is gathered, as ``integer`` where it is
used as an index and as ``data`` elsewhere.  Greek letters may be spelled out (``beta1`` is ``β1``), ``partial W`` is
``∂W``, and ``x² ≤ ≥ ≠ · Σ **`` are understood.  The text is never evaluated as Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lark import Tree

from chainrule.equations.check import check
from chainrule.equations.grammar import (
    canonical_name,
    is_function,
    literal,
    statements,
    syntax_tree,
    target_of,
    token_span,
)
from chainrule.equations.node import Access, Equation, Expression, base_axis, plain_axis
from chainrule.equations.places import path_of
from chainrule.equations.read import Reader
from chainrule.equations.system import DISTRIBUTIONS, Input, System
from chainrule.equations.walk import subexpressions
from chainrule.errors import ChainruleError, EquationError, Source


def parse(text: str, file: str = "<equations>", *, shapes: Mapping[str, tuple[int, ...]] | None = None) -> System:
    """Read a system from its text and check it.

    Raises EquationError, which quotes the line and points at the culprit, when the text cannot be read or has no
    meaning.  With ``shapes`` (tensor name → sizes) the sizes of axes are solved and checked as well.
    """
    reading = _System(text, file)
    try:
        system = reading.read()
        check(system, shapes)
    except RecursionError:
        raise _too_deep(reading.source) from None
    return system


def _too_deep(source: Source) -> EquationError:
    message = "an expression is nested too deeply; give parts of it names in equations of their own"
    return EquationError(message, source, (0, len(source.text.split("=")[0].rstrip())))


def parse_file(path: str | Path) -> System:
    """Read a system from a file of equations (UTF-8)."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ChainruleError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ChainruleError(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None
    return parse(text, str(path))


def parse_expression(text: str, scalars: tuple[str, ...] = ()) -> Expression:
    """Read one expression; bare names in ``scalars`` are tensors without axes, other bare names are axes."""
    source = Source(text, "<expression>", 1)
    tree = syntax_tree(source, "sum")
    tensors = dict.fromkeys(scalars, ())
    try:
        return Reader(source, tensors, None).expression(tree, (), integer=False)  # type: ignore[no-any-return]
    except RecursionError:
        raise _too_deep(source) from None


class _System:
    """Reads statements in two passes: first what is declared and defined, then the expressions."""

    def __init__(self, text: str, file: str) -> None:
        self.trees = [(source, syntax_tree(source, "statement")) for source in statements(text, file)]
        self.file = file
        self.inputs: list[Input] = []
        self.sources: dict[str, Source] = {}
        self.sizes: list[tuple[str, Expression | None]] = []
        self.equations: list[Equation] = []
        self.source = Source("", file, 1)  # the statement that is being read

    def read(self) -> System:
        if not self.trees:
            raise EquationError(f"{self.file}: no equations")
        tensors: dict[str, tuple[str, ...]] = {}
        for source, tree in self.trees:
            if tree.data == "inputs":
                self.declare(source, tree)
            elif tree.data == "equation":
                name, axes, _ = target_of(tree.children[0])
                tensors[name] = axes
        tensors |= {tensor.name: tensor.axes for tensor in self.inputs}
        for source, tree in self.trees:
            self.source = source
            reader = Reader(source, tensors, bool(self.inputs))
            if tree.data == "axes":
                self.size_axes(reader, tree)
            elif tree.data == "equation":
                self.define(reader, tree)
        if not self.equations:
            raise EquationError(f"{self.file}: no equations, only declarations")
        if not self.inputs:
            self.inputs = gather_inputs(self.equations, self.sources)
        return System(tuple(self.equations), tuple(self.inputs), tuple(self.sizes), self.sources)

    def claim(self, name: str, source: Source, span: tuple[int, int]) -> None:
        if name in self.sources:
            earlier = self.sources[name]
            line, _ = earlier.place(earlier.spans["left",][0])
            raise EquationError(f"{name} is already given in line {line}", source, span)
        if is_function(name):
            raise EquationError(f"{name} is the name of a function", source, span)

    def declare(self, source: Source, tree: Tree[Any]) -> None:
        role = str(tree.children[0])
        for item in tree.children[1:]:
            target, value, distribution = item.children
            name, axes, span = target_of(target)
            self.claim(name, source, span)
            _distinct(name, axes, source, span)
            if value is not None and role != "state":
                raise EquationError(f"only a state has a value to start from; {name} is {role}", source, span)
            if (distribution is not None) != (role == "random"):
                raise EquationError(
                    f"random {name} needs a distribution: random {name} ~ uniform"
                    if role == "random"
                    else f"only a random tensor has a distribution; {name} is {role}",
                    source,
                    span,
                )
            if distribution is not None and str(distribution) not in DISTRIBUTIONS:
                raise EquationError(
                    f"unknown distribution {distribution}; one of {', '.join(DISTRIBUTIONS)}",
                    source,
                    token_span(distribution),
                )
            start: float | int | None = None
            if role == "state":
                start = 0
                if value is not None:
                    start = literal(value.children[1], source) * (-1 if value.children[0] else 1)
            self.sources[name] = Source(source.text, source.file, source.line, {("left",): span})
            self.inputs.append(Input(name, axes, role, start, str(distribution) if distribution else None))  # type: ignore[arg-type]

    def size_axes(self, reader: Reader, tree: Tree[Any]) -> None:
        for item in tree.children:
            token, size = item.children
            name = canonical_name(str(token))
            if base_axis(name) != name:
                raise EquationError(
                    f"{name} is a copy of {base_axis(name)}; declare {base_axis(name)}",
                    reader.source,
                    token_span(token),
                )
            if any(name == other for other, _ in self.sizes):
                raise EquationError(f"axis {name} is declared twice", reader.source, token_span(token))
            relation = None if size is None else reader.size(size)
            self.sources[f"axis {name}"] = Source(
                reader.source.text, reader.source.file, reader.source.line, {("left",): token_span(token)}
            )
            self.sizes.append((name, relation))

    def define(self, reader: Reader, tree: Tree[Any]) -> None:
        name, axes, span = target_of(tree.children[0])
        self.claim(name, reader.source, span)
        _distinct(name, axes, reader.source, span)
        reader.scope = set(axes)
        expression = reader.expression(tree.children[1], (), integer=False)
        reader.spans["left",] = span
        self.sources[name] = Source(reader.source.text, reader.source.file, reader.source.line, reader.spans)
        self.equations.append(Equation(name, axes, expression))


def gather_inputs(equations: list[Equation], sources: Mapping[str, Source]) -> list[Input]:
    """The inputs of a text that declares none: what is read and not defined."""
    defined = {equation.name for equation in equations}
    found: dict[str, tuple[str, ...] | None] = {}
    integers: set[str] = set()
    reads: dict[str, tuple[Equation, Access]] = {}
    for equation in equations:
        for node in subexpressions(equation.expression):
            if not isinstance(node, Access):
                continue
            for index in node.indices:
                integers |= {part.tensor for part in subexpressions(index) if isinstance(part, Access)} - defined
            if node.tensor in defined:
                continue
            axes = tuple(plain_axis(index) for index in node.indices)
            usable = None not in axes and len(set(axes)) == len(axes)
            found[node.tensor] = found.get(node.tensor) or (axes if usable else None)  # type: ignore[assignment]
            if usable and not axes:
                found[node.tensor] = ()
            reads.setdefault(node.tensor, (equation, node))
    inputs = []
    for name, axes_found in found.items():
        if axes_found is None:
            source = sources.get(reads[name][0].name)
            raise EquationError(
                f"{name} is read only at computed positions; declare its axes: data {name}[…]",
                source,
                _find(reads[name][0], reads[name][1], source),
            )
        inputs.append(Input(name, axes_found, "integer" if name in integers else "data"))
    return inputs


def _find(equation: Equation, wanted: Access, source: Source | None) -> tuple[int, int] | None:
    path = path_of(equation.expression, wanted)
    return None if source is None or path is None else source.spans.get(path)


def _distinct(name: str, axes: tuple[str, ...], source: Source, span: tuple[int, int]) -> None:
    for axis_name in axes:
        if axes.count(axis_name) > 1:
            raise EquationError(
                f"axis {axis_name} stands twice on {name}; write {axis_name}' for a second copy of it", source, span
            )
