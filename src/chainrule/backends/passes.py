"""What is done to a system before it is written as code.  Each pass takes a System and returns a System;
``classes`` says which axes have one size.

needed       only what outputs and next values need           nothing is computed in vain
distinct     bound axes get names of their own                 an array's axes are told apart by name
repeated     subexpressions that occur twice get equations     argmax and logsumexp stand in a cost and its gradient
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, Reduce, access, plain_axis
from chainrule.equations.order import order
from chainrule.equations.sizes import axis_class, axis_classes
from chainrule.equations.system import System
from chainrule.equations.walk import children, free_axes, fresh_axis, rebuild, rename, subexpressions, tensors

Pass = Callable[[System, Mapping[str, str]], System]


def prepared(system: System, outputs: Iterable[str]) -> System:
    """The system as it is written: all passes in order."""
    classes = axis_classes(system)
    system = system.subset([*outputs, *system.updates, *system.updates.values()])
    for change in PASSES:
        system = change(system, classes)
    return system


def distinct_axes(system: System, classes: Mapping[str, str]) -> System:
    """Rename each bound axis that hides one outside."""

    def renamed(node: Any, scope: frozenset[str]) -> Any:
        if isinstance(node, Reduce):
            names = {
                name: fresh_axis(name + "'", scope | set(free_axes(node.body))) for name in node.axes if name in scope
            }
            body = rename(node.body, names) if names else node.body
            axes = tuple(names.get(name, name) for name in node.axes)
            return Reduce(node.operation, axes, renamed(body, scope | set(axes)))
        return rebuild(node, lambda child: renamed(child, scope))

    return _with(system, (Equation(e.name, e.axes, renamed(e.expression, frozenset(e.axes))) for e in system.equations))


def name_repeated(system: System, classes: Mapping[str, str]) -> System:
    """Give an equation to each costly subexpression that occurs more than once, the outermost first."""
    while True:
        larger = _name_outermost(system, classes)
        if larger is system:
            return system
        system = larger


def with_literals(system: System, kept: Iterable[str]) -> System:
    """Numbers in place of the scalars that are defined as one (``β1 = 0.9``), unless they are to be kept."""
    kept = {*kept, *system.updates.values()}
    literals = {
        name: equation.expression
        for name, equation in system.by_name.items()
        if name not in kept and isinstance(getattr(equation.expression, "value", None), float) and not equation.axes
    }

    def replaced(node: Any) -> Any:
        if isinstance(node, Access) and node.tensor in literals:
            return literals[node.tensor]
        return rebuild(node, replaced)

    others = (equation for equation in system.equations if equation.name not in literals)
    return _with(system, (Equation(e.name, e.axes, replaced(e.expression)) for e in others))


PASSES: tuple[Pass, ...] = (distinct_axes, name_repeated)

_COSTLY = ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "erf")
_COSTLY_PAIRS = ("logaddexp", "^")


def _name_outermost(system: System, classes: Mapping[str, str]) -> System:
    circles = _circles(system)
    keys: dict[Expression, Any] = {}
    found: dict[Any, list[tuple[Equation, Expression]]] = {}
    for equation in system.equations:
        for node in subexpressions(equation.expression):
            if _may_be_named(node, circles.get(equation.name)):
                if node not in keys:
                    keys[node] = alike(node, classes)
                found.setdefault(keys[node], []).append((equation, node))
    chosen = {key: _definition(places) for key, places in found.items() if len(places) > 1 and _is_worth_it(places)}
    if not chosen:
        return system
    taken = set(system.tensor_axes)
    equations: list[Equation] = []

    def replaced(node: Any, equation: Equation) -> Any:
        key = keys.get(node) if _may_be_named(node, circles.get(equation.name)) else None
        if key not in chosen or (chosen[key] is equation and node is equation.expression):
            return rebuild(node, lambda child: replaced(child, equation))
        if chosen[key] is None:
            chosen[key] = Equation(_name_for(taken, node), free_axes(node), node)
            taken.add(chosen[key].name)
            equations.append(chosen[key])
        definition = chosen[key]
        names = dict(zip(free_axes(definition.expression), free_axes(node), strict=True))
        return access(definition.name, (names[name] for name in definition.axes))

    for equation in system.equations:
        expression = replaced(equation.expression, equation)
        equations.append(Equation(equation.name, equation.axes, expression))
    return _with(system, equations)


def _definition(places: list[tuple[Equation, Expression]]) -> Any:
    """The equation of the system that is the subexpression and nothing else, or None."""
    whole = (e for e, node in places if e.expression is node and set(e.axes) == set(free_axes(node)))
    return next(whole, None)


def _may_be_named(node: Any, circle: frozenset[str] | None) -> bool:
    """A costly part; of the recurrence in which it stands it reads only what belongs to the same step."""
    if not tensors(node) or not _is_costly(node):
        return False
    if not circle:
        return True
    reads = (part for part in subexpressions(node) if isinstance(part, Access) and part.tensor in circle)
    return all(plain_axis(index) for read in reads for index in read.indices)


def _is_costly(node: Any) -> bool:
    match node:
        case Reduce():
            return True
        case Access(_, indices):
            return any(tensors(index) for index in indices)
        case Apply("^", (_, exponent)):
            return exponent is not Number(2)
        case Apply(function, _):
            return function in _COSTLY or function in _COSTLY_PAIRS
    return False


def _is_worth_it(places: list[tuple[Equation, Expression]]) -> bool:
    """Not where every place is one whole equation: two equations that say the same stay two."""
    return any(equation.expression is not node for equation, node in places)


def _circles(system: System) -> dict[str, frozenset[str]]:
    """For each equation of a recurrence, the tensors of the recurrence."""
    circles = {}
    for block in order(system):
        if block.axis is not None:
            names = frozenset(equation.name for equation in block.equations)
            circles.update(dict.fromkeys(names, names))
    return circles


def alike(node: Expression, classes: Mapping[str, str]) -> tuple[Any, ...]:
    """The expression with axes numbered in order of appearance: alike up to the names of axes."""
    numbers: dict[str, int] = {}

    def number(name: str) -> tuple[int, str]:
        return numbers.setdefault(name, len(numbers)), axis_class(name, classes)

    for name in free_axes(node):
        number(name)

    def parts(part: Any) -> Iterator[Any]:
        match part:
            case Number(value):
                yield ("size", classes.get(value, value)) if isinstance(value, str) else (type(value), value)
            case Index(terms, constant):
                yield "index", constant
                for coefficient, atom in terms:
                    yield coefficient
                    if isinstance(atom, str):
                        yield number(atom)
                    else:
                        yield from parts(atom)
            case Access(tensor, _):
                yield "read", tensor
            case Apply(function, arguments):
                yield function, len(arguments)
            case Reduce(operation, axes, _):
                yield operation, tuple(number(name) for name in axes)
        if not isinstance(part, Index):
            for child in children(part):
                yield from parts(child)

    return tuple(parts(node))


def _name_for(taken: set[str], node: Any) -> str:
    """``logsumexp_z2`` for ``logsumexp[k](z2[b,k])``."""
    match node:
        case Reduce(operation, _, _):
            kind = operation
        case Access():
            kind = "at"
        case _:
            kind = "power" if node.function == "^" else node.function
    wanted = name = f"{kind}_{tensors(node)[0].rpartition('.')[2].replace('∂', 'd').rstrip(chr(39))}"
    number = 2
    while name in taken:
        name = f"{wanted}_{number}"
        number += 1
    return name


def _with(system: System, equations: Iterable[Equation]) -> System:
    return System(tuple(equations), system.inputs, system.sizes, system.sources)
