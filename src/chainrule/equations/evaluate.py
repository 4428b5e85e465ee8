"""The reference evaluator: slow, obvious, float64.  Every other way of computing is compared with this one.

An expression is evaluated for all values of its axes at once: each axis in scope is one dimension of every array,
of length 1 where the expression does not depend on it.  Nothing is contracted, reordered or fused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from math import erf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.equations.functions import COMPARISONS, FUNCTIONS
from chainrule.equations.kinds import kinds
from chainrule.equations.node import Access, Apply, Equation, Expression, Index, Number, Reduce
from chainrule.equations.order import order
from chainrule.equations.philox import random_values
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.errors import ChainruleError

Array = NDArray[Any]


def evaluate(system: System, values: Mapping[str, ArrayLike], *, seed: int = 0, step: int = 0) -> dict[str, Array]:
    """The value of every tensor of the system, inputs included, in float64 (int64 for integers).

    ``values``: for each data, integer, parameter and state input an array with its axes in order.  A state that is
    not given has its declared start; random inputs that are not given are drawn from (seed, step, name).
    Raises ChainruleError where an input is missing or sizes conflict.
    """
    given = {name: np.asarray(value) for name, value in values.items()}
    sizes = solve_sizes(system, {name: value.shape for name, value in given.items()})
    tensors: dict[str, Array] = {}
    for tensor in system.inputs:
        shape = tuple(sizes[axis] for axis in tensor.axes)
        if tensor.name in given:
            kind = np.int64 if tensor.role == "integer" else np.float64
            if tensor.role == "integer" and given[tensor.name].dtype.kind not in "iub":
                raise ChainruleError(f"{tensor.name} must be whole numbers, not {given[tensor.name].dtype}")
            tensors[tensor.name] = given[tensor.name].astype(kind)
        elif tensor.role == "random":
            assert tensor.distribution is not None
            tensors[tensor.name] = random_values(tensor.distribution, seed, step, tensor.name, shape)
        elif tensor.role == "state" and tensor.value is not None:
            tensors[tensor.name] = np.full(shape, tensor.value, dtype=np.float64)
        else:
            raise ChainruleError(f"no values given for {tensor}")
    kind_of = kinds(system)
    dtypes = {"integer": np.int64, "real": np.float64}
    with np.errstate(all="ignore"):
        for block in order(system):
            if block.axis is None:
                (equation,) = block.equations
                tensors[equation.name] = _values(equation, tensors, sizes).astype(dtypes[kind_of[equation.name]])
                continue
            for equation in block.equations:
                shape = tuple(sizes[axis] for axis in equation.axes)
                tensors[equation.name] = np.zeros(shape, dtypes[kind_of[equation.name]])
            steps = range(sizes[block.axis])[:: block.direction]
            for now, equation in itertools.product(steps, block.equations):
                at = equation.axes.index(block.axis)
                tensors[equation.name][(slice(None),) * at + (now,)] = _values(
                    equation, tensors, sizes, {block.axis: now}
                )
    return tensors


def _values(
    equation: Equation, tensors: Mapping[str, Array], sizes: Mapping[str, int], fixed: Mapping[str, int] | None = None
) -> Array:
    """The values of an equation, with the dimensions of ``fixed`` axes left out."""
    fixed = dict(fixed or {})
    axes = tuple(axis for axis in equation.axes if axis not in fixed)
    array = _Evaluator(tensors, sizes, fixed).value(equation.expression, axes)
    return np.broadcast_to(array, [sizes[axis] for axis in axes]).copy()


def values_at(
    expression: Expression,
    axes: tuple[str, ...],
    at: Mapping[str, int],
    tensors: Mapping[str, Array],
    sizes: Mapping[str, int],
) -> Array:
    """The values of a part of an equation over ``axes``, the other axes it depends on being ``at`` their values."""
    found = _Evaluator(tensors, sizes, at).value(expression, axes)
    return np.broadcast_to(found, [sizes[axis] for axis in axes]).copy()


class _Evaluator:
    def __init__(self, tensors: Mapping[str, Array], sizes: Mapping[str, int], fixed: Mapping[str, int]) -> None:
        self.tensors = tensors
        self.sizes = sizes
        self.fixed = fixed

    def value(self, node: Any, axes: tuple[str, ...]) -> Array:
        """The node for all values of ``axes``: an array with one dimension for each of them."""
        match node:
            case Number(str(name)):
                return np.asarray(self.sizes[name])
            case Number(value):
                return np.asarray(value)
            case Index():
                return self.index(node, axes)
            case Access(tensor, indices):
                return self.read(self.tensors[tensor], [self.value(index, axes) for index in indices])
            case Reduce():
                return self.reduce(node, axes)
            case Apply("*", arguments):
                return self.product(arguments, axes)
            case Apply("+", arguments):
                total = self.value(arguments[0], axes)
                for argument in arguments[1:]:
                    total = total + self.value(argument, axes)
                return total
            case Apply(function, arguments):
                result = np.asarray(numpy_function(function)(*(self.value(argument, axes) for argument in arguments)))
                return result.astype(np.int64) if function in COMPARISONS else result
        raise TypeError(node)

    def index(self, node: Index, axes: tuple[str, ...]) -> Array:
        total = np.asarray(node.constant)
        for coefficient, atom in node.terms:
            if not isinstance(atom, str):
                term = self.value(atom, axes)
            elif atom in axes:
                shape = [self.sizes[axis] if axis == atom else 1 for axis in axes]
                term = np.arange(self.sizes[atom]).reshape(shape)
            else:
                term = np.asarray(self.fixed[atom])
            total = total + coefficient * term
        return total

    def read(self, tensor: Array, indices: list[Array]) -> Array:
        """Zero outside."""
        if not indices:
            return tensor
        if 0 in tensor.shape:
            return np.zeros(np.broadcast_shapes(*(index.shape for index in indices)))
        indices = [index.astype(np.int64) for index in np.broadcast_arrays(*indices)]
        inside = np.ones(indices[0].shape, dtype=bool)
        for index, size in zip(indices, tensor.shape, strict=True):
            inside &= (index >= 0) & (index < size)
        clipped = tuple(np.clip(index, 0, size - 1) for index, size in zip(indices, tensor.shape, strict=True))
        return np.where(inside, tensor[clipped], 0)

    def product(self, arguments: tuple[Any, ...], axes: tuple[str, ...]) -> Array:
        """A bracket that is 0 is strongly 0: what it multiplies need not be defined there (Iverson, Knuth 1992)."""
        total: Array = np.asarray(1)
        holds: Array = np.asarray(True)
        for argument in arguments:
            value = self.value(argument, axes)
            if isinstance(argument, Apply) and argument.function in COMPARISONS:
                holds = holds & (value != 0)
            else:
                total = total * value
        return np.where(holds, total, 0)

    def reduce(self, node: Reduce, axes: tuple[str, ...]) -> Array:
        # A bound axis may have the name of one outside, which it then hides.
        outer = tuple(axis if axis not in node.axes else f"({axis})" for axis in axes)
        inner = (*outer, *node.axes)
        evaluator = self
        if outer != axes:
            hidden = {f"({axis})": self.sizes[axis] for axis in node.axes}
            evaluator = _Evaluator(self.tensors, {**self.sizes, **hidden}, self.fixed)
        if any(axis in self.fixed for axis in node.axes):
            kept = {name: value for name, value in self.fixed.items() if name not in node.axes}
            evaluator = _Evaluator(self.tensors, evaluator.sizes, kept)
        body = evaluator.value(node.body, inner)
        # Axes on which the body does not depend still count in a sum; the others are reduced at their own length.
        shape = [*np.broadcast_shapes(body.shape, (1,) * len(inner))[: len(outer)], *(self.sizes[a] for a in node.axes)]
        body = np.broadcast_to(body, shape)
        over = tuple(range(len(outer), len(inner)))
        match node.operation:
            case "sum":
                return np.asarray(body.sum(axis=over))
            case "max":
                return np.asarray(body.max(axis=over))
            case "min":
                return np.asarray(body.min(axis=over))
            case "argmax":
                return np.asarray(body.argmax(axis=over[0]))
            case "argmin":
                return np.asarray(body.argmin(axis=over[0]))
        highest = body.max(axis=over, keepdims=True)
        highest = np.where(np.isfinite(highest), highest, 0)
        return np.asarray(np.log(np.exp(body - highest).sum(axis=over)) + highest.reshape(shape[: len(outer)]))


@cache
def numpy_function(name: str) -> Callable[..., Array]:
    """The function of the catalogue's NumPy form."""
    row = FUNCTIONS[name]
    letters = ["x", "y", "w"][: 2 if row.arity is None else row.arity]
    source = f"lambda {', '.join(letters)}: {row.numpy.format(*letters)}"
    made = eval(source, {"np": np, "erf": _erf})  # the catalogue's own text, never the user's
    if name in ("^", "/"):
        return lambda x, y: made(np.asarray(x, dtype=np.float64), y)
    return made  # type: ignore[no-any-return]


def _erf(x: Array) -> Array:
    return np.vectorize(erf, otypes=[np.float64])(x)  # type: ignore[no-any-return]
