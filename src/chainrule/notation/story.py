"""The story of a derivation: the system, each derivative from the cost backwards, the result, and how to read it.

Everything is read off the log; nothing is derived here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from chainrule.calculus.derivation import Log, Step
from chainrule.calculus.insertion import without_statistics
from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Equation
from chainrule.equations.walk import subexpressions, tensors
from chainrule.notation.backpropagation import A_LINE, Error, backpropagation, layers
from chainrule.notation.compose import compose, with_axes
from chainrule.notation.document import (
    Block,
    Document,
    Fold,
    Formulas,
    Heading,
    Legend,
    Line,
    Listing,
    Paragraph,
    Steps,
    Words,
)
from chainrule.notation.layout import (
    EQUALS,
    PRIME,
    Box,
    Fence,
    Row,
    Script,
    Symbol,
    applied,
    parenthesised,
    row,
    times,
)
from chainrule.notation.legend import reading
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_layout import HADAMARD, matrix_sides
from chainrule.notation.names import Names, axis_box
from chainrule.notation.remarks import derivation_remarks, listing, remarks, system_remarks
from chainrule.notation.sections import alike, sections
from chainrule.notation.template import fill

ROLES = {
    "data": "given with each run",
    "integer": "whole numbers, given with each run",
    "parameter": "learnt",
    "state": "carried from step to step",
    "random": "drawn anew in each step",
}
# The first derivatives are shown in full; where there are many, the others are folded.
OPEN_ALL, OPEN_FIRST = 4, 2
MANY = 4


def names_of(log: Log) -> Names:
    """How names are written in a derivation: δ for the derivative with respect to a layer's sums."""
    found = layers(log)
    deltas = frozenset(layer.sums.name for layer in found)
    activations = {layer.activation.name: layer.sums.name for layer in found if layer.activation is not None}
    adjoints = {adjoint: name for name, adjoint in log.adjoints.items()}
    return Names(log.system, log.cost, adjoints, deltas, activations=activations)


def story(log: Log, assumption: str = "") -> Document:
    """The derivation as a document; ``assumption``: the distribution of the targets that the cost assumes, in words."""
    names = names_of(log)
    title: Words = ("The derivatives of ", names.tensor(log.cost), " with respect to ", *_wanted(log, names))
    assumed = (Paragraph(_assumed(assumption, log, names)),) if assumption else ()
    blocks = (*_system(log, names), *assumed, *_derivation(log, names), *_result(log, names), *reading(log, names))
    return Document(title, blocks)


def _assumed(assumption: str, log: Log, names: Names) -> Words:
    """Which likelihood is maximised where the cost is minimised."""
    return (f"The targets are taken to follow {assumption}. Up to constants, ", names.tensor(log.cost), " then holds ",
            "minus the logarithm of their likelihood: to minimise it is to maximise the likelihood.")  # fmt: skip


def _wanted(log: Log, names: Names) -> Words:
    """The tensors of the title, or, where they are many, how many."""
    if len(log.gradients) <= MANY:
        return listing([names.tensor(name) for name in log.gradients])
    parameters = {tensor.name for tensor in log.forward.parameters}
    return ("all parameters",) if set(log.gradients) == parameters else (f"{len(log.gradients)} tensors",)


def equation_line(equation: Equation, names: Names, tag: str = "") -> Line:
    """An equation in index form and, where there is one, in matrix form."""
    left, right = with_axes(equation, names), compose(equation.expression, names)
    return Line(left, right, _matrix(equation, names), tag)


def _matrix(equation: Equation, names: Names) -> tuple[Box, Box] | None:
    form = matrix_form(equation, names.system)
    return None if form is None else matrix_sides(form, names)


