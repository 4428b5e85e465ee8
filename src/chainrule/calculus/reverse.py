"""The one rule, from which all of backpropagation follows.

For every read ``x[f]`` inside an equation ``y[ī] = E``:

    ∂C/∂x[k̄]  +=  Σ over ī and E's own summed axes of   ∂C/∂y[ī] · ∂E/∂(x[f]) · [k̄ = f]

then the brackets are eliminated (``deltas.py``) and the result is simplified (``passes.py``), each step logged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from chainrule.calculus.algebra import summed, tidy
from chainrule.calculus.deltas import eliminate
from chainrule.calculus.derivation import Log, Step
from chainrule.calculus.passes import ELIMINATION, simplify
from chainrule.calculus.recognise import Context, definitions
from chainrule.equations.affine import position_or_value
from chainrule.equations.functions import ARGUMENTS, COMPARISONS, FUNCTIONS
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Access, Apply, Equation, Expression, Number, Reduce, access, axis
from chainrule.equations.order import order
from chainrule.equations.parse import parse_expression
from chainrule.equations.sizes import axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import fresh_axis, product, rebuild, rename, tensors
from chainrule.errors import ChainruleError

# One way in which an expression depends on a tensor: the read, the factors of ∂E/∂(read), the axes summed on the way.
Partial = tuple[Access, tuple[Expression, ...], tuple[str, ...]]


def derive(system: System, cost: str, wrt: str | Iterable[str] | None = None) -> Log:
    """Derive the derivatives of ``cost`` with respect to the tensors ``wrt``.

    By default, with respect to all parameters that the cost depends on.  Raises ChainruleError if ``cost`` is no scalar
    of the system, or does not depend on a tensor of ``wrt``.
    """
    _validate_cost(system, cost)
    names = _wanted(system, cost, wrt)
    active = _active(system, cost, names)
    adjoints = adjoint_names(system, active)
    axes = {**system.tensor_axes, **{adjoints[name]: system.tensor_axes[name] for name in adjoints}}
    context = Context(axis_classes(system), axes, definitions(system))
    inputs = [name for name in names if name not in system.by_name]
    equations: list[Equation] = []
    steps: list[Step] = []
    for name in (*_backwards(system, active, cost), *inputs):
        readers = [e for e in system.equations if e.name in active and name in tensors(e)]
        terms, taken = _ways(system, name, readers, cost, adjoints, context)
        total = Equation(adjoints[name], system.tensor_axes[name], _total(terms))
        steps += taken
        if len(terms) > 1:
            reason = f"{name} is read {len(terms)} times; {cost} changes through each of them"
            steps.append(Step(name, "sum of the ways", None, total, reason))
        final, simplified = simplify(name, total, context)
        steps += simplified
        equations.append(final)
    gradients = {name: adjoints[name] for name in names}
    derived = {name: adjoint for name, adjoint in adjoints.items() if name != cost}
    return Log(system, cost, gradients, tuple(equations), derived, tuple(steps))


def _ways(
    system: System, name: str, readers: Sequence[Equation], cost: str, adjoints: dict[str, str], context: Context
) -> tuple[list[Expression], list[Step]]:
    """The terms of the one rule for a tensor, a term for each read of it, brackets eliminated; and the steps."""
    axes = system.tensor_axes[name]
    terms: list[Expression] = []
    steps: list[Step] = []
    for reader in reversed(readers):
        for (over, factors), covered in _contributions(system, reader, name, cost, adjoints):
            unsolved = Equation(adjoints[name], axes, summed(over, product(factors)))
            steps.append(Step(name, "chain rule", None, unsolved, _chain_reason(system, name, reader, cost), reader))
            over, factors = eliminate(over, factors, context.classes, covered, last=len(axes))
            solved = Equation(adjoints[name], axes, summed(over, product(factors)))
            if solved is not unsolved:
                steps.append(Step(name, "delta elimination", unsolved, solved, ELIMINATION))
            terms.append(solved.expression)
    return terms, steps


def _wanted(system: System, cost: str, wrt: str | Iterable[str] | None) -> tuple[str, ...]:
    """The tensors to differentiate with respect to, each once."""
    if wrt is None:
        reached = depends_on(system, cost)
        names = tuple(tensor.name for tensor in system.parameters if tensor.name in reached)
        if not names:
            has = "depends on no parameter" if system.parameters else "is of a system without parameters"
            raise ChainruleError(f"{cost} {has}; name the tensors to differentiate with respect to")
        return names
    names = (wrt,) if isinstance(wrt, str) else tuple(dict.fromkeys(wrt))
    if not names:
        raise ChainruleError("no tensors are named to differentiate with respect to")
    for name in names:
        if name not in system.tensor_axes:
            raise _unknown(system, name)
        if name == cost:
            raise ChainruleError(f"{cost} is the cost itself; name what it depends on")
        if kinds(system)[name] == "integer":
            raise ChainruleError(f"{name} holds integers; there is no derivative with respect to it")
    return names


def _unknown(system: System, name: str) -> ChainruleError:
    near = difflib.get_close_matches(name, system.tensor_axes, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(system.tensor_axes)}"
    return ChainruleError(f"the system has no {name}{hint}")


def _validate_cost(system: System, cost: str) -> None:
    if cost not in system.tensor_axes:
        raise _unknown(system, cost)
    if cost not in system.by_name:
        raise ChainruleError(f"{cost} is an input; the cost is a quantity that an equation defines")
    if system.tensor_axes[cost]:
        axes = ",".join(system.tensor_axes[cost])
        raise ChainruleError(f"{cost}[{axes}] has axes; a cost is one number: sum[{axes}]({cost}[{axes}]), say")


def depends_on(system: System, cost: str) -> set[str]:
    """The real tensors that the cost depends on, itself included."""
    _, reads = _real_reads(system)
    reaches = {cost}
    for block in reversed(order(system)):
        members = {equation.name for equation in block.equations}
        if members & reaches:
            reaches |= members | {name for member in members for name in reads[member]}
    return reaches


def _real_reads(system: System) -> tuple[set[str], dict[str, set[str]]]:
    """The real tensors, and those of them that each equation reads."""
    real = {name for name, kind in kinds(system).items() if kind == "real"}
    return real, {equation.name: set(tensors(equation)) & real for equation in system.equations}


def _active(system: System, cost: str, names: Sequence[str]) -> set[str]:
    """The tensors on a way from ``names`` to the cost."""
    real, reads = _real_reads(system)
    reaches = depends_on(system, cost)
    depends = set(names)
    for block in order(system):
        members = {equation.name for equation in block.equations}
        if any(reads[member] & depends for member in members) or members & depends:
            depends |= members & real
    active = reaches & depends
    for name in names:
        if name not in active:
            raise ChainruleError(f"{cost} does not depend on {name}")
    return active


def adjoint_names(system: System, active: set[str]) -> dict[str, str]:
    """``∂z`` for ``z``; where a derivation has used these names already, ``∂²z``, ``∂³z``."""
    taken = set(system.tensor_axes)
    for power in ("", "²", "³", "²²", "³³"):
        names = {name: f"∂{power}{name}" for name in system.tensor_axes if name in active}
        if not taken & set(names.values()):
            return names
    raise ChainruleError("derivatives of derivatives are named up to five times over, not more")


def _backwards(system: System, active: set[str], cost: str) -> Iterator[str]:
    """The defined tensors from the cost backwards."""
    for block in reversed(order(system)):
        for equation in reversed(block.equations):
            if equation.name in active and equation.name != cost:
                yield equation.name


def _contributions(
    system: System, reader: Equation, name: str, cost: str, adjoints: dict[str, str]
) -> Iterator[tuple[tuple[tuple[str, ...], tuple[Expression, ...]], tuple[str, ...]]]:
    """For each read of ``name``: (summed axes, factors) of the one rule, and the reader's own axes."""
    target = system.tensor_axes[name]
    used = set(target) | set(reader.axes)
    own: dict[str, str] = {}
    for axis_name in reader.axes:
        if axis_name in target:
            own[axis_name] = fresh_axis(axis_name, used)
            used.add(own[axis_name])
    axes = tuple(own.get(axis_name, axis_name) for axis_name in reader.axes)
    expression = rename(reader.expression, own)
    above = () if reader.name == cost else (access(adjoints[reader.name], axes),)
    for read, factors, inner in partials(expression, name, used | set(axes)):
        brackets = tuple(
            Apply("=", (axis(k), position_or_value(index))) for k, index in zip(target, read.indices, strict=True)
        )
        yield ((*axes, *inner), (*above, *factors, *brackets)), axes


