"""Equations recognised in matrix form: ``z = x W + 1 βᵀ``, ``∂W = xᵀ δ``, ``δ = ∂a ⊙ a ⊙ (1 − a)``.

``matrix_form`` gives None where an equation has no such form: gathers, maxima, positions.  Windows have theirs in
``convolution.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce, access, plain_axis
from chainrule.equations.sizes import axis_class, axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import children, free_axes, rebuild, rename, subexpressions, tensors
from chainrule.notation.convolution import convolution_form
from chainrule.notation.matrix_forms import (
    Bracket,
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
    Softmax,
    Sum,
    SumOver,
    Transposed,
    Whole,
    scaled,
    subforms,
    transpose,
)

ALL = "all"  # stands for all axes of a tensor at once, where an equation only works element by element


def matrix_form(equation: Equation, system: System) -> MatrixEquation | None:
    """The form of an equation of the system without its indices, convolutions first; None where it has none."""
    return _form_of(equation) if _reads_wholes(equation, system) else None


def _reads_wholes(equation: Equation, system: System) -> bool:
    """Whether what is read along an axis is as long as the axis, so that a form means no more than is read."""
    classes = axis_classes(system)

    nodes = list(subexpressions(equation))
    bounds = {
        node.arguments[1]: node.arguments[2].value
        for node in nodes
        if isinstance(node, Apply) and node.function == "<=<" and isinstance(node.arguments[2], Number)
    }
    for node in nodes:
        if isinstance(node, Access) and node.tensor in system.tensor_axes:
            for index, name in zip(node.indices, system.tensor_axes[node.tensor], strict=True):
                along = plain_axis(index) or bounds.get(index)
                if isinstance(along, str) and axis_class(along, classes) != axis_class(name, classes):
                    return False
    return True


def _form_of(equation: Equation) -> MatrixEquation | None:
    windows = convolution_form(equation)
    if windows is not None:
        return windows
    if len(equation.axes) > 2:
        together = _all_axes_as_one(equation)
        if together is not None:
            return _form_of(together)
    found = min(_forms(equation, 2), key=lambda form: _detours(form.right), default=None)
    reduced = any(isinstance(node, Reduce) for node in subexpressions(equation.expression))
    if len(equation.axes) > 1 and (_sums(found) if found is not None else reduced):
        # Of a sum over the columns of each of several matrices, one column at a time is plainer.
        return min((*([found] if found else []), *_forms(equation, 1)), key=_sums, default=None)
    return found


def _forms(equation: Equation, free: int) -> Iterator[MatrixEquation]:
    """The forms of an equation in which this many of its axes are free, all others held."""
    for fixed in combinations(equation.axes, max(0, len(equation.axes) - free)):
        rows, columns = ([axis for axis in equation.axes if axis not in fixed] + [None, None])[:2]
        recogniser = _Recogniser(frozenset(fixed))
        left = recogniser.read(access(equation.name, equation.axes), rows, columns)
        right = recogniser.form(equation.expression, rows, columns)
        if isinstance(left, Whole) and right is not None and not isinstance(right, Scalar):
            yield MatrixEquation(left, right, fixed)


def _sums(equation: MatrixEquation) -> int:
    """How many sums over held axes a form has."""
    return sum(isinstance(part, SumOver) for part in subforms(equation.right))


def _all_axes_as_one(equation: Equation) -> Equation | None:
    """``a[b,c,h,w] = relu(z[b,c,h,w])`` as an equation between columns."""
    here = tuple(access("", equation.axes).indices)

    def visit(node: Any) -> Any:
        if isinstance(node, Access) and node.indices:
            return access(node.tensor, (ALL,)) if node.indices == here else node
        return rebuild(node, visit)

    expression = visit(equation.expression)
    if set(free_axes(expression)) - {ALL} or any(isinstance(node, Reduce) for node in subexpressions(expression)):
        return None
    return Equation(equation.name, (ALL,), expression)


class _Recogniser:
    """Finds forms of expressions while the axes in ``fixed`` are held at one value."""

    def __init__(self, fixed: frozenset[str]) -> None:
        self.fixed = fixed

    def depends(self, node: Any) -> frozenset[str]:
        return frozenset(free_axes(node)) - self.fixed

    def form(self, node: Any, rows: str | None, columns: str | None) -> Form | None:
        """The expression as a matrix with these rows and columns (None: of length one; columns only with rows)."""
        depends = self.depends(node)
        if not depends <= {rows, columns}:
            return None
        if not depends and not any(isinstance(part, Reduce) for part in subexpressions(node)):
            return Scalar(node) if _without_positions(node) else None
        if isinstance(node, Apply) and node.function == "neg":
            inner = self.form(node.arguments[0], rows, columns)
            return inner and Negative(inner)
        if columns is not None and columns not in depends and rows in depends:
            return self.product(self.form(node, rows, None), Ones(columns, transposed=True))
        if rows is not None and rows not in depends and columns in depends:
            column = self.form(node, columns, None)
            return self.product(Ones(rows), column and transpose(column))
        match node:
            case Access():
                return self.read(node, rows, columns)
            case Reduce("sum", axes, body):
                return self.contraction(axes, body, rows, columns)
            case Apply("+", arguments):
                terms = [self.form(argument, rows, columns) for argument in arguments]
                return _made(Sum, terms)
            case Apply("*", arguments):
                return self.times(arguments, rows, columns)
            case Apply("/", (above, below)):
                if above is not Number(1) and (self.depends(below) != depends or not self.depends(above)):
                    return self.times((above, Apply("/", (Number(1), below))), rows, columns)
                return self.mapped("/", (above, below), rows, columns)
            case Apply("=", (left, right)) if {plain_axis(left), plain_axis(right)} == {rows, columns} - {None}:
                return Identity(rows or "")
            case Apply(function, arguments) if function in COMPARISONS and any(isinstance(a, Index) for a in arguments):
                plain = not any(isinstance(part, Reduce) for part in subexpressions(node))
                return Bracket(node, rows, columns) if plain and {rows, columns} == depends else None
            case Apply("exp", (exponent,)) if (found := self.softmax(exponent, rows, columns)) is not None:
                return found
            case Apply(function, arguments) if _elementwise(function):
                return self.mapped(function, arguments, rows, columns)
        return None

    def softmax(self, exponent: Any, rows: str | None, columns: str | None) -> Form | None:
        """``exp(s − logsumexp s)`` along the columns, or along the rows."""
        match exponent:
            case Apply("+", (inner, Apply("neg", (Reduce("logsumexp", (over,), body),)))):
                along = next((name for name in (columns, rows) if name and rename(body, {over: name}) is inner), None)
                if along is None:
                    return None
                if along == columns or columns is None:
                    form = self.form(inner, rows, columns)
                    return form and Softmax(form)
                form = self.form(inner, columns, rows)
                return form and Transposed(Softmax(form))
        return None

    def mapped(self, function: str, arguments: Iterable[Any], rows: str | None, columns: str | None) -> Form | None:
        forms = [self.form(argument, rows, columns) for argument in arguments]
        return _made(lambda found: Mapped(function, found), forms)

    def product(self, *factors: Form | None) -> Form | None:
        """The product, with what is a scalar in front of one of the factors in front of all."""
        scalars: list[Any] = []
        bare: list[Form | None] = []
        for factor in factors:
            while isinstance(factor, Scaled | Negative):
                scalars.append(factor.scalar if isinstance(factor, Scaled) else Number(-1))
                factor = factor.form
            bare.append(factor)
        return _scaled(scalars, _made(Product, bare))

    def read(self, node: Access, rows: str | None, columns: str | None) -> Form | None:
        left = [plain_axis(index) for index in node.indices if self.depends(index)]
        wanted = [axis for axis in (rows, columns) if axis is not None]
        if sorted(map(str, left)) != sorted(wanted):
            return None
        held = tuple(None if self.depends(index) else index for index in node.indices)
        if len(held) == 2 and any(index is not None and not free_axes(index) for index in held):
            return None  # W₀ would not say whether it is a row or a column
        return Whole(node.tensor, held, left != wanted)

    def times(self, factors: Iterable[Any], rows: str | None, columns: str | None) -> Form | None:
        """A product: scalars in front, rows scaled from the left, columns from the right, the rest by element."""
        groups = self.grouped(factors)
        scalars, sums = _numbers(groups.pop(frozenset(), []))
        if not all(map(_without_positions, scalars)) or (sums and rows is not None):
            return None
        forms = [self.form(part, None, None) for part in sums]
        by_row = groups.pop(frozenset({str(rows)}), []) if columns is not None else []
        by_column = groups.pop(frozenset({columns}), []) if columns is not None else []
        for rest in groups.values():
            forms.append(self.hadamard(rest, rows, columns))
        if by_row:
            column = self.hadamard(by_row, rows, None)
            forms.insert(0, column and (Diagonal(column) if groups else column))
        if by_column:
            column = self.hadamard(by_column, columns, None)
            forms.append(column and (Diagonal(column) if groups else transpose(column)))
        return _scaled(scalars, forms[0] if len(forms) == 1 else _made(Product, forms))

    def grouped(self, factors: Iterable[Any]) -> dict[frozenset[str], list[Any]]:
        """The factors by the axes on which they depend; products and quotients within them are taken apart."""
        groups: dict[frozenset[str], list[Any]] = {}
        for factor in _flat(factors):
            groups.setdefault(self.depends(factor), []).append(factor)
        return groups

    def hadamard(self, factors: list[Any], rows: str | None, columns: str | None) -> Form | None:
        forms = [self.form(factor, rows, columns) for factor in factors]
        return forms[0] if len(forms) == 1 else _made(Hadamard, forms)

    def contraction(self, axes: tuple[str, ...], body: Any, rows: str | None, columns: str | None) -> Form | None:
        """Σ over ``axes``: a chain of matrices from ``rows`` to ``columns``, or a sum of such chains."""
        groups = self.grouped((body,))
        scalars, sums = _numbers(groups.pop(frozenset(), []))
        plain = not sums and all(map(_without_positions, scalars))
        found = _scaled(scalars, self.chain(groups, axes, rows, columns)) if plain else None
        if found is not None:
            return found
        for axis in axes:
            if any(axis in group and len(group) > 2 for group in groups):
                rest = tuple(other for other in axes if other != axis)
                inner = Reduce("sum", rest, body) if rest else body
                form = _Recogniser(self.fixed | {axis}).form(inner, rows, columns)
                if form is not None:
                    return SumOver(axis, form)
        return None

    def chain(
        self, groups: dict[frozenset[str], list[Any]], axes: tuple[str, ...], rows: str | None, columns: str | None
    ) -> Form | None:
        """The factors, each a matrix between two axes or a column at one, lined up so that the summed axes meet."""
        if any(len(group) > 2 for group in groups) or set(axes) - {axis for group in groups for axis in group}:
            return None
        if rows is None and len(groups) == 1:
            whole = _square_root(next(iter(groups.values())))
            if whole is not None:
                inner = self.form(whole, axes[0], axes[1] if len(axes) > 1 else None)
                return inner and Norm(inner)
        if any(self.column(groups, axis) is None for group in groups if len(group) == 1 for axis in group):
            return None
        edges = [group for group in groups if len(group) == 2]
        degree = {axis: sum(axis in edge for edge in edges) for axis in (*axes, rows, columns) if axis is not None}
        loose = [axis for axis in axes if degree[axis] < 2]
        start = rows if rows is not None else loose[0] if loose else None
        if start is None or any(count > 2 for count in degree.values()):
            return None
        factors: list[Form | None] = []
        here, waiting = start, list(edges)
        column = self.column(groups, here)
        if not edges and isinstance(column, Hadamard):
            left, *others = column.factors
            return Product((transpose(left), others[0] if len(others) == 1 else Hadamard(tuple(others))))
        if rows is None:
            factors.append(transpose(column or Ones(here)))
        elif column is not None:
            factors.append(Diagonal(column))
        while (edge := next((edge for edge in waiting if here in edge), None)) is not None:
            waiting.remove(edge)
            (there,) = edge - {here}
            factors.append(self.between(groups[edge], here, there))
            here = there
            column = self.column(groups, here)
            ends = columns is None and not any(here in edge for edge in waiting)
            if ends:
                factors.append(column or Ones(here))
            elif column is not None:
                factors.append(Diagonal(column))
        if not edges:
            factors.append(Ones(here)) if column is not None else factors.clear()
        reached_end = here == columns if columns is not None else here in axes
        columns_read = sum(len(group) == 1 for group in groups)
        if waiting or not reached_end or not factors or columns_read > len(set(degree)):
            return None
        return factors[0] if len(factors) == 1 else _made(Product, factors)

    def between(self, factors: list[Any], rows: str, columns: str) -> Form | None:
        """The matrix between two axes, or the transpose of the one the other way where that is plainer."""
        form = self.hadamard(factors, rows, columns)
        other = None if form is None else self.hadamard(factors, columns, rows)
        if form is None or other is None or isinstance(form, Whole) or _transposes(other) >= _transposes(form):
            return form
        return Transposed(other)

    def column(self, groups: dict[frozenset[str], list[Any]], axis: str) -> Form | None:
        factors = groups.get(frozenset({axis}))
        return self.hadamard(factors, axis, None) if factors else None


def _transposes(form: Form) -> int:
    """How many tensors stand transposed in a form."""
    return sum(part.transposed for part in subforms(form) if isinstance(part, Whole | Ones))


def _detours(form: Form) -> int:
    """How far a form is from plain matrix products."""
    return sum(isinstance(part, SumOver | Diagonal) for part in subforms(form))


def _made(kind: Any, forms: Iterable[Form | None]) -> Form | None:
    """The form of parts, None if one of the parts has no form; products within products are made one."""
    found: list[Form] = []
    for form in forms:
        if form is None:
            return None
        found.extend(form.factors if kind is Product and isinstance(form, Product) else (form,))
    made: Form = kind(tuple(found))
    return made


def _scaled(scalars: list[Any], form: Form | None) -> Form | None:
    if form is None or not scalars:
        return form
    if isinstance(form, Scaled):
        scalars, form = [*scalars, form.scalar], form.form
    return scaled(scalars, form)


def _numbers(nodes: list[Any]) -> tuple[list[Any], list[Any]]:
    """Those of the scalars that need no matrices, and the others."""
    plain = [node for node in nodes if not any(isinstance(part, Reduce) for part in subexpressions(node))]
    return plain, [node for node in nodes if node not in plain]


def _flat(factors: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for factor in factors:
        match factor:
            case Apply("*", arguments):
                flat += _flat(arguments)
            case Apply("/", (above, below)) if above is not Number(1) and set(free_axes(below)) != set(
                free_axes(above)
            ):
                flat += [*_flat((above,)), Apply("/", (Number(1), below))]
            case Apply("neg", (argument,)):
                flat += [Number(-1), *_flat((argument,))]
            case _:
                flat.append(factor)
    return flat


def _square_root(factors: list[Any]) -> Any:
    """x, where the factors are x² or x·x."""
    match factors:
        case [Apply("^", (base, Number(2)))]:
            return base
        case [left, right] if left is right:
            return left
    return None


def _without_positions(scalar: Any) -> bool:
    """Whether a scalar is one number for all positions: an element at a fixed position is no part of a matrix form.

    A bracket that says something about fixed positions is 1 or 0, and may stand in front.
    """
    match scalar:
        case Index():
            return False
        case Access(_, indices):
            return not indices
        case Apply(function, arguments) if function in COMPARISONS and not any(tensors(part) for part in arguments):
            return True
    return all(map(_without_positions, children(scalar)))


def _elementwise(function: str) -> bool:
    """Whether the function of each element can be written with the function's sign before the matrix."""
    return function in ("^", "max", "min", "where", *COMPARISONS) or FUNCTIONS[function].arity == 1
