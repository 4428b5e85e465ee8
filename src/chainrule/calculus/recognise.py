"""Named quantities are recognised again: where a derivative needs ``sigmoid(z[b,j])`` and ``a[b,j]`` is defined as just
that, it reads ``a[b,j]``.  This is how σ′(z) comes to be shown as a(1 - a).

Outside its range ``a`` is 0, which σ(z) is not.  So ``sigmoid(z[b,t+1])`` is ``a[b,t+1]`` only as a factor beside one
that is 0 there too, such as ``∂a[b,t+1]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.calculus.algebra import Factors, tidy
from chainrule.calculus.deltas import Classes, in_reading_order
from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, axis, factors_of, plain_axis
from chainrule.equations.sizes import axis_class
from chainrule.equations.system import System
from chainrule.equations.walk import combine, free_axes, rebuild, substitute, tensors


@dataclass(frozen=True)
class Definition:
    """``tensor[axes]`` is defined as ``pattern`` for all values of the axes."""

    tensor: str
    axes: tuple[str, ...]
    pattern: Expression

    @cached_property
    def factors(self) -> Factors | None:
        """The factors, where the pattern is a product of several without a number in front."""
        parts = Factors()
        parts.take(self.pattern)
        several = len(parts.powers) > 1 or any(power < 0 for power in parts.powers.values())
        return parts if several and parts.number == 1 and not parts.brackets else None


Definitions = Mapping[tuple[object, ...], tuple[Definition, ...]]
Place = tuple[Expression, str]  # a position, and the class of the axis that it is a position along


@dataclass(frozen=True)
class Context:
    """What rewrites may look at: axes of one size, the axes of every tensor, and the quantities that have names."""

    classes: Classes
    axes: Mapping[str, tuple[str, ...]]
    named: Definitions

    def class_of(self, name: str) -> str:
        return axis_class(name, self.classes)


def definitions(system: System) -> Definitions:
    """What the system names, keyed by the kind of node that the definition is."""
    found: dict[tuple[object, ...], list[Definition]] = {}
    counts = {e.name: tidy(e.expression) for e in system.equations if _is_count(tidy(e.expression))}
    for equation in system.equations:
        plain = tidy(equation.expression)
        counted = tidy(_with_counts(plain, counts)) if counts.keys() & set(tensors(plain)) else plain
        for pattern in dict.fromkeys((equation.expression, plain, counted)):
            if _worth_naming(pattern):
                found.setdefault(_kind(pattern), []).append(Definition(equation.name, equation.axes, pattern))
    return {kind: tuple(items) for kind, items in found.items()}


def _is_count(node: Any) -> bool:
    """Whether a quantity is the size of an axis, or a product of sizes: how many elements something has."""
    return all(isinstance(size, Number) and size.is_size for size in factors_of(node))


def _with_counts(node: Any, counts: Mapping[str, Expression]) -> Any:
    """The expression with sizes in place of their names."""
    if isinstance(node, Access) and node.tensor in counts:
        return counts[node.tensor]
    return rebuild(node, lambda child: _with_counts(child, counts))


def _worth_naming(pattern: Any) -> bool:
    match pattern:
        case Reduce():
            return True
        case Apply("neg" | "//" | "%", _):
            return False
        case Apply(_, arguments):
            return any(not isinstance(argument, (Number, Index)) for argument in arguments)
    return False


def _kind(node: Any) -> tuple[object, ...]:
    return (type(node), getattr(node, "function", None), getattr(node, "operation", None))


PRODUCT, QUOTIENT = (Apply, "*", None), (Apply, "/", None)


def recognise(node: Any, context: Context, inside: frozenset[Place] = frozenset()) -> Any:
    """The expression with every part that is some tensor's definition replaced by a read of the tensor.

    ``inside`` are the positions outside of which the whole is multiplied by 0.
    """
    for definition in context.named.get(_kind(node), ()):
        found: dict[str, Expression] = {}
        if _matches(definition.pattern, node, definition.axes, found, {}, {}) and len(found) == len(definition.axes):
            places = tuple((found[name], context.class_of(name)) for name in definition.axes)
            if all(place in inside or _always_inside(place, context) for place in places):
                return Access(definition.tensor, tuple(position for position, _ in places))
    if isinstance(node, Apply) and node.function in ("*", "/"):
        shorter = _in_product(node, context, inside)
        if shorter is not node:
            return recognise(shorter, context, inside)
    match node:
        case Apply("*", factors):
            zero = [frozenset(_zero_outside(factor, context)) for factor in factors]
            others = [inside.union(*zero[:n], *zero[n + 1 :]) for n in range(len(factors))]
            changed = (recognise(factor, context, places) for factor, places in zip(factors, others, strict=True))
            return Apply("*", tuple(changed))
        case Apply("/", (top, bottom)):
            return Apply("/", (recognise(top, context, inside), recognise(bottom, context)))
        case Apply("^", (_, Number(int(exponent)))) if exponent >= 0:
            pass
        case Apply(function, _) if not FUNCTIONS[function].total:
            inside = frozenset()
        case Reduce(_, axes, _):
            inside = frozenset(place for place in inside if not set(axes) & set(free_axes(place[0])))
    return rebuild(node, lambda child: recognise(child, context, inside))


def _in_product(node: Any, context: Context, inside: frozenset[Place]) -> Any:
    """The product with some of its factors, which together are a tensor's definition, replaced by a read of it."""
    parts = Factors()
    parts.take(node)
    products = (*context.named.get(PRODUCT, ()), *context.named.get(QUOTIENT, ()))
    for definition in products:
        wanted = definition.factors
        if wanted is None:
            continue
        powers = _with_roots(parts.powers, wanted.powers)
        for found, used in _choose(list(wanted.powers.items()), powers, definition.axes, {}):
            if len(found) < len(definition.axes):
                continue
            rest = Factors()
            rest.number, rest.decimal, rest.brackets = parts.number, parts.decimal, parts.brackets
            rest.powers = {f: power - used.get(f, 0) for f, power in powers.items() if power != used.get(f, 0)}
            vanishing = {
                place for factor, power in rest.powers.items() if power > 0 for place in _zero_outside(factor, context)
            }
            vanishing |= {place for bracket in rest.brackets for place in _zero_outside(bracket, context)}
            places = tuple((found[name], context.class_of(name)) for name in definition.axes)
            if all(place in inside or place in vanishing or _always_inside(place, context) for place in places):
                rest.take(Access(definition.tensor, tuple(position for position, _ in places)))
                return rest.build()
    return node