def partials(node: Any, tensor: str, used: set[str]) -> Iterator[Partial]:
    """∂node/∂(each read of the tensor in it), for every way in which the node depends on it.

    ``used`` are the axis names that are taken; summed axes get names that are not, which are added.
    """
    match node:
        case Access():
            if node.tensor == tensor:
                yield node, (), ()
        case Apply(function, arguments) if FUNCTIONS[function].derivatives:
            for position, argument in enumerate(arguments):
                if tensor not in tensors(argument):
                    continue
                for read, factors, axes in partials(argument, tensor, used):
                    yield read, (*_slope(function, position, arguments), *factors), axes
        case Reduce(operation, axes, body):
            names = {}
            for name in axes:
                names[name] = fresh_axis(name, used)
                used.add(names[name])
            inner = tuple(names.values())
            slope = _reduction_factors(operation, axes, body, names)
            if slope is not None and tensor in tensors(body):
                for read, factors, deeper in partials(rename(body, names), tensor, used):
                    yield read, (*slope, *factors), (*inner, *deeper)


def _reduction_factors(
    operation: str, axes: tuple[str, ...], body: Expression, names: dict[str, str]
) -> tuple[Expression, ...] | None:
    """The derivative of a reduction with respect to its body at ``names``; None where it is zero everywhere."""
    match operation:
        case "sum":
            return ()
        case "logsumexp":
            here = rename(body, names)
            return (Apply("exp", (Apply("+", (here, Apply("neg", (Reduce(operation, axes, body),)))),)),)
        case "max" | "min":
            # Over several axes, the first in reading order: along each axis the first of those that reach the extreme.
            brackets = []
            here = body
            for position, name in enumerate(axes):
                rest = axes[position + 1 :]
                along = Reduce(operation, rest, here) if rest else here
                brackets.append(Apply("=", (axis(names[name]), Reduce("arg" + operation, (name,), along))))
                here = rename(here, {name: names[name]})
            return tuple(brackets)
    return None


