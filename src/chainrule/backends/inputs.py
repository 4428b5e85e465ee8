"""What every backend does with what a run is given: names, types and shapes are checked, sizes are solved."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.backends.facts import Facts, Place, Range, gathers
from chainrule.equations.sizes import axis_class, axis_classes, known_size, solve_sizes
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError

Array = NDArray[Any]


def check_request(system: System, outputs: tuple[str, ...], dtype: DTypeLike) -> np.dtype[Any]:
    """The type to compute in.  Raises ChainruleError for another one, and for outputs that the system does not have."""
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ChainruleError(f"dtype is float32 or float64, not {kind}")
    for name in outputs:
        if name not in system.tensor_axes:
            near = difflib.get_close_matches(name, system.tensor_axes, 1)
            raise ChainruleError(f"the system has no {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return kind


@dataclass
class Given:
    """The arrays of a run: ``fixed`` (data, parameters and states), ``moving`` (one entry for each of ``steps``).

    ``unread``: the shapes of what is given for inputs that the code does not read, which still say how long axes are;
    ``starting``: states that are not given; ``drawn``: random inputs that are given, not drawn; ``integers``: the
    least and the greatest value of each integer input.
    """

    fixed: dict[str, Array]
    moving: dict[str, Array]
    unread: dict[str, tuple[int, ...]]
    steps: int
    starting: list[Input]
    drawn: frozenset[str]
    integers: dict[str, Range]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes within one step."""
        shapes = {**self.unread, **{name: value.shape for name, value in self.fixed.items()}}
        shapes.update((name, value.shape[1:]) for name, value in self.moving.items())
        return shapes


def read(
    system: System,
    prepared: System,
    dtype: np.dtype[Any],
    values: Mapping[str, ArrayLike],
    state: Mapping[str, Any],
    steps: Mapping[str, ArrayLike] | None,
) -> Given:
    """What is given for the inputs that are read by ``prepared``, the part of the system that is computed, as arrays.

    Raises ChainruleError where an input is missing, where integers are not whole, and where steps differ in number.
    """
    for name in steps or {}:
        if name in system.updates:
            raise ChainruleError(f"{name} has a next value; it goes from step to step by itself, not by steps")
    known = prepared.input_by_name
    unread = {n: np.shape(v) for n, v in (*values.items(), *state.items()) if n in system.input_by_name}
    unread.update((n, np.shape(v)[1:]) for n, v in (steps or {}).items() if n in system.input_by_name)
    unread = {name: shape for name, shape in unread.items() if name not in known}
    fixed = {name: as_input(known[name], dtype, v) for name, v in (*values.items(), *state.items()) if name in known}
    moving = {name: as_input(known[name], dtype, value) for name, value in (steps or {}).items() if name in known}
    lengths = {name: len(np.asarray(value)) for name, value in (steps or {}).items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ChainruleError(f"the inputs of steps are for different numbers of steps: {listed}")
    starting = [t for t in prepared.inputs if t.role != "random" and t.name not in fixed and t.name not in moving]
    for tensor in starting:
        if tensor.role != "state" or tensor.value is None:
            raise ChainruleError(f"no values given for {tensor}")
    drawn = frozenset(t.name for t in prepared.named("random") if t.name in fixed or t.name in moving)
    integers = {t.name: _range(moving.get(t.name, fixed.get(t.name))) for t in prepared.named("integer")}
    return Given(fixed, moving, unread, next(iter(lengths.values()), 1), starting, drawn, integers)


def as_input(tensor: Input, dtype: np.dtype[Any], value: ArrayLike) -> Array:
    """The value as an array of the type in which the tensor is computed with."""
    if tensor.role != "integer":
        return np.asarray(value, dtype)
    array = np.asarray(value)
    if array.dtype.kind not in "iub":
        raise ChainruleError(f"{tensor.name} must be whole numbers, not {array.dtype}")
    return array if array.dtype == np.int64 else array.astype(np.int64)


def sizes_of(system: System, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes of axes, and of the representative of each class of axes with one size."""
    sizes = solve_sizes(system, shapes, partial=True)
    for axis, representative in axis_classes(system).items():
        if axis in sizes:
            sizes.setdefault(representative, sizes[axis])
    return sizes


def safe_reads(system: System, sizes: Mapping[str, int], integers: Mapping[str, Range] | None) -> dict[Place, bool]:
    """Which reads at computed positions are inside, with the data as they are; all of them, where none are given."""
    places = gathers(system)
    if not places or integers is None:
        return dict.fromkeys(places, True)
    classes = axis_classes(system)

    def size(name: str) -> int:
        return known_size(name, sizes, classes)

    def same(one: str, other: str) -> bool:
        return axis_class(one, classes) == axis_class(other, classes)

    facts = Facts(system, size, same, integers)
    return {(node, place): facts.inside(node, place) for node, place in places}


def _range(array: Array | None) -> Range:
    if array is None or array.size == 0:
        return 0, 0
    return int(array.min()), int(array.max())