def _with_roots(given: Mapping[Expression, int], wanted: Mapping[Expression, int]) -> dict[Expression, int]:
    """The powers with 1/x as 1/√x · 1/√x, where a root of such an x is wanted below the line."""
    roots = {
        factor.function
        for factor, power in wanted.items()
        if isinstance(factor, Apply) and (factor.function, power) in (("sqrt", -1), ("rsqrt", 1))
    }
    powers = dict(given)
    for factor, power in given.items():
        if len(roots) == 1 and power < 0 and not isinstance(factor, Number) and len(given) >= len(wanted):
            (root,) = roots
            taken = Apply(root, (factor,))
            powers[taken] = powers.get(taken, 0) + (-2 if root == "sqrt" else 2) * -power
            del powers[factor]
    return powers


def _choose(
    wanted: list[tuple[Expression, int]],
    given: Mapping[Expression, int],
    free: tuple[str, ...],
    found: dict[str, Expression],
) -> Iterator[tuple[dict[str, Expression], dict[Expression, int]]]:
    """The ways to find the wanted factors among those given: positions of the free axes, and the powers used up."""
    if not wanted:
        yield found, {}
        return
    (pattern, power), *others = wanted
    for factor, present in given.items():
        if present * power <= 0 or abs(present) < abs(power):
            continue
        placed = dict(found)
        if _matches(pattern, factor, free, placed, {}, {}):
            left = {f: p for f, p in given.items() if f is not factor}
            for positions, used in _choose(others, left, free, placed):
                yield positions, {**used, factor: power}


