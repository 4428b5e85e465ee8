"""The order in which equations can be computed, recurrences included.

Equations that depend on each other form a recurrence if one axis, on the left of each of them, is shifted in one
direction on every cycle: ``h[b,t] = f(h[b,t-1])``.  Anything else that refers to itself has no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.equations.node import Access, Equation, Index
from chainrule.equations.places import fail
from chainrule.equations.system import System
from chainrule.equations.walk import occurrences, subexpressions, tensors


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


@dataclass(frozen=True)
class _Read:
    """A read of a recurrence's tensor inside the recurrence: where, by whom, and the axes that sums around it bind."""

    equation: Equation
    path: tuple[object, ...]
    node: Access
    bound: frozenset[str]


def _recurrence(system: System, component: tuple[Equation, ...]) -> Block:
    names = {equation.name for equation in component}
    reads = [
        _Read(equation, path, node, bound)
        for equation in component
        for path, node, bound in occurrences(equation.expression)
        if isinstance(node, Access) and node.tensor in names
    ]
    problem: tuple[_Read, str] | None = None
    for axis in component[0].axes:
        if any(axis not in equation.axes for equation in component):
            continue
        found = [_shift(system, read, axis) for read in reads]
        shifts = [shift for shift in found if shift is not None]
        if len(shifts) < len(reads):
            read = reads[found.index(None)]
            problem = problem or (read, f"{read.node} is not read at {axis} plus or minus steps")
            continue
        if min(shifts) < 0 < max(shifts):
            back, forth = reads[shifts.index(min(shifts))], reads[shifts.index(max(shifts))]
            problem = (forth, f"{back.node} and {forth.node} go along {axis} in opposite directions")
            continue
        sequence = _within_step(component, [read for read, shift in zip(reads, shifts, strict=True) if shift == 0])
        if sequence is None:
            read = reads[shifts.index(0)]
            problem = problem or (read, f"{read.node} is of the same {axis}")
            continue
        return Block(sequence, axis, 1 if min(shifts) < 0 else -1)
    ordered = [equation.name for equation in component]
    if len(ordered) == 1:
        message = f"{ordered[0]} refers to itself"
    elif len(ordered) < 5:
        message = f"{', '.join(ordered[:-1])} and {ordered[-1]} refer to each other in a circle"
    else:
        message = f"{', '.join(ordered[:3])} and {len(ordered) - 3} more refer to each other in a circle"
    alternating = _alternating(system, component, reads)
    if alternating:
        read = reads[-1]
        message += f": one axis must be shifted in every read; here {' and '.join(alternating)} alternate"
        raise fail(system, read.equation, read.path, message)
    together = "they have no axis in common" if len(component) > 1 else f"{component[0].name} has no axes"
    read, why = problem or (reads[0], together)
    message += f" without a shift along one axis, such as t-1: {why}"
    raise fail(system, read.equation, read.path, message)


def _alternating(system: System, component: tuple[Equation, ...], reads: list[_Read]) -> tuple[str, ...]:
    """The axes shifted in turn, one in some reads, another in the others, as in grids; () if that is not so."""
    shared = [axis for axis in component[0].axes if all(axis in equation.axes for equation in component)]
    shifted = [tuple(axis for axis in shared if _shift(system, read, axis)) for read in reads]
    if not all(shifted) or set(shared).intersection(*shifted):
        return ()
    return tuple(axis for axis in shared if any(axis in axes for axes in shifted))


def _shift(system: System, read: _Read, axis: str) -> int | None:
    """By how much a read is shifted along the axis; at most -1 for ``t-1-d``; None if it is no shift."""
    if axis in read.bound:
        return None
    dimension = system.by_name[read.node.tensor].axes.index(axis)
    for position, other in enumerate(read.node.indices):
        if position != dimension and any(_mentions(part, axis) for part in subexpressions(other)):
            return None
    index = read.node.indices[dimension]
    if not isinstance(index, Index) or (1, axis) not in index.terms:
        return None
    others = [(coefficient, atom) for coefficient, atom in index.terms if atom != axis]
    if any(not isinstance(atom, str) for _, atom in others):
        return None
    if all(coefficient < 0 for coefficient, _ in others) and (index.constant < 0 or not others):
        return index.constant
    if all(coefficient > 0 for coefficient, _ in others) and (index.constant > 0 or not others):
        return index.constant
    return None


def _mentions(part: Any, axis: str) -> bool:
    return isinstance(part, Index) and any(atom == axis for _, atom in part.terms)


def _within_step(component: tuple[Equation, ...], now: list[_Read]) -> tuple[Equation, ...] | None:
    """The equations in an order in which each reads, within a step, only earlier ones; None if there is none."""
    waiting = {equation: {read.node.tensor for read in now if read.equation is equation} for equation in component}
    sequence: list[Equation] = []
    while waiting:
        names = {equation.name for equation in waiting}
        ready = next((equation for equation, needs in waiting.items() if not needs & names), None)
        if ready is None:
            return None
        del waiting[ready]
        sequence.append(ready)
    return tuple(sequence)
