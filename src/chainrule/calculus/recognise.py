"""Named quantities are recognised again: where a derivative needs ``sigmoid(z[b,j])`` and ``a[b,j]`` is defined as just
that, it reads ``a[b,j]``.  This is how σ′(z) comes to be shown as a(1 - a).

Outside its range ``a`` is 0, which σ(z) is not.  So ``sigmoid(z[b,t+1])`` is ``a[b,t+1]`` only as a factor beside one
that is 0 there too, such as ``∂a[b,t+1]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.calculus.algebra import tidy
from chainrule.calculus.deltas import Classes, in_reading_order
from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import Access, Apply, Expression, Index, Number, Reduce, axis, base_axis, plain_axis
from chainrule.equations.system import System
from chainrule.equations.walk import combine, free_axes, rebuild, substitute


@dataclass(frozen=True)
class Definition:
    """``tensor[axes]`` is defined as ``pattern`` for all values of the axes."""

    tensor: str
    axes: tuple[str, ...]
    pattern: Expression


Definitions = Mapping[tuple[object, ...], tuple[Definition, ...]]
Place = tuple[Expression, str]  # a position, and the class of the axis that it is a position along


@dataclass(frozen=True)
class Context:
    """What rewrites may look at: axes of one size, the axes of every tensor, and the quantities that have names."""

    classes: Classes
    axes: Mapping[str, tuple[str, ...]]
    named: Definitions

    def class_of(self, name: str) -> str:
        return self.classes.get(base_axis(name), base_axis(name))


def definitions(system: System) -> Definitions:
    """What the system names, keyed by the kind of node that the definition is."""
    found: dict[tuple[object, ...], list[Definition]] = {}
    for equation in system.equations:
        for pattern in dict.fromkeys((equation.expression, tidy(equation.expression))):
            if _worth_naming(pattern):
                found.setdefault(_kind(pattern), []).append(Definition(equation.name, equation.axes, pattern))
    return {kind: tuple(items) for kind, items in found.items()}


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
        if isinstance(node, Index) and any(atom in taken for _, atom in node.terms):
            return False
        if name in free:
            return isinstance(node, (Index, Access)) and found.setdefault(name, node) is node
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
            return _same_position(pattern, node, free, found, bound)
    return pattern is node


def _same_position(
    pattern: Index, node: Index, free: tuple[str, ...], found: dict[str, Expression], bound: dict[str, str]
) -> bool:
    """``t - 1`` is ``t`` where t is at t + 1; an axis that is not placed yet is solved for."""
    known = {name: found[name] for name in free if name in found and name not in bound}
    renamed = {name: axis(other) for name, other in bound.items()}
    unknown = [(c, atom) for c, atom in pattern.terms if atom in free and atom not in known and atom not in bound]
    if len(unknown) == 1 and abs(unknown[0][0]) == 1:
        coefficient, name = unknown[0]
        rest = Index(tuple(term for term in pattern.terms if term != unknown[0]), pattern.constant)
        placed = substitute(rest, {**known, **renamed})
        found[str(name)] = in_reading_order(combine([(coefficient, node), (-coefficient, placed)], 0))
        return True
    return not unknown and combine([(1, node), (-1, substitute(pattern, {**known, **renamed}))], 0) is Index((), 0)


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