def _zero_outside(factor: Any, context: Context) -> Iterator[Place]:
    """The positions outside of which the factor is 0: where it reads a tensor, and what a guard bounds."""
    match factor:
        case Access(tensor, indices):
            for position, name in zip(indices, context.axes[tensor], strict=True):
                yield position, context.class_of(name)
        case Apply("<=<", (Number(0), position, Number(str(name)))):
            yield position, context.class_of(name)


def _always_inside(place: Place, context: Context) -> bool:
    position, size = place
    plain = plain_axis(position)
    return plain is not None and context.class_of(plain) == size


def _matches(
    pattern: Any,
    node: Any,
    free: tuple[str, ...],
    found: dict[str, Expression],
    bound: dict[str, str],
    taken: dict[str, str],
) -> bool:
    """Whether the node is the pattern with its free axes at some positions, bound axes renamed at will.

    ``bound`` maps the axes bound in the pattern to those in the node; ``taken`` is its inverse.
    """
    name = plain_axis(pattern) if isinstance(pattern, Index) else None
    if name is not None:
        if name in bound:
            return node is axis(bound[name])
        if name in free:
            placed = isinstance(node, (Index, Access)) and not _mentions(node, taken)
            return placed and found.setdefault(name, node) is node
    match pattern, node:
        case (Reduce(operation, axes, body), Reduce(other, other_axes, other_body)):
            if operation != other or len(axes) != len(other_axes):
                return False
            pairs = list(zip(axes, other_axes, strict=True))
            return _matches(
                body,
                other_body,
                free,
                found,
                {**bound, **dict(pairs)},
                {**taken, **{right: left for left, right in pairs}},
            )
        case (Apply(function, arguments), Apply(other, others)):
            return function == other and _all_match(arguments, others, free, found, bound, taken)
        case (Access(tensor, indices), Access(other, others)):
            return tensor == other and _all_match(indices, others, free, found, bound, taken)
        case (Index(), Index()):
            return _same_position(pattern, node, free, found, bound, taken)
    return pattern is node


def _mentions(position: Expression, bound: Mapping[str, str]) -> bool:
    """Whether a position depends on an axis that is bound inside the expression; a tensor cannot be read there."""
    return any(name in bound for name in free_axes(position))


def _same_position(
    pattern: Index,
    node: Index,
    free: tuple[str, ...],
    found: dict[str, Expression],
    bound: dict[str, str],
    taken: dict[str, str],
) -> bool:
    """``t`` is ``t' - 1`` where t is at t' - 1, ``2*p`` is ``2*p' + 2`` where p is at p' + 1: an axis that is not
    placed yet is solved for."""
    known = {name: found[name] for name in free if name in found and name not in bound}
    renamed = {name: axis(other) for name, other in bound.items()}
    unknown = [(c, atom) for c, atom in pattern.terms if atom in free and atom not in known and atom not in bound]
    if len(unknown) == 1:
        coefficient, name = unknown[0]
        rest = Index(tuple(term for term in pattern.terms if term != unknown[0]), pattern.constant)
        difference = combine([(1, node), (-1, substitute(rest, {**known, **renamed}))], 0)
        position = _divided(difference, coefficient)
        if position is None or _mentions(position, taken):
            return False
        found[str(name)] = position
        return True
    return not unknown and combine([(1, node), (-1, substitute(pattern, {**known, **renamed}))], 0) is Index((), 0)


def _divided(position: Index, divisor: int) -> Index | None:
    """The position that, times the divisor, is this one."""
    if any(number % divisor for number in (position.constant, *(coefficient for coefficient, _ in position.terms))):
        return None
    terms = tuple((coefficient // divisor, atom) for coefficient, atom in position.terms)
    return in_reading_order(Index(terms, position.constant // divisor))


def _all_match(
    patterns: Any,
    nodes: Any,
    free: tuple[str, ...],
    found: dict[str, Expression],
    bound: dict[str, str],
    taken: dict[str, str],
) -> bool:
    return len(patterns) == len(nodes) and all(
        _matches(pattern, node, free, found, bound, taken) for pattern, node in zip(patterns, nodes, strict=True)
    )
