"""Equations recognised as convolutions: ``z = x ⋆ W``, ``∂x = δ ⋆ flip(W)``, ``∂W = x ⋆ δ``.

``x ⋆ W`` is the cross-correlation that networks call convolution.  The axes along which a window moves (one, two, …)
are a tensor's own here; all others are held fixed: ``z_bo = Σ_c x_bc ⋆ W_oc + β_o``.

Along each axis the recogniser looks for one position that joins an axis of the result with a summed one:

    x[s·p + d·u − k] W[u]              summed over u    x ⋆ W              stride s, dilation d, padding k
    δ[h − d·u + k] W[u]                summed over u    δ ⋆ flip(W)        dilation d, padding d·(n_u − 1) − k
    δ[p] W[h − s·p + k] [0 ≤ … < n_u]  summed over p    spread_s(δ) ⋆ flip(W)    padding n_u − 1 − k
    δ[p] W[u] [h = s·p + d·u − k]      summed over p, u    spread_s(δ) ⋆ flip(W)    dilation d, padding d·(n_u − 1) − k

The last two are the gradients of a convolution with a stride (Dumoulin, Visin, A guide to convolution arithmetic for
deep learning, 2016, §4).  A derivative with respect to W is of the first kind, δ being the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.node import (
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    access,
    axis,
    base_axis,
    plain_axis,
)
from chainrule.equations.walk import combine, free_axes, is_apply, rebuild, subexpressions
from chainrule.notation.matrix_forms import (
    Correlation,
    Flipped,
    Form,
    Hadamard,
    Mapped,
    MatrixEquation,
    Negative,
    OnesWindow,
    Scalar,
    Slide,
    Spread,
    Sum,
    SumOver,
    Whole,
    scaled,
)

MARK = "at "  # before the name of an axis: a position along it, taken as an axis of its own


@dataclass(frozen=True)
class Meeting:
    """Where an axis of the result meets summed ones: the axes of source and window there, and how the window slides."""

    position: Expression  # what says so: a position in a read, or a bracket
    source: str
    window: str
    spread: int
    slide: Slide
    flipped: bool


def convolution_form(equation: Equation) -> MatrixEquation | None:
    """The equation as one between tensors along the axes of its windows, or None where it has no windows."""
    windowed = {name for node in subexpressions(equation.expression) for name in _windowed(node, equation.axes)}
    grid = tuple(name for name in equation.axes if name in windowed)
    if not grid:
        return None
    fixed = tuple(name for name in equation.axes if name not in grid)
    left = _read(access(equation.name, equation.axes), grid)
    right = _form(equation.expression, grid)
    if not isinstance(left, Whole) or right is None:
        return None
    return MatrixEquation(left, right, fixed)


def _windowed(node: Any, results: Sequence[str]) -> Iterator[str]:
    """The axes of the result along which a sum moves a window."""
    if isinstance(node, Reduce) and node.operation == "sum":
        for meeting in _meetings(_factors(node.body), results, node.axes):
            yield meeting.slide.axis


def _meetings(factors: Sequence[Any], results: Sequence[str], summed: Sequence[str]) -> list[Meeting]:
    bounds = {position: size for position, size in map(_bound, factors) if position is not None}
    found: dict[Meeting, None] = {}
    for factor in factors:
        if is_apply(factor, "="):
            found.update(dict.fromkeys(_bracketed(factor, results, summed, factors)))
            continue
        for node in subexpressions(factor):
            meeting = _meeting(node, results, summed, bounds) if isinstance(node, Index) else None
            if meeting is not None:
                found[meeting] = None
    return list(found)


def _meeting(node: Index, results: Sequence[str], summed: Sequence[str], bounds: Mapping[Any, str]) -> Meeting | None:
    """A position a·result + s·summed + constant as the first three rows of the table say."""
    joined = _joined(node, results, summed)
    if joined is None or len(joined[1]) != 1:
        return None
    (result, forward), ((other, step),), constant = joined
    mark = MARK + result
    if step > 0:
        if node in bounds:
            return None
        slide = Slide(result, forward, step, combine([(-1, constant)], 0))
        return Meeting(node, mark, other, 1, slide, flipped=False)
    if node not in bounds:
        return Meeting(node, mark, other, 1, _turned(result, forward, -step, constant, other), flipped=True)
    if forward == 1:
        return Meeting(node, other, mark, -step, _turned(result, 1, 1, constant, bounds[node]), flipped=True)
    return None


def _bracketed(
    bracket: Any, results: Sequence[str], summed: Sequence[str], factors: Sequence[Any]
) -> Iterator[Meeting]:
    """``[h = s·p + d·u − k]``, the last row of the table; the source is what is read first."""
    left, right = bracket.arguments
    result = plain_axis(left)
    joined = _joined(combine([(1, left), (1, right)], 0), results, summed) if isinstance(right, Index) else None
    if joined is None or result != joined[0][0] or len(joined[1]) != 2:
        return
    _, steps, constant = joined
    first = next((free_axes(factor) for factor in factors if isinstance(factor, Access)), ())
    (source, stride), (window, dilation) = sorted(steps, key=lambda step: step[0] not in first)
    if stride > 0 and dilation > 0:
        slide = _turned(result, 1, dilation, combine([(-1, constant)], 0), window)
        yield Meeting(bracket, source, window, stride, slide, flipped=True)


def _joined(
    node: Index, results: Sequence[str], summed: Sequence[str]
) -> tuple[tuple[str, int], list[tuple[str, int]], Index] | None:
    """The one axis of the result and the summed axes of a position, with their coefficients, and the rest."""
    terms = {atom: coefficient for coefficient, atom in node.terms if isinstance(atom, str)}
    ours = [(name, c) for name, c in terms.items() if name in results and c > 0]
    theirs = [(name, c) for name, c in terms.items() if name in summed]
    rest = [(c, atom) for c, atom in node.terms if not isinstance(atom, str)]
    if len(ours) != 1 or not theirs or len(terms) != 1 + len(theirs) or any(free_axes(atom) for _, atom in rest):
        return None
    return ours[0], theirs, combine(rest, node.constant)


def _turned(result: str, stride: int, dilation: int, constant: Index, window: str) -> Slide:
    """The slide of the flipped window: its padding is dilation·(size − 1) − constant."""
    padding = combine([(dilation, Number(base_axis(window))), (-1, constant)], -dilation)
    return Slide(result, stride, dilation, padding)


def _form(node: Any, grid: tuple[str, ...]) -> Form | None:
    """The expression as a tensor along the axes of the grid."""
    match node:
        case Number():
            return Scalar(node)
        case Access():
            return _read(node, grid)
        case Reduce("sum", axes, body):
            return _sum(axes, body, grid)
        case Apply("+", arguments):
            terms = [_form(argument, grid) for argument in arguments]
            return None if None in terms else Sum(tuple(term for term in terms if term is not None))
        case Apply("neg", (inner,)):
            form = _form(inner, grid)
            return form and Negative(form)
        case Apply("*" | "/", _):
            return _product(_factors(node), grid)
        case Apply(function, arguments) if function not in COMPARISONS and (
            function in ("^", "max", "min") or FUNCTIONS[function].arity == 1
        ):
            forms = [_form(argument, grid) for argument in arguments]
            return None if None in forms else Mapped(function, tuple(form for form in forms if form is not None))
    return None


def _read(node: Access, grid: tuple[str, ...]) -> Form | None:
    """A tensor whose axes along the grid stand in the grid's order, the others held."""
    plain = [name for index in node.indices if (name := plain_axis(index)) in grid]
    held = tuple(None if plain_axis(index) in grid else index for index in node.indices)
    if any(set(free_axes(index)) & set(grid) for index in held if index is not None):
        return None
    if not plain:
        return Whole(node.tensor, held) if node.indices else Scalar(node)
    return Whole(node.tensor, held) if tuple(plain) == grid else None


