"""The order in which equations can be computed, recurrences included.

Equations that depend on each other form a recurrence if one axis, on the left of each of them, is shifted in one
direction on every cycle: ``h[b,t] = f(h[b,t-1])``.  Anything else that refers to itself has no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.equations.node import Access, Equation, Index
from chainrule.equations.system import System
from chainrule.equations.walk import subexpressions, tensors
from chainrule.errors import EquationError


@dataclass(frozen=True)
class Block:
    """One equation, or the equations of a recurrence in the order in which each step computes them.

    ``axis`` is the axis of a recurrence (None for a plain equation); ``direction`` is 1 if step t reads earlier
    steps and -1 if it reads later ones.
    """

    equations: tuple[Equation, ...]
    axis: str | None = None
    direction: int = 0


@lru_cache(maxsize=512)
def order(system: System) -> tuple[Block, ...]:
    """Blocks of equations such that each reads only inputs, earlier blocks and itself."""
    blocks = []
    for component in components(system):
        if len(component) == 1 and component[0].name not in tensors(component[0]):
            blocks.append(Block(component))
        else:
            blocks.append(_recurrence(system, component))
    return tuple(blocks)


def components(system: System) -> list[tuple[Equation, ...]]:
    """Strongly connected components of "reads", those that are read first (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[tuple[Equation, ...]] = []
    place = {equation.name: position for position, equation in enumerate(system.equations)}
    reads = {e.name: [name for name in tensors(e) if name in place] for e in system.equations}
    for root in place:
        if root in number:
            continue
        work = [(root, iter(reads[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, rest = work[-1]
            for other in rest:
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(reads[other])))
                    break
                if other in on_stack:
                    low[name] = min(low[name], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == number[name]:
                    at = stack.index(name)
                    members = stack[at:]
                    del stack[at:]
                    on_stack.difference_update(members)
                    members.sort(key=place.__getitem__)
                    found.append(tuple(system.by_name[member] for member in members))
    return found


def _recurrence(system: System, component: tuple[Equation, ...]) -> Block:
    names = {equation.name for equation in component}
    reads = [
        (equation, node)
        for equation in component
        for node in subexpressions(equation.expression)
        if isinstance(node, Access) and node.tensor in names
    ]
    candidates = [axis for axis in component[0].axes if all(axis in equation.axes for equation in component)]
    problem: tuple[Equation, Access | None, str] = (component[0], None, "")
    for axis in candidates:
        shifts = [(equation, node, _shift(system, node, axis)) for equation, node in reads]
        unknown = [(equation, node) for equation, node, shift in shifts if shift is None]
        if unknown:
            problem = problem if problem[2] else (*unknown[0], f"{unknown[0][1]} is not read at {axis} plus or minus steps")
            continue
        signs = {(shift > 0) - (shift < 0) for _, _, shift in shifts if shift is not None}
        if {1, -1} <= signs:
            problem = (*reads[0], f"the cycle reads both earlier and later {axis}")
            continue
        sequence = _within_step(component, [(e, n) for e, n, shift in shifts if shift == 0])
        if sequence is None:
            problem = (*reads[0], f"a cycle does not shift {axis}")
            continue
        return Block(sequence, axis, 1 if -1 in signs else -1)
    equation, node, why = problem
    cycle = " and ".join(f"{name}" for name in names) if len(names) < 4 else f"{len(names)} equations"
    if len(component) == 1:
        message = f"{equation.name} refers to itself"
    else:
        message = f"{cycle} refer to each other in a circle"
    message += " without a shift along one axis, such as t-1" + (f": {why}" if why else "")
    from chainrule.equations.check import fail, path_of

    path = path_of(equation.expression, node if node is not None else reads[0][1])
    error: EquationError = fail(system, equation, path or ("left",), message)
    raise error


def _shift(system: System, node: Access, axis: str) -> int | None:
    """By how much a read is shifted along the axis; at most -1 for ``t-1-d``; None if it is no shift."""
    dimension = system.by_name[node.tensor].axes.index(axis)
    for position, index in enumerate(node.indices):
        if position != dimension and any(_mentions(part, axis) for part in subexpressions(index)):
            return None
    index: Any = node.indices[dimension]
    if not isinstance(index, Index) or (1, axis) not in index.terms:
        return None
    others = [coefficient for coefficient, atom in index.terms if atom != axis]
    if any(not isinstance(atom, str) for _, atom in index.terms):
        return None
    if others and not (all(c < 0 for c in others) and index.constant < 0):
        return index.constant if all(c > 0 for c in others) and index.constant > 0 else None
    return index.constant


def _mentions(part: Any, axis: str) -> bool:
    return isinstance(part, Index) and any(atom == axis for _, atom in part.terms)


def _within_step(component: tuple[Equation, ...], now: list[tuple[Equation, Access]]) -> tuple[Equation, ...] | None:
    """The equations in an order in which each reads, within a step, only earlier ones; None if there is none."""
    waiting = {equation.name: {node.tensor for reader, node in now if reader is equation} for equation in component}
    by_name = {equation.name: equation for equation in component}
    sequence: list[Equation] = []
    while waiting:
        ready = next((name for name, needs in waiting.items() if not needs & waiting.keys()), None)
        if ready is None:
            return None
        del waiting[ready]
        sequence.append(by_name[ready])
    return tuple(sequence)
