"""The story of a derivation: the system, each derivative from the cost backwards, the result, and how to read it.

Everything is read off the log; nothing is derived here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chainrule.calculus.derivation import Log, Step
from chainrule.equations.functions import ARGUMENTS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Equation, Number, Reduce, plain_axis
from chainrule.equations.parse import parse_expression
from chainrule.equations.system import Input, System
from chainrule.equations.walk import subexpressions, tensors
from chainrule.notation.backpropagation import Error, backpropagation, layers
from chainrule.notation.compose import compose, left_side
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
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_layout import HADAMARD, ONES, form_box
from chainrule.notation.names import Names, axis_box, layer_box
from chainrule.notation.template import fill

_ROLES = {
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


def story(log: Log) -> Document:
    """The derivation as a document."""
    names = names_of(log)
    title: Words = ("The derivatives of ", names.tensor(log.cost), " with respect to ", *_wanted(log, names))
    blocks = (*_system(log, names), *_derivation(log, names), *_result(log, names), *_reading(log, names))
    return Document(title, blocks)


def _wanted(log: Log, names: Names) -> Words:
    """The tensors of the title, or, where they are many, how many."""
    if len(log.gradients) <= MANY:
        return _and([names.tensor(name) for name in log.gradients])
    parameters = {tensor.name for tensor in log.forward.parameters}
    return ("all parameters",) if set(log.gradients) == parameters else (f"{len(log.gradients)} tensors",)


def _and(boxes: list[Box]) -> Words:
    words: list[str | Box] = []
    for position, box in enumerate(boxes):
        if position:
            words.append(" and " if position == len(boxes) - 1 else ", ")
        words.append(box)
    return tuple(words)


def equation_line(equation: Equation, names: Names, tag: str = "") -> Line:
    """An equation in index form and, where there is one, in matrix form."""
    left, right = left_side(equation, names), compose(equation.expression, names)
    return Line(left, right, _matrix(equation, names), tag)


def _matrix(equation: Equation, names: Names) -> tuple[Box, Box] | None:
    form = matrix_form(equation)
    return None if form is None else (form_box(form.left, names), form_box(form.right, names))


def _system(log: Log, names: Names) -> Iterator[Block]:
    yield Heading(("The system",))
    used = {name for equation in log.forward.equations for name in tensors(equation)}
    rows: list[tuple[Words, Words]] = []
    for role, meaning in _ROLES.items():
        inputs = [tensor for tensor in log.forward.inputs if tensor.role == role and tensor.name in used]
        if inputs:
            rows.append(((role,), (*_and([_declared(tensor, names) for tensor in inputs]), f": {meaning}")))
    yield Legend(tuple(rows))
    yield Formulas(tuple(equation_line(equation, names) for equation in log.forward.equations))


def _declared(tensor: Input, names: Names) -> Box:
    return names.tensor(tensor.name, [names.axis(axis) for axis in tensor.axes])


def _derivation(log: Log, names: Names) -> Iterator[Block]:
    order = list(dict.fromkeys(step.tensor for step in log.steps))
    yield Heading(("From the cost backwards",))
    yield Paragraph(
        ("One rule gives them all. Where a quantity is read, a small change of it changes what is computed there; the "
         "change of ", names.tensor(log.cost), " is the sum over all the places where it is read. A bracket ",
         Fence("[", row("k", EQUALS, axis_box("k'")), "]"),
         " is 1 where what it says is true and 0 elsewhere: it picks the element that is read.")
    )  # fmt: skip
    final = {equation.name: equation for equation in log.equations}
    for position, tensor in enumerate(order):
        steps = log.steps_of(tensor)
        equation = final[log.adjoints[tensor]]
        left = names.partial(tensor, [names.axis(axis) for axis in equation.axes])
        called = left_side(equation, names)
        summary = equation_line(equation, names)
        if called != left:
            summary = Line(row(called, EQUALS, left), summary.right, summary.matrix)
        yield Fold(
            summary,
            tuple(_steps(steps, left, log, names)),
            unfolded=len(order) <= OPEN_ALL or position < OPEN_FIRST,
        )


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
            here = applied(slope, left_side(error.layer.sums, names))
            whole = applied(slope, names.tensor(error.layer.sums.name))
            arriving, matrix = left_side(error.arriving, names), names.tensor(error.arriving.name)
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


def _reading(log: Log, names: Names) -> Iterator[Block]:
    """What the signs mean; only those that occur."""
    nodes = [node for equation in log.system.equations for node in subexpressions(equation)]
    functions = {node.function for node in nodes if isinstance(node, Apply)}
    sizes = [node.value for node in nodes if isinstance(node, Number) and isinstance(node.value, str)]
    rows: list[tuple[Words, Words]] = []
    tensor = next(iter(log.adjoints))
    rows.append(((names.partial(tensor),), ("how fast ", names.tensor(log.cost), " changes with each element of ",
                                            names.tensor(tensor))))  # fmt: skip
    for name in sorted(names.shown_deltas, key=list(names.system.tensor_axes).index)[:1]:
        rows.append(
            ((names.tensor(log.adjoints[name]),), ("short for ", names.partial(name), ", the error of a layer"))
        )
    if sizes:
        rows.append(((names.size(sizes[0]),), ("how many values the axis ", names.axis(sizes[0]), " has")))
    if "sigmoid" in functions:
        logistic = compose(parse_expression("1/(1 + exp(-x))", ("x",)), Names(System(())))
        rows.append(((fill(FUNCTIONS["sigmoid"].latex, [Symbol("x")]),), ("the logistic function ", logistic)))
    rows += _ties(log)
    numbered = [name for name, label in names.labels.items() if label.layer.isdigit()]
    if numbered:
        rows.append(((names.tensor(numbered[0]),), ("a number in parentheses above counts layers; it is no power",)))
    rows += _scopes(names)
    if any(isinstance(part, Access) for node in nodes if isinstance(node, Access) for part in node.indices):
        rows.append((("a tensor below",), ("a gather: the position is looked up in another tensor",)))
    if any(plain_axis(i) is None for node in nodes if isinstance(node, Access) for i in node.indices):
        rows.append((("outside",), ("a tensor read outside its range is 0",)))
    if any(matrix_form(equation) for equation in log.system.equations):
        rows.append((("matrix form",), (
            "the first axis of a tensor counts rows, the second columns; a tensor with one axis is a column, ", ONES,
            " the column of ones; ", Symbol("⊙", "mark"), " multiplies element by element, functions are taken of each "
            "element, a number is added to each element")))  # fmt: skip
    yield Heading(("How to read it",))
    yield Legend(tuple(rows))


# Where each function has a kink, and what its derivative in the catalogue makes of it.
_KINKS = {
    "relu": "at 0 the derivative is 0",
    "abs": "at 0 the derivative is 0",
    "max": "where both are equal the first counts",
    "min": "where both are equal the first counts",
}


def _ties(log: Log) -> Iterator[tuple[Words, Words]]:
    """How a derivative is decided where there is none, for the functions that occur."""
    derived = [node for equation in log.equations for node in subexpressions(equation)]
    for operation, reached in (("argmax", "maximum"), ("argmin", "minimum")):
        if any(isinstance(node, Reduce) and node.operation == operation for node in derived):
            yield (operation,), (f"where the {reached} is; the first of those that reach it gets the whole derivative",)
    forward = [node for equation in log.forward.equations for node in subexpressions(equation)]
    functions = {node.function for node in forward if isinstance(node, Apply)}
    plain = Names(System(()))
    for name, decided in _KINKS.items():
        if name in functions:
            arguments = ARGUMENTS[: len(FUNCTIONS[name].derivatives)]
            slopes = [compose(parse_expression(text, arguments), plain) for text in FUNCTIONS[name].derivatives]
            sign = fill(FUNCTIONS[name].latex, [Symbol(argument) for argument in arguments])
            yield (sign,), (f"its derivative{'s are' if len(slopes) > 1 else ' is'} ", *_and(slopes), f"; {decided}")


def _scopes(names: Names) -> Iterator[tuple[Words, Words]]:
    """Which layers of the program a number stands for."""
    scopes: dict[str, dict[str, None]] = {}
    for name, label in names.labels.items():
        if "." in name and label.layer.isdigit():
            scopes.setdefault(label.layer, {})[name.rpartition(".")[0]] = None
    for layer, found in scopes.items():
        yield (layer_box(layer),), (f"above a name: of {', '.join(found)}",)
