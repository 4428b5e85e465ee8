"""How to read a derivation: the signs that occur in it and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Set

from chainrule.calculus.derivation import Log
from chainrule.equations.functions import ARGUMENTS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Number, Reduce, plain_axis
from chainrule.equations.parse import parse_expression
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions
from chainrule.notation.compose import compose
from chainrule.notation.document import Block, Heading, Legend, Words
from chainrule.notation.layout import Fence, Script, Symbol, applied, minus, number, plus, times
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_forms import Bracket, Correlation, Flipped, OnesWindow, Softmax, Spread, subforms
from chainrule.notation.matrix_layout import ONES, STAR
from chainrule.notation.names import Names, layer_box
from chainrule.notation.remarks import listing
from chainrule.notation.template import fill


def reading(log: Log, names: Names) -> Iterator[Block]:
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
    forms = [form for equation in log.system.equations if (form := matrix_form(equation, log.system)) is not None]
    if forms:
        rows.append((("matrix form",), (
            "the first axis of a tensor counts rows, the second columns; a tensor with one axis is a column, ", ONES,
            " the column of ones; ", Symbol("⊙", "mark"), " multiplies element by element, functions are taken of each "
            "element, a number is added to each element")))  # fmt: skip
        rows += _form_signs({type(part) for form in forms for part in subforms(form.right)})
    yield Heading(("How to read it",))
    yield Legend(tuple(rows))


def _form_signs(forms: Set[type]) -> Iterator[tuple[Words, Words]]:
    """The signs of matrix forms and convolutions that occur."""
    x, window = Symbol("x"), Symbol("W")
    if Softmax in forms:
        yield (applied(Symbol("softmax", "name"), x),), ("of each row: the powers of e, divided by their sum",)
    if Bracket in forms:
        yield (Fence("[", Symbol("…", "mark"), "]"),), ("in a matrix form: the matrix of a statement about row and "
                                                        "column, 1 where it is true, else 0",)  # fmt: skip
    if Correlation in forms:
        yield (times([x, window], STAR),), (
            "the window W slid over x, which networks call convolution: at each position the sum of the products of W "
            "and what lies under it. The axes of the window are left out below the names",)  # fmt: skip
        yield ("stride, dilation, padding",), (
            "how far the window moves from one position to the next; how far apart its elements lie; how far before "
            "the first element it starts (full: only its last element is inside at first)",)  # fmt: skip
    if Flipped in forms:
        flipped = applied(Symbol("flip", "name"), window)
        yield (flipped,), ("the window read from its end: ", times([x, flipped], STAR), " is the convolution ",
                           times([x, window], Symbol("∗", "product")))  # fmt: skip
    if Spread in forms:
        steps = plus([Symbol("s"), minus(number(1))])
        yield (applied(Script(Symbol("spread", "name"), Symbol("s")), x),), ("x with ", steps, " zeros between its "
                                                                             "elements")  # fmt: skip
    if OnesWindow in forms:
        yield (Script(ONES, Symbol("u")),), ("the window along u that is 1 everywhere",)


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
            yield (sign,), (f"its derivative{'s are' if len(slopes) > 1 else ' is'} ", *listing(slopes), f"; {decided}")


def _scopes(names: Names) -> Iterator[tuple[Words, Words]]:
    """Which layers of the program a number stands for."""
    scopes: dict[str, dict[str, None]] = {}
    for name, label in names.labels.items():
        if "." in name and label.layer.isdigit():
            scopes.setdefault(label.layer, {})[name.rpartition(".")[0]] = None
    for layer, found in scopes.items():
        yield (layer_box(layer),), (f"above a name: of {', '.join(found)}",)
