"""Programs of the NumPy backend: code written for the sizes that come, kept, and run for many steps."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.backends.facts import Place, Range
from chainrule.backends.inputs import check_request, read, safe_reads, sizes_of
from chainrule.backends.numpy import helpers
from chainrule.backends.numpy.module import HELPERS, Module, write_module
from chainrule.backends.passes import prepared
from chainrule.equations.node import base_axis
from chainrule.equations.philox import random_values
from chainrule.equations.system import System

Array = NDArray[Any]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]

_numbers = count(1)


def compile(system: System, outputs: tuple[str, ...], dtype: DTypeLike) -> NumpyProgram:
    """See ``chainrule.backends.compile``."""
    return NumpyProgram(system, outputs, check_request(system, outputs, dtype))


@dataclass(frozen=True)
class Variant:
    """Code that is right for some sizes and some data: see ``NumpyProgram``."""

    module: Module
    sizes: Mapping[str, int]
    prepare: Callable[..., Any] | None
    step: Callable[..., Any]


class NumpyProgram:
    """A system compiled to NumPy code.

    The code depends on which inputs change from step to step, on the sizes of some axes, and on whether positions
    in the data are all inside the tensors read at them; it is written when a run first asks for it, and kept.
    """

    def __init__(self, system: System, outputs: tuple[str, ...], dtype: np.dtype[Any]) -> None:
        self.system = system
        self.outputs = outputs
        self.dtype = dtype
        self._ready: dict[frozenset[str], System] = {}
        self._known_sizes: dict[Shapes, Mapping[str, int]] = {}
        self._exact: dict[Any, Variant] = {}
        self._similar: dict[Any, list[Variant]] = {}
        self._last: Variant | None = None

    @property
    def source(self) -> str:
        """The code of ``step`` and ``prepare``: that of the last run, or, before any, for the sizes declared.

        Raises ChainruleError before the first run where the code depends on a size that is not declared.
        """
        variant = self._last or self.variant({}, frozenset())
        return variant.module.source

    def variant(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        stepped: frozenset[str],
        given: frozenset[str] = frozenset(),
        integers: Mapping[str, Range] | None = None,
    ) -> Variant:
        """The code for inputs of these shapes.

        ``stepped``: inputs that change from step to step; ``given``: random inputs that are given, not drawn;
        ``integers``: the least and greatest values of integer inputs (inside, where they are not given).
        """
        system = self._prepared(given)
        key = tuple(sorted(shapes.items()))
        if key not in self._known_sizes:
            self._known_sizes[key] = sizes_of(self.system, shapes)
        sizes = self._known_sizes[key]
        safe = safe_reads(system, sizes, integers)
        exact = (stepped, given, key, tuple(safe.values()))
        if exact not in self._exact:
            self._exact[exact] = self._similar_variant(system, sizes, stepped, given, safe)
        return self._exact[exact]

    def _similar_variant(
        self,
        system: System,
        sizes: Mapping[str, int],
        stepped: frozenset[str],
        given: frozenset[str],
        safe: Mapping[Place, bool],
    ) -> Variant:
        """Code that exists and serves these sizes too, else new code."""
        similar = self._similar.setdefault((stepped, given, tuple(safe.values())), [])
        for variant in similar:
            if all(sizes.get(name) == variant.sizes.get(name) for name in variant.module.fixed):
                return replace(variant, sizes=sizes)
        module = write_module(system, self.outputs, sizes, stepped, f"np.{self.dtype.name}", safe, self.system)
        variant = _load(module, sizes)
        similar.append(variant)
        return variant

    def run(
        self,
        values: Mapping[str, ArrayLike],
        state: dict[str, Any],
        steps: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
        first_step: int = 0,
    ) -> dict[str, Array]:
        """See ``Program.run``."""
        given = read(self.system, self._prepared(frozenset()), self.dtype, values, state, steps)
        variant = self.variant(given.shapes, frozenset(given.moving), given.drawn, given.integers)
        self._last = variant
        fixed = given.fixed
        for tensor in given.starting:
            shape = tuple(self._size(variant, axis) for axis in tensor.axes)
            fixed[tensor.name] = np.full(shape, tensor.value, self.dtype)
        for name in self.system.updates:
            fixed[name] = np.array(fixed[name])
        with np.errstate(all="ignore"):
            results = self._loop(variant, fixed, given.moving, given.steps, seed, first_step, bool(steps))
        for name in self.system.updates:
            state[name] = fixed[name]
        return results

    def bind(self, state: Mapping[str, ArrayLike]) -> Callable[[Mapping[str, ArrayLike]], dict[str, Array]]:
        """See ``Program.bind``."""
        kept = {name: np.array(value, self.dtype) for name, value in state.items()}
        return lambda values: self.run(values, dict(kept))

    def _loop(
        self,
        variant: Variant,
        fixed: Mapping[str, Array],
        moving: Mapping[str, Array],
        number_of_steps: int,
        seed: int,
        first_step: int,
        stacked: bool,
    ) -> dict[str, Array]:
        module = variant.module
        names: dict[str, Any] = {shown: variant.sizes[axis] for shown, axis in module.sizes.items()}
        names.update((module.variables[name], value) for name, value in fixed.items() if name in module.variables)
        names["seed"] = seed
        if variant.prepare is not None:
            lasting = variant.prepare(*(names[name] for name in module.prepare_arguments))
            names.update(zip(module.prepared, lasting, strict=True))
        arguments = [names.get(name) for name in module.step_arguments]
        shown: dict[str, Any] = {
            module.variables[name]: value for name, value in moving.items() if name in module.variables
        }
        shown["number"] = range(first_step, first_step + number_of_steps)
        changing = [(place, shown[name]) for place, name in enumerate(module.step_arguments) if name in shown]
        outputs = [
            np.empty((number_of_steps, *(self._size(variant, axis) for axis in self.system.tensor_axes[name])), kind)
            for name, kind in zip(self.outputs, self._kinds(), strict=True)
        ]
        # What a step replaces is shown as it was before.
        replaced = [(at, fixed[name]) for at, name in enumerate(self.outputs) if name in self.system.updates]
        step = variant.step
        for number in range(number_of_steps):
            for place, values in changing:
                arguments[place] = values[number]
            before = [(at, value.copy()) for at, value in replaced]
            for output, value in zip(outputs, step(*arguments) or (), strict=True):
                output[number] = value
            for at, value in before:
                outputs[at][number] = value
        return {name: output if stacked else output[0] for name, output in zip(self.outputs, outputs, strict=True)}

    def _size(self, variant: Variant, axis: str) -> int:
        sizes = variant.sizes
        return sizes[axis] if axis in sizes else sizes[base_axis(axis)]

    def _kinds(self) -> list[np.dtype[Any]]:
        from chainrule.equations.kinds import kinds

        found = kinds(self.system)
        return [np.dtype(np.int64) if found[name] == "integer" else self.dtype for name in self.outputs]

    def _prepared(self, given: frozenset[str]) -> System:
        if given not in self._ready:
            system = prepared(self.system, self.outputs)
            inputs = tuple(replace(t, role="data", distribution=None) if t.name in given else t for t in system.inputs)
            self._ready[given] = System(system.equations, inputs, system.sizes, system.sources)
        return self._ready[given]


def _load(module: Module, sizes: Mapping[str, int]) -> Variant:
    """The functions, with their source where tracebacks and debuggers find it."""
    file = f"<chainrule numpy {next(_numbers)}>"
    namespace: dict[str, Any] = {"np": np, "random_values": random_values}
    namespace.update((name, getattr(helpers, name)) for name in HELPERS if hasattr(helpers, name))
    linecache.cache[file] = (len(module.source), None, module.source.splitlines(keepends=True), file)
    exec(builtin_compile(module.source, file), namespace)
    return Variant(module, sizes, namespace.get("prepare"), namespace["step"])


@lru_cache(maxsize=256)
def builtin_compile(source: str, file: str) -> Any:
    """Python's own compile, whose name this module gives to something else."""
    import builtins

    return builtins.compile(source, file, "exec")
