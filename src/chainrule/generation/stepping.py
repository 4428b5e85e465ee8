"""From equations over all positions to those of one position, with states in place of the positions before it.

Every tensor ``y[b,t,…]`` of a causal network becomes ``y[b,…]``, its value at the position ``now``.  Which tensors must
be kept follows from how they are read:

    y[b,t,…]     at the same position        y[b,…]
    y[b,t-1,…]   one position before         y.before[b,…], a state with y.before'[b,…] = y[b,…]
    y[b,f,…]     at any other position f     y.past'[b,f,…], a state with
                                             y.past'[b,t,…] = where([t = now], y[b,…], y.past[b,t,…])

So a recurrence carries its state, and attention its keys and values; no layer says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chainrule.equations.check import check
from chainrule.equations.kinds import kinds
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
    plain_axis,
)
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import Input, System
from chainrule.equations.walk import children, rebuild, substitute
from chainrule.errors import ChainruleError
from chainrule.generation.horizon import horizons

NOW = "now"


@dataclass(frozen=True)
class Stepping:
    """``system`` computes ``output[b,…]`` at one position from what is given there, and the next values of its states.

    ``positions``: how many there may be, each reading the integer ``now``; None where any number may follow.
    """

    system: System
    output: str
    positions: int | None


def stepping(system: System, output: str, along: str = "t") -> Stepping:
    """One step along an axis of a system whose size is declared.

    Step n, with ``now`` = n and what is given at position n, gives the output of the whole system at position n.
    Raises ChainruleError naming the first tensor that depends on later positions.
    """
    whole = system.subset({output})
    _check_causal(whole, output, along)
    writer = _Writer(whole, along)
    equations = [writer.equation(equation) for equation in whole.equations]
    inputs = [writer.input(tensor) for tensor in whole.inputs]
    for state in writer.states:
        equations.append(state.next)
        inputs.append(state.input)
    sizes = solve_sizes(whole, {}, partial=True)
    declared = tuple((name, Number(sizes[name]) if name in sizes else size) for name, size in whole.sizes)
    made = System(tuple(equations), (*inputs, Input(NOW, (), "integer")), declared)
    made = made.subset({output, *(state.next.name for state in writer.states)})
    check(made)
    return Stepping(made, output, sizes.get(along) if NOW in made.input_by_name else None)


@dataclass(frozen=True)
class _State:
    """What is kept of a tensor, and its next value."""

    input: Input
    next: Equation


def _check_causal(system: System, output: str, along: str) -> None:
    """Raise ChainruleError unless the output, and all that is kept, looks at earlier positions only."""
    if along not in system.tensor_axes[output]:
        raise ChainruleError(
            f"{output}[{','.join(system.tensor_axes[output])}] has no positions {along}; a network that generates "
            "gives an output at each position, such as LSTM(…, states='all')"
        )
    found = horizons(system, along)
    kept = {read.tensor: read for read in _reads_elsewhere(system, along)}
    for name, read in kept.items():
        if kinds(system)[name] == "integer":
            raise ChainruleError(
                f"{read}: what is kept from position to position are real numbers, and {name} are whole numbers; read "
                "an embedding of them there"
            )
    for name in (e.name for e in system.equations if e.name == output or e.name in kept):
        if not found[name] <= {along}:
            raise ChainruleError(
                f"{name}[{','.join(system.tensor_axes[name])}] depends on later positions than its own, so symbols "
                "cannot be generated one after the other; attention must be causal, and no layer may go backwards or "
                "over the whole row"
            )


def _reads_elsewhere(system: System, along: str) -> Iterator[Access]:
    """The reads of tensors over positions at another position than the reader's own."""
    for equation in system.equations:
        yield from _elsewhere(system, equation.expression, along, hidden=False)


def _elsewhere(system: System, node: Any, along: str, hidden: bool) -> Iterator[Access]:
    if isinstance(node, Access) and steps(system, node.tensor, along):
        place = node.indices[system.tensor_axes[node.tensor].index(along)]
        if hidden or plain_axis(place) != along:
            yield node
    inner = hidden or (isinstance(node, Reduce) and along in node.axes)
    for child in children(node):
        yield from _elsewhere(system, child, along, inner)


def steps(system: System, tensor: str, along: str) -> bool:
    """Whether the tensor has a value of its own at each position: it is computed, or given, along the axis."""
    given = system.input_by_name.get(tensor)
    return along in system.tensor_axes[tensor] and (given is None or given.role in ("data", "integer", "random"))


class _Writer:
    """Writes equations for one position, and notes which states they read."""

    def __init__(self, system: System, along: str) -> None:
        self.system = system
        self.along = along
        self.now: dict[str, Expression] = {along: Access(NOW, ())}
        self.before = Index(((1, along),), -1)
        self.kept: dict[str, _State] = {}

    @property
    def states(self) -> tuple[_State, ...]:
        return tuple(self.kept.values())

    def equation(self, equation: Equation) -> Equation:
        at = equation.axes.index(self.along) if self.along in equation.axes else None
        return Equation(equation.name, _without(equation.axes, at), self.written(equation.expression, False))

    def input(self, tensor: Input) -> Input:
        if not steps(self.system, tensor.name, self.along):
            return tensor
        return replace(tensor, axes=_without(tensor.axes, tensor.axes.index(self.along)))

    def written(self, node: Any, hidden: bool) -> Any:
        """The expression at the position ``now``; ``hidden``: a sum around it uses the name of the axis."""
        match node:
            case Access(tensor, indices) if steps(self.system, tensor, self.along):
                return self.read(tensor, indices, hidden)
            case Reduce(operation, axes, body):
                return Reduce(operation, axes, self.written(body, hidden or self.along in axes))
            case Index():
                return node if hidden else substitute(node, self.now)
        return rebuild(node, lambda child: self.written(child, hidden))

    def read(self, tensor: str, indices: tuple[Expression, ...], hidden: bool) -> Access:
        at = self.system.tensor_axes[tensor].index(self.along)
        place = indices[at]
        written = tuple(self.written(index, hidden) for index in indices)
        if not hidden and plain_axis(place) == self.along:
            return Access(tensor, _without(written, at))
        if not hidden and place is self.before:
            return Access(self.keep_last(tensor), _without(written, at))
        # What is strictly earlier is there already; and a recurrence could not read what is only now being computed.
        earlier = isinstance(place, Index) and not hidden and place.constant < 0
        return Access(self.keep_all(tensor) + ("" if earlier else "'"), written)

    def keep_last(self, tensor: str) -> str:
        """The state that holds a tensor's value at the position before."""
        axes = self.system.tensor_axes[tensor]
        name, own = f"{tensor}.before", _without(axes, axes.index(self.along))
        self.kept[name] = _State(Input(name, own, "state", 0), Equation(f"{name}'", own, access(tensor, own)))
        return name

    def keep_all(self, tensor: str) -> str:
        """The state that holds a tensor's values at all positions so far."""
        axes = self.system.tensor_axes[tensor]
        name, own = f"{tensor}.past", _without(axes, axes.index(self.along))
        here = Apply("=", (axis(self.along), Access(NOW, ())))
        value = Apply("where", (here, access(tensor, own), access(name, axes)))
        self.kept[name] = _State(Input(name, axes, "state", 0), Equation(f"{name}'", axes, value))
        return name


def _without(items: tuple[Any, ...], at: int | None) -> tuple[Any, ...]:
    return items if at is None else (*items[:at], *items[at + 1 :])
