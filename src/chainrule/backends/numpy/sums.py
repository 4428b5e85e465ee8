"""Sums over axes: what does not depend on them comes out, the rest is contracted."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.backends.numpy.arithmetic import add, divide, masked, multiply
from chainrule.backends.numpy.contraction import contract
from chainrule.backends.numpy.scatter import add_at_positions, add_from_windows
from chainrule.backends.numpy.value import Value, literal
from chainrule.backends.numpy.writer import Axes, Writer
from chainrule.equations.node import Access, Apply, Expression, Number, plain_axis
from chainrule.equations.walk import free_axes, is_bracket


def product_parts(node: Expression) -> tuple[list[Expression], list[Expression]]:
    """The factors and the divisors of a product, nested ones included."""
    match node:
        case Apply("*", arguments):
            parts = [product_parts(argument) for argument in arguments]
            return [f for above, _ in parts for f in above], [d for _, below in parts for d in below]
        case Apply("neg", (argument,)):
            above, below = product_parts(argument)
            return [Number(-1), *above], below
        case Apply("/", (left, right)):
            above, below = product_parts(left)
            return above, [*below, right]
    return [node], []


def lower_product(w: Writer, node: Apply, wanted: Axes) -> Value:
    """A product or a quotient, brackets being strongly 0."""
    factors, divisors = product_parts(node)
    return _product(w, factors, divisors, wanted)


def lower_sum(w: Writer, axes: Axes, body: Expression, wanted: Axes) -> Value:
    """sum[axes](body)."""
    every, below = product_parts(body)
    outside = [factor for factor in every if not set(free_axes(factor)) & set(axes)]
    factors = [factor for factor in every if factor not in outside]
    divisors = [divisor for divisor in below if set(free_axes(divisor)) & set(axes)]
    inner = _inner_sum(w, axes, factors, divisors, (*wanted, *axes))
    rest = [divisor for divisor in below if divisor not in divisors]
    if not outside and not rest:
        return inner
    strongly = all(w.facts.finite(factor) for factor in factors) and not divisors
    return _product(w, outside, rest, wanted, [inner], strongly)


def _inner_sum(w: Writer, axes: Axes, factors: list[Expression], divisors: list[Expression], wanted: Axes) -> Value:
    if not divisors and factors:
        scattered = add_from_windows(w, axes, factors, wanted, _factors_sum)
        if scattered is None:
            scattered = add_at_positions(w, axes, factors, wanted, _factors_sum)
        if scattered is not None:
            return scattered
    factors = [factor for factor in factors if not _holds_anyway(w, factor, factors)]
    for divisor in divisors:
        _divide_one(factors, divisor)
    if len(factors) == 1 and isinstance(factors[0], Apply) and factors[0].function == "+" and _splits(factors[0], axes):
        terms = [(1, lower_sum(w, axes, term, wanted)) for term in factors[0].arguments]
        return add(w, terms, wanted, all(value.kind != "real" for _, value in terms))
    return _factors_sum(w, axes, factors, wanted)


def _factors_sum(w: Writer, axes: Axes, factors: Sequence[Expression], wanted: Axes) -> Value:
    """Σ over axes of a product."""
    factors = [factor for factor in factors if not _holds_anyway(w, factor, factors)]
    brackets = [factor for factor in factors if is_bracket(factor)]
    others = [factor for factor in factors if not is_bracket(factor)]
    doubtful = [factor for factor in others if not w.facts.finite(factor)]
    if brackets and doubtful:
        values = _masked_factors(w, brackets, others, doubtful, wanted)
    else:
        values = [w.value(factor, wanted) for factor in factors]
    present = {name for value in values for name in value.axes}
    times = [w.extents.value(name) for name in axes if name not in present]
    return contract(w, [*times, *values], [name for name in axes if name in present], wanted)


def _masked_factors(
    w: Writer,
    brackets: Sequence[Expression],
    others: Sequence[Expression],
    doubtful: Sequence[Expression],
    wanted: Axes,
) -> list[Value]:
    """The factors, those that need not be finite made 0 where a bracket is 0; failing that, the whole product."""
    reach = {name for bracket in brackets for name in free_axes(bracket)}
    if not all(reach <= set(free_axes(factor)) for factor in doubtful):
        return [_product(w, [*others, *brackets], [], wanted)]
    condition = multiply(w, [w.value(bracket, wanted) for bracket in brackets], wanted)
    return [
        masked(w, condition, w.value(factor, wanted), wanted) if factor in doubtful else w.value(factor, wanted)
        for factor in others
    ]


def _product(
    w: Writer,
    factors: Sequence[Expression],
    divisors: Sequence[Expression],
    wanted: Axes,
    made: Sequence[Value] = (),
    made_finite: bool = True,
) -> Value:
    """Π made · Π factors / Π divisors."""
    divisor = Apply("*", tuple(divisors)) if len(divisors) > 1 else divisors[0] if divisors else None
    brackets = [factor for factor in factors if is_bracket(factor)]
    others = [factor for factor in factors if not is_bracket(factor)]
    finite = made_finite and all(w.facts.finite(factor) for factor in others)
    finite = finite and (divisor is None or w.facts.finite(Apply("/", (Number(1), divisor))))
    strongly = bool(brackets) and not finite
    factors = others if strongly else [factor for factor in factors if not _holds_anyway(w, factor, factors)]
    values = [*made, *(w.value(factor, wanted) for factor in factors)]
    product = multiply(w, values, wanted) if values else literal(1)
    if divisor is not None:
        nonzero = w.facts.finite(Apply("/", (Number(1), divisor)))
        product = divide(w, product, w.value(divisor, wanted), wanted, nonzero)
    if strongly:
        condition = multiply(w, [w.value(bracket, wanted) for bracket in brackets], wanted)
        product = masked(w, condition, product, wanted)
    return product


def _divide_one(factors: list[Expression], divisor: Expression) -> None:
    """Put a divisor that depends on a summed axis below a factor that depends on the same axes."""
    needed = set(free_axes(divisor))
    for place, factor in enumerate(factors):
        if needed <= set(free_axes(factor)) and not is_bracket(factor):
            factors[place] = Apply("/", (factor, divisor))
            return
    factors.append(Apply("/", (Number(1), divisor)))


def _holds_anyway(w: Writer, factor: Expression, factors: Sequence[Expression]) -> bool:
    """A guard ``[0 <= f < size(u)]`` beside a read at f of a dimension of that size, which is 0 outside anyway."""
    match factor:
        case Apply("<=<", (Number(0), position, Number(limit))):
            pass
        case _:
            return False
    plain = plain_axis(position)
    if plain is not None and isinstance(limit, str) and w.extents.same(plain, limit):
        return True
    found = w.facts.range(position)
    size = w.extents.number(limit) if isinstance(limit, str) else limit
    if found is not None and found[0] >= 0 and found[1] < size:
        return True
    if not all(is_bracket(other) or w.facts.finite(other) for other in factors):
        return False
    for other in factors:
        if isinstance(other, Access):
            for index, name in zip(other.indices, w.system.tensor_axes[other.tensor], strict=True):
                if index is position and w.extents.number(name) == size:
                    return True
    return False


def _splits(node: Apply, axes: Axes) -> bool:
    """Whether the terms of a sum are better summed one by one: some of them are products over wider spaces."""
    for term in node.arguments:
        factors, _ = product_parts(term)
        reach = {name for factor in factors for name in free_axes(factor)}
        widest = max(len(set(free_axes(factor)) & reach) for factor in factors)
        if len(reach) > widest and reach & set(axes):
            return True
    return not all(set(free_axes(term)) >= set(axes) for term in node.arguments)