def _system(log: Log, names: Names) -> Iterator[Block]:
    yield Heading(("The system",))
    used = {name for equation in log.forward.equations for name in tensors(equation)}
    rows: list[tuple[Words, Words]] = []
    for role, meaning in ROLES.items():
        inputs = [tensor for tensor in log.forward.inputs if tensor.role == role and tensor.name in used]
        if inputs:
            rows.append(((role,), (*listing([with_axes(tensor, names) for tensor in inputs]), f": {meaning}")))
    yield Legend(tuple(rows))
    parts = sections([equation.name for equation in log.forward.equations])
    for scope, members in parts:
        if len(parts) > 1:
            yield Heading((scope or "the cost",), 3)
        yield Formulas(tuple(equation_line(log.forward.by_name[name], names) for name in members))
    for remark in system_remarks(log, names):
        yield Paragraph(remark)


def _derivation(log: Log, names: Names) -> Iterator[Block]:
    order = list(dict.fromkeys(step.tensor for step in log.steps))
    yield Heading(("From the cost backwards",))
    yield Paragraph(
        ("One rule gives them all. Where a quantity is read, a small change of it changes what is computed there; the "
         "change of ", names.tensor(log.cost), " is the sum over all the places where it is read. A bracket ",
         Fence("[", row("k", EQUALS, axis_box("k'")), "]"),
         " is 1 where what it says is true and 0 elsewhere: it picks the element that is read.")
    )  # fmt: skip
    for remark in derivation_remarks(log, names):
        yield Paragraph(remark)
    parts = sections(order)
    same = alike(log, [scope for scope, _ in parts])
    shown = 0
    for scope, members in parts:
        if len(parts) > 1:
            yield Heading((scope or "the cost",), 3)
        if scope in same:
            yield Paragraph((f"Step by step as for {same[scope]}, with the tensors of {scope}:",))
            yield Formulas(tuple(_summary(tensor, log, names) for tensor in members))
            continue
        for tensor in members:
            blocks = tuple(_told(tensor, log, names))
            yield Fold(_summary(tensor, log, names), blocks, len(order) <= OPEN_ALL or shown < OPEN_FIRST)
            shown += 1


def _summary(tensor: str, log: Log, names: Names) -> Line:
    """What a derivative comes to: δ = ∂C/∂z = …"""
    equation = log.system.by_name[log.adjoints[tensor]]
    line = equation_line(equation, names)
    left = _partial(equation, tensor, names)
    return line if line.left in (None, left) else Line(row(line.left or left, EQUALS, left), line.right, line.matrix)


def _partial(equation: Equation, tensor: str, names: Names) -> Box:
    return names.partial(tensor, [names.axis(axis) for axis in equation.axes])


def _told(tensor: str, log: Log, names: Names) -> Iterator[Block]:
    """The steps of one derivative, and its form without the derivatives of statistics."""
    equation = log.system.by_name[log.adjoints[tensor]]
    for remark in remarks(equation, names):
        yield Paragraph(remark)
    left = _partial(equation, tensor, names)
    yield from _steps(log.steps_of(tensor), left, log, names)
    used, steps = without_statistics(log, tensor)
    if used and sum(1 for _ in subexpressions(steps[-1].after)) <= A_LINE:
        yield Paragraph(("With ", *listing(names.tensor(log.adjoints[name]) for name in used), " put in:"))
        yield from _steps((replace(steps[0], before=None), *steps[1:]), left, log, names)


def _steps(steps: tuple[Step, ...], left: Box, log: Log, names: Names) -> Iterator[Block]:
    """The steps of one derivative; every way in which a tensor is read starts a chain of its own."""
    lines: list[Line] = []
    for step in steps:
        note = words(step.reason, names)
        after = compose(step.after.expression, names)
        if step.before is not None and lines and lines[-1].right == after:
            continue  # only the order of evaluation changed
        if step.before is None:
            if lines:
                yield Steps(tuple(lines))
            lines = []
            if step.read is not None:
                read = equation_line(step.read, names)
                lines.append(Line(read.left, read.right, rule="given"))
            lines.append(Line(left, after, rule=step.rule, note=note))
        else:
            lines.append(Line(None, after, rule=step.rule, note=note))
    if lines:
        yield Steps(tuple(lines))