def _product(factors: Iterable[Any], grid: tuple[str, ...]) -> Form | None:
    """Numbers in front, the rest multiplied element by element."""
    numbers, others = _constants(factors, grid)
    if not others:
        return None
    forms = [_form(factor, grid) for factor in others]
    if None in forms:
        return None
    made = tuple(form for form in forms if form is not None)
    return _scaled(numbers, made[0] if len(made) == 1 else Hadamard(made))


def _constants(factors: Iterable[Any], axes: Iterable[str]) -> tuple[list[Any], list[Any]]:
    """The factors that are one number along the axes, and the others."""
    numbers: list[Any] = []
    others: list[Any] = []
    for factor in factors:
        varies = set(free_axes(factor)) & set(axes) or any(isinstance(part, Reduce) for part in subexpressions(factor))
        (others if varies else numbers).append(factor)
    return numbers, others


def _scaled(numbers: list[Any], form: Form | None) -> Form | None:
    if form is None or not numbers:
        return form
    if numbers == [Number(-1)]:
        return Negative(form)
    return scaled(numbers, form)


def _factors(node: Any) -> list[Any]:
    """The factors of products and quotients within each other."""
    match node:
        case Apply("*", arguments):
            return [factor for argument in arguments for factor in _factors(argument)]
        case Apply("/", (above, below)) if above is not Number(1):
            return [*_factors(above), Apply("/", (Number(1), below))]
        case Apply("neg", (inner,)):
            return [Number(-1), *_factors(inner)]
    return [node]


