"""Matrix forms as boxes."""

from __future__ import annotations

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Number
from chainrule.notation.compose import compose
from chainrule.notation.layout import (
    EQUALS,
    POWER,
    PRODUCT,
    TRANSPOSED,
    Big,
    Box,
    Fence,
    Script,
    Symbol,
    fenced,
    minus,
    number,
    parenthesised,
    plus,
    power,
    row,
    times,
)
from chainrule.notation.matrix_forms import (
    Diagonal,
    Form,
    Hadamard,
    Identity,
    Mapped,
    MatrixEquation,
    Negative,
    Norm,
    Ones,
    Product,
    Scalar,
    Scaled,
    Sum,
    SumOver,
    Transposed,
    Whole,
)
from chainrule.notation.names import Names
from chainrule.notation.template import fill

HADAMARD = Symbol("⊙", "product")
ONES = Symbol("1", "bold")


def matrix_box(equation: MatrixEquation, names: Names) -> Box:
    """The boxes of an equation in matrix form."""
    return row(form_box(equation.left, names), EQUALS, form_box(equation.right, names))


def form_box(form: Form, names: Names) -> Box:
    """The boxes of a matrix form."""
    match form:
        case Whole(tensor, indices, transposed):
            held = [compose(index, names) for index in indices if index is not None]
            return names.tensor(tensor, held, TRANSPOSED if transposed else None)
        case Scalar(expression):
            return compose(expression, names)
        case Ones(_, transposed):
            return Script(ONES, None, TRANSPOSED) if transposed else ONES
        case Identity():
            return Symbol("I")
        case Diagonal(column):
            return row(Symbol("diag", "name"), Fence("(", form_box(column, names), ")"))
        case Transposed(inner):
            return Script(parenthesised(form_box(inner, names)), None, TRANSPOSED)
        case Product(factors):
            return times([_factor(factor, names) for factor in factors])
        case Hadamard(factors):
            return times([fenced(form_box(factor, names), POWER) for factor in factors], HADAMARD)
        case Scaled(Number(-1), inner):
            return minus(form_box(inner, names))
        case Scaled(scalar, inner):
            return times([compose(scalar, names), _factor(inner, names)])
        case Sum(terms):
            return plus([form_box(term, names) for term in terms])
        case Negative(inner):
            return minus(form_box(inner, names))
        case Mapped(function, arguments):
            return _mapped(function, [form_box(argument, names) for argument in arguments])
        case Norm(inner):
            return Script(Fence("‖", form_box(inner, names), "‖"), None, number(2))
        case SumOver(axis, inner):
            return row(Big(Symbol("∑", "mark"), names.axis(axis)), form_box(inner, names))


def _factor(form: Form, names: Names) -> Box:
    """A factor of a matrix product; one that multiplies by element stands in parentheses."""
    box = form_box(form, names)
    if isinstance(form, Hadamard) or (isinstance(form, Mapped) and form.function == "/"):
        return parenthesised(box)
    return fenced(box, PRODUCT)


def _mapped(function: str, arguments: list[Box]) -> Box:
    """A function of each element: powers and quotients with signs that tell them from those of matrices."""
    match function:
        case "^":
            return power(fenced(arguments[0], POWER), row(Symbol("∘", "mark"), arguments[1]))
        case "/":
            return times([fenced(argument, POWER) for argument in arguments], Symbol("⊘", "product"))
        case "exp":
            return row(Symbol("exp", "name"), Fence("(", arguments[0], ")"))
        case "expm1":
            return plus([_mapped("exp", arguments), minus(number(1))])
    return fill(FUNCTIONS[function].latex, arguments)
