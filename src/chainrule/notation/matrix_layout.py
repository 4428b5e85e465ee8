"""Matrix forms as boxes."""

from __future__ import annotations

from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Expression, Number, base_axis
from chainrule.equations.walk import rename
from chainrule.notation.compose import compose, condition
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
    applied,
    fenced,
    listed,
    minus,
    number,
    parenthesised,
    plus,
    power,
    row,
    times,
    word,
)
from chainrule.notation.matrix_forms import (
    Bracket,
    Correlation,
    Diagonal,
    Flipped,
    Form,
    Hadamard,
    Identity,
    Mapped,
    MatrixEquation,
    Negative,
    Norm,
    Ones,
    OnesWindow,
    Product,
    Scalar,
    Scaled,
    Slide,
    Softmax,
    Spread,
    Sum,
    SumOver,
    Transposed,
    Whole,
    subforms,
)
from chainrule.notation.names import Names
from chainrule.notation.template import fill

HADAMARD = Symbol("⊙", "product")
ONES = Symbol("1", "bold")
_SPACE = Symbol(" ", "space")


STAR = Symbol("⋆", "product")


def matrix_box(equation: MatrixEquation, names: Names) -> Box:
    """The boxes of an equation in matrix form."""
    left, right = matrix_sides(equation, names)
    return row(left, EQUALS, right)


def matrix_sides(equation: MatrixEquation, names: Names) -> tuple[Box, Box]:
    """The boxes of its two sides; how the windows slide stands at the end."""
    right = form_box(equation.right, names)
    notes = {slid: None for part in subforms(equation.right) if isinstance(part, Correlation) for slid in [part.slides]}
    written = list(dict.fromkeys(note for slides in notes if (note := slides_note(slides, names)) is not None))
    if written:
        right = row(right, _SPACE, _SPACE, Fence("(", listed(written, row(Symbol(";", "mark"), _SPACE)), ")"))
    return form_box(equation.left, names), right


def slides_note(slides: tuple[Slide, ...], names: Names) -> Box | None:
    """stride 2, padding 1; None where the window moves by one from the first element on."""
    parts: list[Box] = []
    for word_, steps in (("stride", [s.stride for s in slides]), ("dilation", [s.dilation for s in slides])):
        if set(steps) != {1}:
            parts.append(row(word(word_), _SPACE, _along([number(step) for step in steps])))
    if all(slide.full for slide in slides):
        parts.append(word("full"))
    else:
        paddings = [compose(slide.padding, names) for slide in slides]
        if set(paddings) != {number(0)}:
            parts.append(row(word("padding"), _SPACE, _along(paddings)))
    return listed(parts) if parts else None


def _along(boxes: list[Box]) -> Box:
    """One box where all are alike, else one for each axis."""
    return boxes[0] if len(set(boxes)) == 1 else listed(boxes, row(_SPACE, word("and"), _SPACE))


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
        case Bracket():
            return compose(_rows_first(form), names)
        case Softmax(inner):
            return applied(Symbol("softmax", "name"), form_box(inner, names))
        case Correlation(source, window):
            return times([fenced(form_box(source, names), POWER), fenced(form_box(window, names), POWER)], STAR)
        case Flipped(inner):
            return applied(Symbol("flip", "name"), form_box(inner, names))
        case Spread(inner, strides):
            steps = listed([number(stride) for stride in strides]) if len(set(strides)) > 1 else number(strides[0])
            return applied(Script(Symbol("spread", "name"), steps), form_box(inner, names))
        case OnesWindow(axes):
            return Script(ONES, row(*[names.axis(axis) for axis in axes]))
        case SumOver(axis, inner):
            return row(Big(Symbol("∑", "mark"), names.axis(axis)), form_box(inner, names))


def _rows_first(form: Bracket) -> Expression:
    """The statement; where rows and columns are copies of one axis, the rows have the name with fewer primes."""
    rows, columns = form.rows, form.columns
    if rows is None or columns is None or base_axis(rows) != base_axis(columns) or len(rows) < len(columns):
        return form.statement
    swapped: Expression = rename(form.statement, {rows: columns, columns: rows})
    return swapped


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
        case "where":
            arguments = [condition(arguments[0]), *arguments[1:]]
        case "expm1":
            return plus([_mapped("exp", arguments), minus(number(1))])
    return fill(FUNCTIONS[function].latex, arguments)