def _sum(axes: tuple[str, ...], body: Any, grid: tuple[str, ...]) -> Form | None:
    """Σ over ``axes``: a window along every axis of the grid, summed over the axes that no window has."""
    numbers, factors = _constants(_factors(body), (*grid, *axes))
    meetings = {meeting.slide.axis: meeting for meeting in _meetings(factors, grid, axes)}
    if set(meetings) != set(grid) or len({meeting.flipped for meeting in meetings.values()}) > 1:
        return None
    used = [meetings[name] for name in grid]
    form = _correlation(used, factors)
    over = [name for name in axes if not any(name in (meeting.source, meeting.window) for meeting in used)]
    for name in reversed(over):
        form = form and SumOver(name, form)
    return _scaled(numbers, form)


def _correlation(meetings: list[Meeting], factors: list[Any]) -> Form | None:
    """The factors as a source and a window; None where a factor belongs to neither or to both.

    Where the window reaches beyond the source, the source must be 0: some tensor in it is read there as it is.
    """
    put = {meeting.position: axis(MARK + meeting.slide.axis) for meeting in meetings}
    brackets = [factor for factor in factors if factor in put or (_bound(factor)[0] in put)]
    reads = [_put(factor, put) for factor in factors if factor not in brackets]
    sources, windows = tuple(m.source for m in meetings), tuple(m.window for m in meetings)
    source = [factor for factor in reads if set(free_axes(factor)) & set(sources)]
    window = [factor for factor in reads if factor not in source]
    moving = {m.source for m in meetings if m.source.startswith(MARK)}
    zero_outside = {name for factor in source if isinstance(factor, Access) for name in free_axes(factor)}
    placed = moving <= zero_outside and all(set(free_axes(factor)) & set(windows) for factor in window)
    mixed = any(set(free_axes(factor)) & {*windows, *(m.slide.axis for m in meetings)} for factor in source)
    if not placed or mixed or any(m.slide.axis in free_axes(factor) for m in meetings for factor in window):
        return None
    found = _product(source, sources)
    slid = _product(window, windows) if window else OnesWindow(tuple(_window_axis(m, factors) for m in meetings))
    if found is None or slid is None:
        return None
    strides = tuple(meeting.spread for meeting in meetings)
    if set(strides) != {1}:
        found = Spread(found, strides)
    if meetings[0].flipped and not isinstance(slid, OnesWindow):
        slid = Flipped(slid)
    return Correlation(found, slid, tuple(meeting.slide for meeting in meetings))


def _window_axis(meeting: Meeting, factors: list[Any]) -> str:
    """The axis of a window that nothing is read from."""
    bounds: dict[Any, str] = dict(map(_bound, factors))
    return bounds.get(meeting.position, meeting.window)


def _bound(guard: Any) -> tuple[Any, str]:
    """The position that a guard ``[0 <= position < size(u)]`` bounds, and u."""
    match guard:
        case Apply("<=<", (Number(0), position, Number(str(name)))):
            return position, name
    return None, ""


def _put(node: Any, positions: Mapping[Expression, Expression]) -> Any:
    """The expression with whole positions replaced."""
    if isinstance(node, Index):
        return positions.get(node, node)
    return rebuild(node, lambda child: _put(child, positions))
