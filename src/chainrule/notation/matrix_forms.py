"""Matrix forms as data.

A tensor with two axes is a matrix, the first axis its rows; one with one axis is a column.  Of a tensor with more axes
all but two are held fixed: ``S_{bh} = Q_{bh} K_{bh}ᵀ`` for each b and h, ``h_t = tanh(x_t W + h_{t−1} U)`` for each t.
A scalar added to a matrix is added to each of its elements; functions of a matrix are taken of each element.

    form ::= Whole          a tensor, perhaps transposed
           | Scalar         an expression without axes
           | Ones           the column of ones           | Identity | Diagonal   a column on the diagonal
           | Product        matrix product               | Hadamard   element by element      | Transposed
           | Scaled         a scalar times a form        | Sum | Negative
           | Mapped         a function of each element   | Norm       the sum of the squares of all elements
           | SumOver        the sum of forms over an axis that each of them holds fixed
           | Bracket        1 where a statement about the row and the column is true, 0 where not
           | Softmax        of each row
           | Correlation    a window slid over a tensor    | Flipped    | Spread        (``convolution.py``)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from chainrule.equations.node import Apply, Expression, Index, Number
from chainrule.equations.walk import is_reciprocal, product


@dataclass(frozen=True)
class Whole:
    """A tensor, some of its axes held at a position; the others (None in ``indices``) are its rows and columns."""

    tensor: str
    indices: tuple[Expression | None, ...]
    transposed: bool = False


@dataclass(frozen=True)
class Scalar:
    expression: Expression


@dataclass(frozen=True)
class Ones:
    axis: str
    transposed: bool = False


@dataclass(frozen=True)
class Identity:
    axis: str


@dataclass(frozen=True)
class Diagonal:
    column: Form


@dataclass(frozen=True)
class Transposed:
    """The transpose of a form that is no single tensor."""

    form: Form


@dataclass(frozen=True)
class Product:
    factors: tuple[Form, ...]


@dataclass(frozen=True)
class Hadamard:
    factors: tuple[Form, ...]


@dataclass(frozen=True)
class Scaled:
    scalar: Expression
    form: Form


@dataclass(frozen=True)
class Sum:
    terms: tuple[Form, ...]


@dataclass(frozen=True)
class Negative:
    form: Form


@dataclass(frozen=True)
class Mapped:
    function: str
    arguments: tuple[Form, ...]


@dataclass(frozen=True)
class Norm:
    form: Form


@dataclass(frozen=True)
class SumOver:
    axis: str
    form: Form


@dataclass(frozen=True)
class Bracket:
    """The matrix of a statement that has these axes; ``rows`` and ``columns`` as the statement names them."""

    statement: Expression
    rows: str | None
    columns: str | None


@dataclass(frozen=True)
class Softmax:
    """``exp(s − log Σ exp s)`` along each row; of a column, along the column."""

    form: Form


@dataclass(frozen=True)
class Slide:
    """How a window moves along an axis: at position p its element u is at stride·p + dilation·u − padding."""

    axis: str  # of the result
    stride: int
    dilation: int
    padding: Expression

    @property
    def full(self) -> bool:
        """Whether the window starts with only its last element inside: padding dilation·(size − 1)."""
        match self.padding:
            case Index(((coefficient, Number(str())),), constant):
                return coefficient == self.dilation == -constant
        return False


@dataclass(frozen=True)
class Correlation:
    """``source ⋆ window``: at every position, the sum of the products of the window and what lies under it."""

    source: Form
    window: Form
    slides: tuple[Slide, ...]


@dataclass(frozen=True)
class Flipped:
    """The window read from its end, along each of its axes."""

    form: Form


@dataclass(frozen=True)
class Spread:
    """The source with ``stride − 1`` zeros put between its elements, along each axis."""

    form: Form
    strides: tuple[int, ...]


@dataclass(frozen=True)
class OnesWindow:
    """The window that is 1 everywhere."""

    axes: tuple[str, ...]


Form = (
    Whole
    | Scalar
    | Ones
    | Identity
    | Diagonal
    | Transposed
    | Product
    | Hadamard
    | Scaled
    | Sum
    | Negative
    | Mapped
    | Norm
    | SumOver
    | Bracket
    | Softmax
    | Correlation
    | Flipped
    | Spread
    | OnesWindow
)


@dataclass(frozen=True)
class MatrixEquation:
    """``left = right`` for every value of the ``fixed`` axes."""

    left: Whole
    right: Form
    fixed: tuple[str, ...]


def transpose(form: Form) -> Form:
    match form:
        case Whole(_, indices):
            return replace(form, transposed=not form.transposed) if None in indices else form
        case Ones():
            return replace(form, transposed=not form.transposed)
        case Scalar() | Identity() | Diagonal() | Norm():
            return form
        case Transposed(inner):
            return inner
        case Product(factors):
            return Product(tuple(transpose(factor) for factor in reversed(factors)))
        case Bracket(statement, rows, columns):
            return Bracket(statement, columns, rows)
        case Hadamard() | Sum() | Mapped() | Softmax() | Correlation() | Flipped() | Spread() | OnesWindow():
            return Transposed(form)
        case Scaled(scalar, inner):
            return Scaled(scalar, transpose(inner))
        case Negative(inner):
            return Negative(transpose(inner))
        case SumOver(axis, inner):
            return SumOver(axis, transpose(inner))


def scaled(scalars: Sequence[Any], form: Form) -> Scaled:
    """The form with the product of the scalars in front, reciprocals as one fraction."""
    top = product([scalar for scalar in scalars if not is_reciprocal(scalar)])
    below = [scalar.arguments[1] for scalar in scalars if is_reciprocal(scalar)]
    return Scaled(Apply("/", (top, product(below))) if below else top, form)


def subforms(form: Any) -> Iterator[Any]:
    """The form and all forms within it."""
    yield form
    for field in fields(form):
        value = getattr(form, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Form):
                yield from subforms(part)
