"""Random systems of equations that have a meaning, with values for their inputs.

Everything the language has occurs: numbers, sizes, positions, reads that are shifted, scaled, out of range or gathered
through integer tensors, every function of the catalogue (on arguments for which it is defined), brackets, choices,
reductions, shadowed axes, and recurrences of one or two equations in either direction.  Values stay moderate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from chainrule.equations.affine import as_index, position_or_value
from chainrule.equations.node import Access, Apply, Equation, Index, Number, Reduce, access, axis, base_axis, plain_axis
from chainrule.equations.system import Input, System
from chainrule.equations.walk import subexpressions, substitute

SHRINK = False
AXES = ("b", "i", "j", "t")
LONG = (5, 8, 13, 16, 33)
PARTIAL_ORDERS = ("<", "<=", ">", ">=")

# Functions on arguments for which they are defined, as templates over x and y; the second list has kinks or steps.
SMOOTH: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: -x,
    lambda x, y: x / (1 + y**2),
    lambda x, y: x**2,
    lambda x, y: apply("sin", x) ** 3,
    lambda x, y: (2 + apply("sin", x)) ** 0.5,
    lambda x, y: (2 + apply("sin", x)) ** -1,
    lambda x, y: (1.5 + apply("tanh", x)) ** apply("sigmoid", y),
    lambda x, y: apply("exp", apply("tanh", x)),
    lambda x, y: apply("expm1", apply("sin", x)),
    lambda x, y: apply("log", 1 + x**2),
    lambda x, y: apply("log1p", apply("exp", apply("cos", x))),
    lambda x, y: apply("sqrt", 1 + x**2),
    lambda x, y: apply("rsqrt", 1 + x**2),
    lambda x, y: apply("cos", x),
    lambda x, y: apply("tanh", x),
    lambda x, y: apply("sigmoid", x),
    lambda x, y: apply("softplus", x),
    lambda x, y: apply("erf", x),
    lambda x, y: apply("logaddexp", x, y),
    lambda x, y: apply("π") * x,
)
KINKED: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: apply("abs", x),
    lambda x, y: apply("sign", x) * y,
    lambda x, y: apply("floor", x),
    lambda x, y: apply("relu", x),
    lambda x, y: apply("max", x, y),
    lambda x, y: apply("min", x, y),
)


def apply(function: str, *arguments: Any) -> Any:
    return Apply(function, arguments)


def written(node: Any, position: bool = False) -> Any:
    """The node as the parser would make it: sums of axes are one Index, in brackets and positions sizes too."""
    match node:
        case Apply(function, arguments):
            if function in ("=", "!=", "<", "<=", ">", ">=", "<=<"):
                return Apply(function, tuple(position_or_value(written(argument)) for argument in arguments))
            inside = position and function in ("+", "*", "neg", "//", "%")
            node = Apply(function, tuple(written(argument, inside) for argument in arguments))
            return as_index(node, position) or node
        case Access(tensor, indices):
            return Access(tensor, tuple(written(index, True) for index in indices))
        case Reduce(operation, axes, body):
            return Reduce(operation, axes, written(body))
        case Number(int() | str()) if position:
            return as_index(node, True)
    return node


@dataclass(frozen=True)
class Example:
    """A system whose scalar ``C`` depends on all its real equations, and values for its inputs."""

    system: System
    values: dict[str, NDArray[Any]]

    def __repr__(self) -> str:
        values = "\n".join(f"{name} = {value.tolist()}" for name, value in self.values.items())
        return f"\n{self.system}\n{values}\n"


def examples(smooth: bool = False, long: bool = False) -> st.SearchStrategy[Example]:
    """Systems and values; ``smooth`` leaves out functions with kinks, max and min; ``long``: two axes are longer than
    a vector register, and there are matrix products, also within recurrences.

    Each comes from a seed of its own, so that some hundreds are as many different ones.  To have a failing one
    made smaller, set SHRINK to True for the while: hypothesis then makes every choice itself.
    """
    return st.randoms(use_true_random=not SHRINK).map(lambda random: _Writer(random, smooth, long).example())


def example(seed: int, long: bool = False) -> Example:
    """The system and the values that belong to a number."""
    return _Writer(Random(seed), False, long).example()


class _Writer:
    def __init__(self, random: Random, smooth: bool, long: bool) -> None:
        self.random = random
        self.functions = SMOOTH if smooth else SMOOTH + KINKED
        self.reductions = ("sum", "sum", "logsumexp") if smooth else ("sum", "sum", "logsumexp", "max", "min")
        self.smooth = smooth
        self.sizes = {name: random.randint(1, 4) for name in AXES}
        self.long = long
        if long:  # but not t: a recurrence may double an error at each step
            one, other = random.sample(("b", "i", "j"), 2)
            self.sizes[one] = random.choice(LONG)
            self.sizes[other] = self.sizes[one] if self.chance(40) else random.choice(LONG)
            if self.chance(25):
                self.sizes |= dict.fromkeys(("b", "i", "j"), random.choice(LONG[:3]))
        self.inputs: list[Input] = []
        self.real: dict[str, tuple[str, ...]] = {}
        self.integer: dict[str, tuple[str, ...]] = {}
        self.equations: list[Equation] = []

    def choose(self, *options: Any) -> Any:
        return options[self.random.randint(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.random.randint(0, 99) < percent

    def some_axes(self, least: int = 0, most: int = 3) -> tuple[str, ...]:
        return tuple(self.random.sample(AXES, self.random.randint(least, most)))

    def example(self) -> Example:
        self.inputs = inputs = [
            Input(name, self.some_axes(), self.choose("data", "parameter")) for name in ("x", "W", "β")
        ]
        inputs += [Input(name, self.some_axes(0, 2), "integer") for name in ("n", "m")]
        self.real = {tensor.name: tensor.axes for tensor in inputs if tensor.role != "integer"}
        self.integer = {tensor.name: tensor.axes for tensor in inputs if tensor.role == "integer"}
        self.equations = equations = []
        kinds = [self.plain, self.plain, self.again, self.counted, self.recurrence, self.pair]
        if self.long:
            kinds += [self.product, self.product, self.layered, self.turned]
        for number in range(self.random.randint(1, 3)):
            equations += self.choose(*kinds)(str(number))
        outcomes = [e for e in equations if e.name in self.real]
        if not outcomes:
            outcomes = self.plain("0")
            equations += outcomes
        equations.append(Equation("C", (), self.cost(outcomes)))
        generator = np.random.default_rng(self.random.randint(0, 999))
        values: dict[str, NDArray[Any]] = {}
        for tensor in inputs:
            shape = tuple(self.sizes[base_axis(name)] for name in tensor.axes)
            values[tensor.name] = (
                generator.integers(-1, 4, shape) if tensor.role == "integer" else generator.normal(size=shape)
            )
        return Example(System(tuple(equations), tuple(inputs), tuple(self.declared())), values)

    def declared(self) -> list[tuple[str, Any]]:
        return [(name, Number(size)) for name, size in self.sizes.items()]

    def cost(self, outcomes: list[Equation]) -> Any:
        terms = []
        for equation in outcomes:
            value = apply("sin", access(equation.name, equation.axes))
            terms.append(Reduce("sum", equation.axes, value) if equation.axes else value)
        return terms[0] if len(terms) == 1 else apply("+", *terms)

    # Kinds of equations.  Each registers what it defines, so that later ones can read it.

    def plain(self, number: str) -> list[Equation]:
        axes = self.some_axes()
        equation = Equation("y" + number, axes, written(self.value(axes, 3)))
        self.real[equation.name] = axes
        return [equation]

    def again(self, number: str) -> list[Equation]:
        """What an earlier equation says, at its own axes or beside them, as a part of another."""
        earlier = [e for e in self.equations if e.name.startswith("y") and e.axes]
        if not earlier:
            return self.plain(number)
        old = self.choose(*earlier)
        moved = {old.axes[0]: Index(((1, old.axes[0]),), self.choose(-1, 0, 1))}
        part = substitute(old.expression, moved)
        if not self.fits(part):
            return self.plain(number)
        equation = Equation(
            "y" + number, old.axes, written(self.choose(*self.functions)(part, self.value(old.axes, 1)))
        )
        self.real[equation.name] = equation.axes
        return [equation]

    def fits(self, part: Any) -> bool:
        """Whether no shift has become a plain read of an axis of another size."""
        axes = {**self.real, **self.integer}
        return all(
            plain_axis(index) is None or self.sizes[base_axis(plain_axis(index) or "")] == self.sizes[along]
            for node in subexpressions(part)
            if isinstance(node, Access)
            for index, along in zip(node.indices, axes[node.tensor], strict=True)
        )

    def counted(self, number: str) -> list[Equation]:
        axes = self.some_axes(0, 2)
        equation = Equation("k" + number, axes, written(self.whole(axes, 2)))
        self.integer[equation.name] = axes
        return [equation]

    def recurrence(self, number: str) -> list[Equation]:
        axes = (*(name for name in self.some_axes(0, 2) if name != "t"), "t")
        name = "h" + number
        before = self.neighbour(name, axes, self.choose(-2, -1, 1))
        value = apply("tanh", self.value(axes, 2) + self.choose(*self.functions)(before, self.value(axes, 1)))
        self.real[name] = axes
        return [Equation(name, axes, written(value))]

    def pair(self, number: str) -> list[Equation]:
        axes = (*(name for name in self.some_axes(0, 2) if name != "t"), "t")
        first, second = "f" + number, "g" + number
        step = self.choose(-1, 1)
        before = self.neighbour(second, axes, step)
        own = self.neighbour(first, axes, step)
        one = apply("sin", self.value(axes, 1) * own + before * self.value(axes, 1))
        other = apply("sigmoid", self.value(axes, 1) - access(first, axes))
        self.real[first] = self.real[second] = axes
        return [Equation(first, axes, written(one)), Equation(second, axes, written(other))]

    def product(self, number: str) -> list[Equation]:
        """A contraction of two tensors: batch, rows, columns, and what is summed, each in any order."""
        axes = self.some_axes(1, 3)
        free = [name for name in AXES if name not in axes]
        summed = tuple(self.random.sample(free, self.random.randint(1, min(2, len(free)))))
        where = {name: self.choose("left", "right", "right", "both") for name in axes}
        sides = [
            self.shuffled((*(name for name in axes if where[name] in (side, "both")), *summed))
            for side in ("left", "right")
        ]
        reads = []
        for letter, side in zip("AB", sides, strict=True):
            name = letter + number
            self.inputs.append(Input(name, side, self.choose("data", "parameter")))
            moved = self.choose(*side) if self.chance(20) else None
            reads.append(Access(name, tuple(Index(((1, a),), 1) if a == moved else axis(a) for a in side)))
        equation = Equation("y" + number, axes, written(Reduce("sum", summed, apply("*", *reads)) * Number(0.1)))
        if self.chance(40):
            equation = Equation("y" + number, axes, written(Reduce("sum", summed, apply("*", *reads))))
        for letter, side in zip("AB", sides, strict=True):
            self.real[letter + number] = side
        self.real[equation.name] = axes
        return [equation]

    def turned(self, number: str) -> list[Equation]:
        """A tensor and itself with its axes in another order, where these have one size."""
        many = [name for name, axes in self.real.items() if len(axes) > 1 and not set(axes) - set(AXES)]
        if not many:
            return self.plain(number)
        name = self.choose(*many)
        axes = self.real[name]
        parts: list[Any] = []
        for _ in range(self.random.randint(2, 3)):
            turn = self.random.randint(0, len(axes) - 1)
            order = self.choose(self.shuffled(axes), (*axes[turn:], *axes[:turn]))
            fits = all(self.sizes[one] == self.sizes[other] for one, other in zip(order, axes, strict=True))
            parts.append(access(name, order if fits else axes))
        equation = Equation("y" + number, axes, written(apply(self.choose("+", "*"), *parts)))
        if self.chance(30):
            summed = Reduce("sum", axes[:1], apply("*", *parts[:2]))
            equation = Equation("y" + number, axes[1:], written(summed))
        self.real[equation.name] = equation.axes
        return [equation]

    def layered(self, number: str) -> list[Equation]:
        """A recurrence in which a matrix takes what was before to what is now."""
        unit = self.choose("b", "i", "j")
        others = [name for name in ("b", "i", "j") if name != unit]
        axes = self.shuffled((unit, "t", *self.random.sample(others, self.random.randint(0, 2))))
        name, matrix, summed = "h" + number, "U" + number, unit + "'"
        step = self.choose(-1, 1)
        self.inputs.append(Input(matrix, (summed, unit), "parameter"))
        read = (summed, unit) if self.chance(60) else (unit, summed)
        before = Access(
            name, tuple(Index(((1, a),), step) if a == "t" else axis(summed if a == unit else a) for a in axes)
        )
        factors = [before, access(matrix, read)]
        self.random.shuffle(factors)
        total = Reduce("sum", (summed,), apply("*", *factors))
        value = apply("tanh", total * Number(0.1) + self.value(axes, 1))
        self.real[name] = axes
        self.real[matrix] = (summed, unit)
        return [Equation(name, axes, written(value))]

    def shuffled(self, axes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.random.sample(axes, len(axes)))

    def neighbour(self, name: str, axes: tuple[str, ...], step: int) -> Access:
        return Access(name, tuple(Index(((1, a),), step) if a == "t" else axis(a) for a in axes))

    # Expressions.  ``scope`` are the axes that have a value where the expression stands.

    def value(self, scope: tuple[str, ...], depth: int) -> Any:
        """A real expression."""
        if depth <= 0 or self.chance(15):
            return self.leaf(scope)
        kind = self.random.randint(0, 9)
        if kind < 5:
            return self.choose(*self.functions)(self.value(scope, depth - 1), self.value(scope, depth - 2))
        if kind < 7:
            bound = self.bound(scope)
            body = self.value(tuple(dict.fromkeys((*scope, *bound))), depth - 1)
            return Reduce(self.choose(*self.reductions), bound, body)
        if kind == 7:
            return apply("where", self.condition(scope), self.value(scope, depth - 1), self.value(scope, depth - 1))
        if kind == 8:
            return self.value(scope, depth - 1) * self.condition(scope)
        return apply("+", *(self.value(scope, depth - 1) for _ in range(3)))

    def leaf(self, scope: tuple[str, ...]) -> Any:
        if self.chance(75):
            name = self.choose(*self.real)
            return Access(name, tuple(self.position(scope, along) for along in self.real[name]))
        options = [Number(self.choose(0.5, -0.3, 2, 0, 1, -1, 1e-3)), Number(self.choose(*AXES))]
        if scope:
            options.append(axis(self.choose(*scope)))
        return self.choose(*options)

    def bound(self, scope: tuple[str, ...]) -> tuple[str, ...]:
        """Axes to reduce over: a free name, one that hides another, or a copy."""
        names = self.some_axes(1, 2)
        return tuple(name + "'" if name in scope and self.chance(70) else name for name in names)

    def condition(self, scope: tuple[str, ...]) -> Any:
        left, right = self.whole(scope, 1), self.whole(scope, 1)
        kind = self.random.randint(0, 4)
        if kind == 0:
            return apply("<=<", Number(self.choose(0, 1)), left, Number(self.choose(*AXES)))
        if kind == 1 and not self.smooth:
            return apply(self.choose(*PARTIAL_ORDERS), self.leaf(scope), self.leaf(scope))
        return apply(self.choose("=", "!=", *PARTIAL_ORDERS), left, right)

    def whole(self, scope: tuple[str, ...], depth: int) -> Any:
        """An integer expression."""
        kind = self.random.randint(0, 9 if depth > 0 else 4)
        if kind < 3 and scope:
            return self.affine(scope)
        if kind < 5 or depth <= 0:
            return Number(self.choose(0, 1, 2, 3, self.choose(*AXES)))
        if kind == 5:
            name = self.choose(*self.integer)
            return Access(name, tuple(self.position(scope, along) for along in self.integer[name]))
        if kind == 6:
            return apply(self.choose("//", "%"), self.whole(scope, depth - 1), Number(self.choose(2, 3, *AXES)))
        if kind == 7:
            return self.condition(scope)
        if kind == 8 and not self.smooth:
            (name, *_) = self.bound(scope)
            body = self.value(tuple(dict.fromkeys((*scope, name))), 1)
            return Reduce(self.choose("argmax", "argmin"), (name,), body)
        return self.choose(
            lambda x, y: x + y,
            lambda x, y: x - y,
            lambda x, y: x * y,
            lambda x, y: -x,
            lambda x, y: apply("max", x, y),
        )(self.whole(scope, depth - 1), self.whole(scope, depth - 1))

    def affine(self, scope: tuple[str, ...]) -> Any:
        first = self.choose(*scope)
        constant = self.random.randint(-2, 2)
        kind = self.random.randint(0, 5)
        if kind < 3:
            return Index(((self.choose(1, 2, -1), first),), constant)
        if kind == 3 and len(scope) > 1:
            second = self.choose(*(name for name in scope if name != first))
            return Index(((self.choose(1, 2), first), (self.choose(1, -1, 2), second)), constant)
        if kind == 4:
            return Index(((1, apply(self.choose("//", "%"), Index(((1, first),), constant), Number(2))),), 0)
        return Index(((1, Number(self.choose(*AXES))), (-1, first)), constant)

    def position(self, scope: tuple[str, ...], along: str) -> Any:
        """Where a tensor is read along one of its axes."""
        size = self.sizes[base_axis(along)]
        same = [name for name in scope if self.sizes[base_axis(name)] == size]
        if same and self.chance(70):
            return axis(self.choose(*same))
        index = written(self.whole(scope, 1), True)
        # A plain axis says that two axes have one size; where they have not, it must not stand here.
        if isinstance(index, Index) and len(index.terms) == 1 and index.constant == 0:
            ((coefficient, atom),) = index.terms
            if coefficient == 1 and isinstance(atom, str) and atom not in same:
                return Index(index.terms, 1)
        return index
