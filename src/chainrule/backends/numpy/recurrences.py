"""Recurrences as loops over their axis.

Whatever does not read the recurrence is computed for all steps at once before the loop.  Arrays get a margin of zeros
where the first steps read before the beginning.
"""

from __future__ import annotations

from typing import Any

from chainrule.backends.numpy.value import Value, expanded, integer, real
from chainrule.backends.numpy.writer import Stored, Writer
from chainrule.equations.kinds import kind_of, kinds
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, Reduce, access, plain_axis
from chainrule.equations.order import Block
from chainrule.equations.system import Input
from chainrule.equations.walk import free_axes, rebuild, subexpressions, tensors
from chainrule.equations.write import write


def write_recurrence(w: Writer, block: Block) -> None:
    """The statements of one recurrence."""
    assert block.axis is not None
    loop_axis = block.axis
    names = frozenset(equation.name for equation in block.equations)
    for equation in block.equations:
        w.put(f"# {write(equation)}")
    hoisting = _Hoisting(w, names, loop_axis)
    equations = [Equation(e.name, e.axes, hoisting.outside(e.expression)) for e in block.equations]
    margin = _margin(w, equations, names, loop_axis)
    length = w.extents.number(loop_axis)
    before = margin if block.direction > 0 else 0
    for equation in equations:
        _allocate(w, equation, loop_axis, length + margin, before)
    variable = w.names.fresh(loop_axis)
    span = f"{length}" if block.direction > 0 else f"{length - 1}, -1, -1"
    w.put(f"for {variable} in range({span}):")
    with w.inner_block():
        w.loop[loop_axis] = variable
        for equation in equations:
            _write_step(w, equation, loop_axis, variable, before)
        del w.loop[loop_axis]
    for equation in equations:
        _without_margin(w, equation, loop_axis, length, before, margin)


class _Hoisting:
    """Finds the largest parts that do not read the recurrence and computes them before the loop."""

    def __init__(self, w: Writer, names: frozenset[str], loop_axis: str) -> None:
        self.w = w
        self.names = names
        self.loop_axis = loop_axis
        self.made: dict[Expression, Access] = {}

    def outside(self, node: Any) -> Any:
        if not self.names & set(tensors(node)):
            return self.hoisted(node)
        match node:
            case Access():
                return node
            case Apply("+" | "*" as function, arguments):
                free = [argument for argument in arguments if not self.names & set(tensors(argument))]
                if len(free) > 1 and function == "+":
                    rest = [self.outside(argument) for argument in arguments if argument not in free]
                    return Apply(function, (self.hoisted(Apply(function, tuple(free))), *rest))
            case Reduce(_, axes, _) if any(name == self.loop_axis for name in axes):
                return node
        return rebuild(node, self.outside)

    def hoisted(self, node: Expression) -> Expression:
        """A read of the part, computed before; simple parts stay."""
        simple = isinstance(node, Number | Index) or not tensors(node)
        if isinstance(node, Access):
            simple = all(plain_axis(index) is not None for index in node.indices)
        if isinstance(node, Apply) and node.function == "neg" and self.hoisted(node.arguments[0]) is node.arguments[0]:
            simple = True
        if simple:
            return node
        if node not in self.made:
            w = self.w
            axes = free_axes(node)
            whole = kind_of(node, kinds(w.system)) == "integer"
            value = w.value(node, axes)
            value = value if value.kind == "truth" else integer(value) if whole else real(value, w.dtype)
            part = Input(f"part {len(w.system.inputs)}", axes, "integer" if whole else "data")
            w.tensors[part.name] = Stored(w.named(value, f"{tensors(node)[0].rpartition('.')[2]}_terms"))
            w.system = w.facts.system = w.system.extended((), (part,))
            self.made[node] = access(part.name, axes)
        return self.made[node]


def _margin(w: Writer, equations: list[Equation], names: frozenset[str], loop_axis: str) -> int:
    """How far outside the range of the axis the reads of the recurrence go."""
    margin = 0
    for equation in equations:
        for node in subexpressions(equation.expression):
            if isinstance(node, Access) and node.tensor in names:
                dimension = w.system.tensor_axes[node.tensor].index(loop_axis)
                limits = w.facts.range(node.indices[dimension])
                assert limits is not None
                margin = max(margin, -limits[0], limits[1] - (w.extents.number(loop_axis) - 1))
    return margin


def _allocate(w: Writer, equation: Equation, loop_axis: str, length: int, before: int) -> None:
    name = w.names.fresh(equation.name)
    sizes = [str(length) if axis == loop_axis else w.extents.text(axis) for axis in equation.axes]
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    whole = kinds(w.system)[equation.name] == "integer"
    w.put(f"{name} = np.zeros({shape}, {'int' if whole else w.dtype})")
    value = Value(name, equation.axes, "integer" if whole else "real")
    w.tensors[equation.name] = Stored(value, {loop_axis: before})


def _write_step(w: Writer, equation: Equation, loop_axis: str, variable: str, before: int) -> None:
    axes = tuple(axis for axis in equation.axes if axis != loop_axis)
    value = w.value(equation.expression, axes)
    if w.tensors[equation.name].value.kind == "real":
        value = real(value, w.dtype)
    text = expanded(value, axes) if value.axes else value.text
    places = [":"] * len(equation.axes)
    places[equation.axes.index(loop_axis)] = f"{variable} + {before}" if before else variable
    while places[-1] == ":":
        places.pop()
    w.put(f"{w.tensors[equation.name].value.text}[{', '.join(places)}] = {text}")


def _without_margin(w: Writer, equation: Equation, loop_axis: str, length: int, before: int, margin: int) -> None:
    value = w.tensors[equation.name].value
    if margin:
        dimension = equation.axes.index(loop_axis)
        places = [":"] * dimension + [f"{before}:" if before else f":{length}"]
        w.put(f"{value.text} = {value.text}[{', '.join(places)}]")
        w.forget(value.text)
    w.tensors[equation.name] = Stored(value)