_WORD = re.compile(r"[^\s,;:()]+")


def words(text: str, names: Names) -> Words:
    """Words in which the names of tensors are written as in formulas."""
    found: list[str | Box] = []
    end = 0
    for match in _WORD.finditer(text):
        name = match[0]
        if name in names.system.tensor_axes and name not in ("a", "A", "I"):
            found += [text[end : match.start()], names.tensor(name)]
            end = match.end()
    return tuple(part for part in (*found, text[end:]) if part != "")


def _result(log: Log, names: Names) -> Iterator[Block]:
    yield Heading(("The result",))
    known = backpropagation(log)
    tagged: set[str] = set()
    if known is not None:
        yield Heading(("The four equations of backpropagation",), 3)
        first = [error for error in known.errors if error.first]
        later = [error for error in known.errors if not error.first]
        if first:
            yield Paragraph(("The error of the output layer: how fast ", names.tensor(log.cost),
                             " changes with what the layer sums up.",))  # fmt: skip
            yield Formulas(tuple(line for error in first for line in _error_lines(error, "BP1", names)))
        if later:
            yield Paragraph(
                ("The error of a layer from the error of the layer after it, moved back through the weights.",)
            )
            yield Formulas(tuple(line for error in later for line in _error_lines(error, "BP2", names)))
        if known.biases:
            yield Paragraph(("The derivative with respect to a bias is the error itself, summed over the examples.",))
            yield Formulas(tuple(equation_line(equation, names, "BP3") for _, equation in known.biases))
        if known.weights:
            yield Paragraph(
                ("The derivative with respect to a weight: what goes in, times the error of what comes out.",)
            )
            yield Formulas(tuple(equation_line(equation, names, "BP4") for _, equation in known.weights))
        tagged = {equation.name for _, equation in (*known.biases, *known.weights)}
    rest = [e for e in log.equations if e.name in log.gradients.values() and e.name not in tagged]
    if rest:
        if known is not None:
            yield Heading(("The other derivatives asked for",), 3)
        yield Formulas(tuple(equation_line(equation, names) for equation in rest))
    text = "\n".join(str(equation) for equation in log.equations)
    yield Listing("All derivatives as text", text)


def _error_lines(error: Error, tag: str, names: Names) -> Iterator[Line]:
    """δ = ∂C/∂a · σ′(z) = … in full."""
    axes = [names.axis(axis) for axis in error.equation.axes]
    left = names.tensor(error.equation.name, axes)
    plain_left = names.tensor(error.equation.name)
    activation = error.layer.activation
    if error.activation_slope is not None and activation is not None and error.arriving is not None:
        slope = _slope(error, names)
        if slope is not None:
            here = applied(slope, with_axes(error.layer.sums, names))
            whole = applied(slope, names.tensor(error.layer.sums.name))
            arriving, matrix = with_axes(error.arriving, names), names.tensor(error.arriving.name)
            if not error.first:
                arriving = compose(error.arriving.expression, names)
                found = _matrix(error.arriving, names)
                matrix = parenthesised(found[1]) if found else matrix
            yield Line(left, times([arriving, here]), (plain_left, times([matrix, whole], HADAMARD)), tag)
            shown = equation_line(error.whole or error.equation, names)
            yield Line(None, shown.right, shown.matrix and (None, shown.matrix[1]))
            return
    shown = equation_line(error.whole or error.equation, names, tag)
    yield Line(left, shown.right, shown.matrix, tag)


def _slope(error: Error, names: Names) -> Box | None:
    """σ′, where the activation is one function with a sign or a name."""
    function = error.layer.function
    if function is None:
        return None
    sign = fill(FUNCTIONS[function].latex, [Symbol("x")])
    if isinstance(sign, Row) and isinstance(sign.parts[0], Symbol) and len(sign.parts) == 2:
        return Script(sign.parts[0], None, PRIME)
    return None
