"""Putting definitions to use: tensors renamed, axes replaced by other axes or by several.

A definition is a System over placeholder axes, ``a[...] = tanh(x[...])`` or ``z[b,j] = sum[...](x[b,...]*W[...,j])``.
``instantiate`` writes it for given axes.  Any axis, ``...`` or a named one, may stand for none, one or several axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chainrule.equations.node import (
    Access,
    Apply,
    Equation,
    Expression,
    Index,
    Number,
    Reduce,
    axis,
    base_axis,
    plain_axis,
)
from chainrule.equations.system import Input, System
from chainrule.equations.walk import combine
from chainrule.errors import ChainruleError

ELLIPSIS = "..."
Axes = tuple[str, ...]


def match_axes(tensor: str, declared: Axes, actual: Axes, scope: str | None = None) -> dict[str, Axes]:
    """What each declared axis stands for: ``[b,...,k]`` against ``[b,h,w,j]`` is b → b, ... → (h, w), k → j.

    Raises ChainruleError, naming the ``scope`` in which the tensor is read, where their numbers do not fit.
    """
    several = declared.index(ELLIPSIS) if ELLIPSIS in declared else len(declared)
    after = max(0, len(declared) - several - 1)
    if len(actual) == len(declared) or (ELLIPSIS in declared and len(actual) >= several + after):
        end = len(actual) - after
        found: dict[str, Axes] = {name: (actual[n],) for n, name in enumerate(declared[:several])}
        if ELLIPSIS in declared:
            found[ELLIPSIS] = actual[several:end]
        found.update((name, (actual[end + n],)) for n, name in enumerate(declared[several + 1 :]))
        return found
    where = "" if scope is None else f"{scope}: "
    raise ChainruleError(f"{where}{tensor}[{','.join(declared)}] is wanted, but {tensor}[{','.join(actual)}] is given")


def instantiate(system: System, tensors: Mapping[str, str], axes: Mapping[str, Axes]) -> System:
    """The definition with its tensors renamed and each axis replaced by the axes that it stands for.

    Axes and tensors that are not mentioned stay.  A copy ``k'`` becomes the copies of what ``k`` stands for; the size
    of several axes is the product of their sizes; a reduction over no axes is its body.
    """
    writer = _Writer(tensors, axes)
    return System(
        tuple(writer.equation(equation) for equation in system.equations),
        tuple(writer.input(tensor) for tensor in system.inputs),
        tuple(
            (name, None if size is None else writer.node(size))
            for axis_name, size in system.sizes
            for name in writer.axes((axis_name,))
        ),
    )


class _Writer:
    def __init__(self, tensors: Mapping[str, str], axes: Mapping[str, Axes]) -> None:
        self.tensors = tensors
        self.mapping = axes

    def stands_for(self, name: str) -> Axes:
        base = base_axis(name)
        return tuple(actual + name[len(base) :] for actual in self.mapping.get(base, (base,)))

    def axes(self, names: Axes) -> Axes:
        return tuple(actual for name in names for actual in self.stands_for(name))

    def equation(self, equation: Equation) -> Equation:
        name = self.tensors.get(equation.name, equation.name)
        return Equation(name, self.axes(equation.axes), self.node(equation.expression))

    def input(self, tensor: Input) -> Input:
        return replace(tensor, name=self.tensors.get(tensor.name, tensor.name), axes=self.axes(tensor.axes))

    def node(self, node: Any) -> Any:
        match node:
            case Number(str(name)):
                return product_of_sizes(self.stands_for(name))
            case Number():
                return node
            case Index():
                return self.index(node)
            case Access(tensor, indices):
                read = [part for index in indices for part in self.positions(index)]
                return Access(self.tensors.get(tensor, tensor), tuple(read))
            case Reduce(operation, names, body):
                over = self.axes(names)
                return Reduce(operation, over, self.node(body)) if over else self.node(body)
            case Apply("/", (value, Number(str(name)))) if not self.stands_for(name):
                return self.node(value)
            case Apply(function, arguments):
                return Apply(function, tuple(self.node(argument) for argument in arguments))
        raise TypeError(node)

    def positions(self, index: Expression) -> tuple[Expression, ...]:
        name = plain_axis(index)
        if name is not None:
            return tuple(axis(actual) for actual in self.stands_for(name))
        return (self.node(index),)

    def index(self, node: Index) -> Index:
        terms: list[tuple[int, Any]] = []
        for coefficient, atom in node.terms:
            if isinstance(atom, str):
                terms.extend((coefficient, axis(actual)) for actual in self.single(atom))
            elif isinstance(atom, Number):
                terms.extend((coefficient, Number(actual)) for actual in self.single(str(atom.value)))
            else:
                terms.append((coefficient, self.node(atom)))
        return combine(terms, node.constant)

    def single(self, name: str) -> Axes:
        actual = self.stands_for(name)
        if len(actual) != 1:
            raise ChainruleError(
                f"the position along {name} is used as a number; it cannot stand for {len(actual)} axes"
            )
        return actual


def product_of_sizes(axes: Axes) -> Expression:
    """How many values the axes have together."""
    if not axes:
        return Number(1)
    sizes = tuple(Number(name) for name in axes)
    return sizes[0] if len(sizes) == 1 else Apply("*", sizes)


def fresh(wanted: str, taken: set[str], alphabet: str = "jklmnopqrsuvw") -> str:
    """An axis name that is not taken: the wanted one, the letters after it, then ``j1``, ``k1``, …"""
    if wanted not in alphabet:
        alphabet = wanted
    letters = alphabet[alphabet.index(wanted) :] if len(wanted) == 1 else [wanted]
    number = 0
    while True:
        for letter in letters:
            name = f"{letter}{number or ''}"
            if name not in taken:
                return name
        number += 1
