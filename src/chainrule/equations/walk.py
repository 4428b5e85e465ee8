"""Going through expressions: what a node is, children, free axes, substitution without capture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from chainrule.equations.functions import COMPARISONS
from chainrule.equations.node import (
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    axis,
)


def is_apply(node: Any, function: str) -> TypeGuard[Apply]:
    """Whether a node applies this function of the catalogue."""
    return isinstance(node, Apply) and node.function == function


def is_bracket(node: Any) -> TypeGuard[Apply]:
    """Whether a node is a comparison: 1 where it holds, 0 elsewhere."""
    return isinstance(node, Apply) and node.function in COMPARISONS


def is_reciprocal(node: Any) -> TypeGuard[Apply]:
    """Whether a node is 1/x."""
    return is_apply(node, "/") and node.arguments[0] is Number(1)


def product(factors: Sequence[Any]) -> Any:
    """The factors multiplied, just as they are: 1 where there are none, the only one where there is one."""
    return Number(1) if not factors else factors[0] if len(factors) == 1 else Apply("*", tuple(factors))


def children(node: Any) -> tuple[Any, ...]:
    """The expressions directly below a node, in the order in which a path counts them."""
    match node:
        case Access(_, indices):
            return indices
        case Apply(_, arguments):
            return arguments
        case Reduce(_, _, body):
            return (body,)
        case Equation(_, _, expression):
            return (expression,)
        case Index(terms, _):
            return tuple(atom for _, atom in terms if not isinstance(atom, str))
    return ()


def subexpressions(node: Any) -> Iterator[Any]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from subexpressions(child)


def occurrences(
    node: Any, path: tuple[object, ...] = (), bound: frozenset[str] = frozenset()
) -> Iterator[tuple[tuple[object, ...], Any, frozenset[str]]]:
    """Every part of an expression with its path and the axes that reductions around it bind."""
    yield path, node, bound
    inner = bound | set(node.axes) if isinstance(node, Reduce) else bound
    for position, child in enumerate(children(node)):
        yield from occurrences(child, (*path, position), inner)


def rebuild(node: Any, change: Callable[[Any], Any]) -> Any:
    """The same node with ``change`` applied to each child."""
    match node:
        case Access(tensor, indices):
            return Access(tensor, tuple(change(index) for index in indices))
        case Apply(function, arguments):
            return Apply(function, tuple(change(argument) for argument in arguments))
        case Reduce(operation, axes, body):
            return Reduce(operation, axes, change(body))
        case Index(terms, constant):
            return combine(((c, atom) if isinstance(atom, str) else (c, change(atom)) for c, atom in terms), constant)
        case Equation(name, axes, expression):
            return Equation(name, axes, change(expression))
    return node


def combine(terms: Iterable[tuple[int, Any]], constant: int) -> Index:
    """An ``Index`` from terms whose atoms may be whole Index or Number nodes: like terms are collected."""
    collected: dict[Any, int] = {}
    for coefficient, atom in terms:
        match atom:
            case Index(inner, shift):
                constant += coefficient * shift
                parts: tuple[tuple[int, Any], ...] = inner
            case Number(int(value)):
                constant += coefficient * value
                parts = ()
            case _:
                parts = ((1, atom),)
        for inner_coefficient, inner_atom in parts:
            collected[inner_atom] = collected.get(inner_atom, 0) + coefficient * inner_coefficient
    return Index(tuple((c, atom) for atom, c in collected.items() if c), constant)


@lru_cache(maxsize=200_000)
def free_axes(node: Any) -> tuple[str, ...]:
    """The axes whose values the expression depends on, in order of appearance."""
    found: dict[str, None] = {}
    if isinstance(node, Index):
        for _, atom in node.terms:
            for name in (atom,) if isinstance(atom, str) else free_axes(atom):
                found[name] = None
    elif isinstance(node, Reduce):
        for name in free_axes(node.body):
            if name not in node.axes:
                found[name] = None
    else:
        for child in children(node):
            found.update(dict.fromkeys(free_axes(child)))
    return tuple(found)


@lru_cache(maxsize=200_000)
def tensors(node: Any) -> tuple[str, ...]:
    """The tensors read, in order of appearance."""
    found: dict[str, None] = {}
    if isinstance(node, Access):
        found[node.tensor] = None
    for child in children(node):
        found.update(dict.fromkeys(tensors(child)))
    return tuple(found)


def fresh_axis(name: str, taken: Iterable[str]) -> str:
    """``name`` with as many primes as it takes to be none of ``taken``."""
    taken = set(taken)
    while name in taken:
        name += "'"
    return name


def substitute(node: Any, values: Mapping[str, Expression]) -> Any:
    """Replace axes by integer expressions, renaming bound axes where they would capture one."""
    values = {name: value for name, value in values.items() if value is not axis(name)}
    if not values or not any(name in values for name in free_axes(node)):
        return node
    match node:
        case Index(terms, constant):
            replaced: list[tuple[int, Any]] = []
            for coefficient, atom in terms:
                if isinstance(atom, str):
                    replaced.append((coefficient, values.get(atom, axis(atom))))
                else:
                    replaced.append((coefficient, substitute(atom, values)))
            if all(isinstance(atom, (Index, Number)) or affine_atom(atom) for _, atom in replaced):
                return combine(replaced, constant)
            return general_index(replaced, constant)
        case Reduce(operation, axes, body):
            inner = {name: value for name, value in values.items() if name not in axes and name in free_axes(body)}
            arriving = {name for value in inner.values() for name in free_axes(value)}
            taken = arriving | set(free_axes(body)) | set(axes)
            renamed: list[str] = []
            for name in axes:
                if name in arriving:
                    copy = fresh_axis(name, taken)
                    taken.add(copy)
                    inner[name] = axis(copy)
                    renamed.append(copy)
                else:
                    renamed.append(name)
            return Reduce(operation, tuple(renamed), substitute(body, inner))
    return rebuild(node, lambda child: substitute(child, values))


def affine_atom(atom: Any) -> bool:
    """Whether an expression may stand as a term of an ``Index``."""
    return isinstance(atom, Apply) and atom.function in ("//", "%") and isinstance(atom.arguments[0], Index)


def general_index(terms: Iterable[tuple[int, Any]], constant: int) -> Expression:
    """The integer expression Σ c·atom + constant where some atom is a tensor read."""
    sum_of: list[Any] = []
    for coefficient, atom in terms:
        node = axis(atom) if isinstance(atom, str) else atom
        term = node if abs(coefficient) == 1 else Apply("*", (Number(abs(coefficient)), node))
        sum_of.append(term if coefficient > 0 else Apply("neg", (term,)))
    if constant:
        sum_of.append(Number(constant) if constant > 0 else Apply("neg", (Number(-constant),)))
    return sum_of[0] if len(sum_of) == 1 else Apply("+", tuple(sum_of))


def rename(node: Any, names: Mapping[str, str]) -> Any:
    """Replace axes by axes."""
    return substitute(node, {old: axis(new) for old, new in names.items()})


def rename_tensors(node: Any, names: Mapping[str, str]) -> Any:
    """Replace the names of tensors, on both sides of an equation."""
    if isinstance(node, Access):
        return Access(names.get(node.tensor, node.tensor), tuple(rename_tensors(i, names) for i in node.indices))
    if isinstance(node, Equation):
        return Equation(names.get(node.name, node.name), node.axes, rename_tensors(node.expression, names))
    return rebuild(node, lambda child: rename_tensors(child, names))
