"""A system: an ordered set of equations, the inputs they read, and what is known of the sizes of axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from chainrule.equations.node import Equation, Expression, Number, base_axis
from chainrule.equations.walk import subexpressions, tensors
from chainrule.errors import ChainruleError, Source

Role = Literal["data", "integer", "parameter", "state", "random"]
ROLES: tuple[Role, ...] = ("data", "integer", "parameter", "state", "random")
DISTRIBUTIONS = ("uniform", "normal")


@dataclass(frozen=True)
class Input:
    """A tensor that the equations read and do not define.

    ``role``: data (given with each run), integer (data of whole numbers), parameter (learnt), state (carried from
    step to step; ``value`` is what it starts as), random (``distribution``: uniform on [0, 1) or standard normal;
    a function of seed, step, name and position only).  An equation named ``x'`` gives the next value of the
    parameter or state ``x``.
    """

    name: str
    axes: tuple[str, ...]
    role: Role
    value: float | int | None = None
    distribution: str | None = None

    def __str__(self) -> str:
        text = f"{self.role} {self.name}" + (f"[{','.join(self.axes)}]" if self.axes else "")
        if self.value is not None:
            text += f" = {self.value!r}"
        if self.distribution is not None:
            text += f" ~ {self.distribution}"
        return text


@dataclass(frozen=True)
class System:
    """Equations in the order written, ``inputs`` in the order declared.

    ``sizes``: what was declared of axes, a whole number, a relation to the sizes of other axes
    (``(size(h) - size(u))//2 + 1``), or None (declared, solved from data).
    ``sources``: where names were written, for error messages; no part of what the system is.
    """

    equations: tuple[Equation, ...]
    inputs: tuple[Input, ...] = ()
    sizes: tuple[tuple[str, Expression | None], ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict, compare=False, repr=False)

    def _repr_html_(self) -> str:
        from chainrule.notation import page, system

        return page.untitled(system.system_document(self))

    def __str__(self) -> str:
        lines = []
        for name, size in self.sizes:
            lines.append(f"axis {name}" if size is None else f"axis {name} = {size}")
        lines += [str(tensor) for tensor in self.inputs]
        lines += [str(equation) for equation in self.equations]
        return "\n".join(lines)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.equations, self.inputs, self.sizes))

    @cached_property
    def by_name(self) -> Mapping[str, Equation]:
        """The equation that defines each tensor."""
        return {equation.name: equation for equation in self.equations}

    @cached_property
    def input_by_name(self) -> Mapping[str, Input]:
        return {tensor.name: tensor for tensor in self.inputs}

    @cached_property
    def tensor_axes(self) -> Mapping[str, tuple[str, ...]]:
        """The axes of every input and of every defined tensor."""
        axes = {tensor.name: tensor.axes for tensor in self.inputs}
        axes.update((equation.name, equation.axes) for equation in self.equations)
        return axes

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Every axis that occurs outside ``size(…)``, in order of appearance."""
        found = dict.fromkeys(name for name, _ in self.sizes)
        for axes in self.tensor_axes.values():
            found.update(dict.fromkeys(axes))
        for equation in self.equations:
            for node in subexpressions(equation.expression):
                found.update(dict.fromkeys(getattr(node, "axes", ())))
        return tuple(found)

    def named(self, role: Role) -> tuple[Input, ...]:
        """The inputs with this role."""
        return tuple(tensor for tensor in self.inputs if tensor.role == role)

    @cached_property
    def parameters(self) -> tuple[Input, ...]:
        return self.named("parameter")

    @cached_property
    def updates(self) -> Mapping[str, str]:
        """Parameter or state → the equation ``name'`` that gives its next value."""
        return {
            tensor.name: tensor.name + "'"
            for tensor in self.inputs
            if tensor.role in ("parameter", "state") and tensor.name + "'" in self.by_name
        }

    def extended(
        self,
        equations: Iterable[Equation] = (),
        inputs: Iterable[Input] = (),
        sizes: Iterable[tuple[str, Expression | None]] = (),
    ) -> System:
        """This system with more equations, inputs and sizes after its own.

        Raises ChainruleError where a name is given twice.
        """
        made = System((*self.equations, *equations), (*self.inputs, *inputs), (*self.sizes, *sizes), self.sources)
        names = [tensor.name for tensor in made.inputs] + [equation.name for equation in made.equations]
        if len(set(names)) < len(names):
            twice = next(name for name in reversed(names) if names.count(name) > 1)
            raise ChainruleError(f"the system has a tensor {twice} already; give the new one another name")
        axes = [name for name, _ in made.sizes]
        if len(set(axes)) < len(axes):
            twice = next(name for name in reversed(axes) if axes.count(name) > 1)
            raise ChainruleError(f"the size of axis {twice} is declared already")
        return made

    def subset(self, wanted: Iterable[str]) -> System:
        """Only what is needed to compute the tensors named."""
        needed = reachable(self, wanted)
        equations = tuple(equation for equation in self.equations if equation.name in needed)
        inputs = tuple(tensor for tensor in self.inputs if tensor.name in needed)
        used = {base_axis(name) for name in System(equations, inputs).axes}
        used |= {base_axis(name) for equation in equations for name in size_names(equation.expression)}
        sizes: list[tuple[str, Expression | None]] = []
        for name, size in reversed(self.sizes):
            if base_axis(name) in used:
                used |= {base_axis(other) for other in size_names(size)}
                sizes.append((name, size))
        return System(equations, inputs, tuple(reversed(sizes)), self.sources)


def size_names(expression: Any) -> tuple[str, ...]:
    """The axes whose ``size`` is mentioned."""
    if expression is None:
        return ()
    return tuple(
        node.value for node in subexpressions(expression) if isinstance(node, Number) and isinstance(node.value, str)
    )


def reachable(system: System, wanted: Iterable[str]) -> set[str]:
    """The names needed to compute ``wanted``, themselves included."""
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in system.by_name:
            waiting.extend(tensors(system.by_name[name]))
    return needed