def _slope(function: str, position: int, arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """The derivative of a function with respect to one argument, as factors."""
    if function == "+":
        return ()
    if function == "*":
        return (*arguments[:position], *arguments[position + 1 :])
    return (tidy(derivative(function, position, arguments)),)


def derivative(function: str, position: int, arguments: Sequence[Expression]) -> Expression:
    """The derivative of a catalogue function with respect to one argument, at the given arguments."""
    row = FUNCTIONS[function]
    if function in COMPARISONS or not row.derivatives:
        return Number(0)
    values = dict(zip(ARGUMENTS, arguments, strict=False))
    put: Expression = _put(_derivative_row(function, position), values)
    return put


@cache
def _derivative_row(function: str, position: int) -> Expression:
    return parse_expression(FUNCTIONS[function].derivatives[position], ARGUMENTS)


def _put(node: Any, values: dict[str, Expression]) -> Any:
    """Replace the catalogue's argument letters by expressions."""
    if isinstance(node, Access) and not node.indices:
        return values[node.tensor]
    return rebuild(node, lambda child: _put(child, values))


def _total(terms: Sequence[Expression]) -> Expression:
    return Number(0) if not terms else terms[0] if len(terms) == 1 else Apply("+", tuple(terms))


def _chain_reason(system: System, name: str, reader: Equation, cost: str) -> str:
    if reader.name == cost:
        return f"{cost} reads {name}: how {cost} changes with it, where the bracket picks this element"
    reason = (
        f"how {cost} changes with {reader.name}, times how {reader.name} changes with {name}, summed where the bracket "
        "picks this element"
    )
    block = next(block for block in order(system) if reader in block.equations)
    if reader.name == name and block.axis is not None:
        later, first, last = ("next", "last", "first") if block.direction > 0 else ("previous", "first", "last")
        return (
            f"the {later} {block.axis} of {name} reads this one: {reason}; so it is computed from the {first} "
            f"{block.axis} to the {last}, backpropagation through time"
        )
    return f"{reader.name} reads {name}: {reason}"
