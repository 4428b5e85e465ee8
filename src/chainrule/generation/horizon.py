"""How far each tensor looks along the positions of a sequence.

The horizon of a tensor is the set of its axes such that its value depends on what stands at positions up to the last of
them, and on no later one: that of ``x[b,t]`` is {t}, that of the scores ``e[b,t,t'] = q[b,t]*k[b,t']`` is {t, t'}.  A
network is causal if the horizon of its output is {t}; ``ANYWHERE`` stands in horizons that no axis bounds.

    x[b,t-1-u]              {t}          what is read at or before t
    x[b,t+1], x[b,r]        {anywhere}
    where([t' <= t], a, c)  the horizon of a, with t in place of t', and that of c
    a*c                     the same where a vanishes for t' > t
    sum[t'](a)              the horizon of a, with anywhere in place of t'

What vanishes: a bracket [t' <= t], the exponential of what is -1e30 for t' > t (the weights of masked attention), and
products with either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.equations.node import Access, Apply, Index, Number, Reduce, base_axis, plain_axis
from chainrule.equations.order import order
from chainrule.equations.system import System
from chainrule.equations.walk import children, combine

ANYWHERE = "anywhere"
LOWEST = -1e29  # what stands for -∞ in scores is lower

Horizon = frozenset[str]
Pairs = frozenset[tuple[str, str]]  # (earlier, later): what holds where the one axis is behind the other
NOWHERE: Pairs = frozenset()


def horizons(system: System, along: str) -> Mapping[str, Horizon]:
    """The horizon of every tensor of the system along the axis ``along`` and its copies."""
    looking = _Looking(system, along)
    # Recurrences depend on themselves; horizons only grow, so that they come to rest.
    while True:
        grown = {e.name: looking.found[e.name] | looking.horizon(e.expression) for e in system.equations}
        if all(looking.found[name] == horizon for name, horizon in grown.items()):
            return looking.found
        looking.found.update(grown)


class _Looking:
    """Horizons of expressions, given those of tensors; and where expressions vanish or are as good as -∞."""

    def __init__(self, system: System, along: str) -> None:
        self.axes = system.tensor_axes
        self.along = along
        self.found: dict[str, Horizon] = dict.fromkeys(self.axes, frozenset())
        for tensor in system.inputs:
            if tensor.role in ("data", "integer"):
                self.found[tensor.name] = frozenset(axis for axis in tensor.axes if base_axis(axis) == along)
        self.vanishing: dict[str, Pairs] = {}
        self.lowest: dict[str, Pairs] = {}
        for block in order(system):
            for equation in block.equations:
                self.vanishing[equation.name] = self.vanishes(equation.expression)
                self.lowest[equation.name] = self.lowers(equation.expression)

    def horizon(self, node: Any) -> Horizon:
        match node:
            case Access(tensor, indices):
                places = dict(zip(self.axes[tensor], indices, strict=True))
                own = {axis if axis == ANYWHERE else last_axis(places[axis], self.along) for axis in self.found[tensor]}
                return frozenset(own).union(*(self.horizon(index) for index in indices))
            case Number(str(axis)) if base_axis(axis) == self.along:
                return frozenset({ANYWHERE})  # how long the row is says whether something comes later
            case Apply("where", (condition, chosen, other)):
                chosen_within = _bounded(self.horizon(chosen), self.ordered(condition))
                return self.horizon(condition) | chosen_within | self.horizon(other)
            case Apply("*"):
                factors = frozenset[str]().union(*map(self.horizon, node.arguments))
                return _bounded(factors, self.vanishes(node))
            case Reduce(_, axes, body):
                return frozenset(ANYWHERE if axis in axes else axis for axis in self.horizon(body))
        return frozenset[str]().union(*map(self.horizon, children(node)))

    def vanishes(self, node: Any) -> Pairs:
        """The pairs (t', t) such that the expression is 0 for t' > t."""
        match node:
            case Access(tensor, indices):
                return self.read(self.vanishing.get(tensor, NOWHERE), tensor, indices)
            case Apply("exp", (argument,)):
                return self.lowers(argument)
            case Apply("*", factors):
                return NOWHERE.union(*map(self.vanishes, factors))
            case Apply("/", (value, _)):
                return self.vanishes(value)
            case Apply("where", (condition, _, Number(0 | 0.0))):
                return self.ordered(condition)
        return self.ordered(node)

    def lowers(self, node: Any) -> Pairs:
        """The pairs (t', t) such that the expression is as good as -∞ for t' > t."""
        match node:
            case Access(tensor, indices):
                return self.read(self.lowest.get(tensor, NOWHERE), tensor, indices)
            case Apply("+", terms):
                return NOWHERE.union(*map(self.lowers, terms))
            case Apply("where", (condition, _, other)) if _is_lowest(other):
                return self.ordered(condition)
        return NOWHERE

    def read(self, pairs: Pairs, tensor: str, indices: tuple[Any, ...]) -> Pairs:
        """Pairs of a tensor's axes as pairs of the axes at which it is read."""
        names = {axis: plain_axis(index) for axis, index in zip(self.axes[tensor], indices, strict=True)}
        read = ((names[earlier], names[later]) for earlier, later in pairs)
        return frozenset((earlier, later) for earlier, later in read if earlier and later)

    def ordered(self, condition: Any) -> Pairs:
        """The pairs (t', t) such that the condition does not hold for t' > t."""
        if isinstance(condition, Apply) and condition.function == "*":
            return NOWHERE.union(*map(self.ordered, condition.arguments))
        return frozenset(pair for pair in comparison(condition) if {base_axis(axis) for axis in pair} == {self.along})


def last_axis(index: Any, along: str) -> str:
    """The axis among ``along`` and its copies that a position is never behind, or ``ANYWHERE``."""
    if isinstance(index, Index) and index.constant <= 0:
        own = [atom for step, atom in index.terms if step == 1 and isinstance(atom, str) and base_axis(atom) == along]
        others = [(step, atom) for step, atom in index.terms if atom not in own]
        if len(own) == 1 and all(step < 0 and isinstance(atom, str) for step, atom in others):
            return own[0]
    return ANYWHERE


def comparison(condition: Any) -> Iterator[tuple[str, str]]:
    """The axes (earlier, later) that a comparison puts in order: t' and t for [t' <= t] and for [t > t']."""
    if not isinstance(condition, Apply) or condition.function not in ("<=", "<", ">=", ">"):
        return
    left, right = condition.arguments if condition.function[0] == "<" else reversed(condition.arguments)
    if isinstance(left, Index) and isinstance(right, Index):
        difference = combine([(1, left), (-1, right)], 0)
        atoms = dict(difference.terms)
        if len(difference.terms) == 2 and atoms.keys() == {1, -1} and difference.constant >= 0:
            earlier, later = atoms[1], atoms[-1]
            if isinstance(earlier, str) and isinstance(later, str):
                yield earlier, later


def _bounded(horizon: Horizon, pairs: Pairs) -> Horizon:
    """The horizon of what counts only where each earlier axis is not behind the later one."""
    for earlier, later in pairs:
        horizon = frozenset(later if axis == earlier else axis for axis in horizon)
    return horizon


def _is_lowest(node: Any) -> bool:
    match node:
        case Number(int() | float() as value):
            return value <= LOWEST
        case Apply("neg", (Number(int() | float() as value),)):
            return -value <= LOWEST
        case Apply("neg", (Apply("∞"),)):
            return True
    return False
