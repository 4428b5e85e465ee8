"""Hand-written systems for everything that the calculus is to derive, each with values of small, distinct sizes.

Every one ends in a scalar cost C.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.node import Access
from chainrule.equations.parse import parse_file
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.equations.walk import occurrences


@dataclass(frozen=True)
class Case:
    name: str
    sizes: dict[str, int]
    integers: dict[str, tuple[int, int]] = field(default_factory=dict)  # tensor → lowest value, highest value + 1

    @cached_property
    def system(self) -> System:
        return parse_file(Path(__file__).parent / f"{self.name}.eq")

    @cached_property
    def values(self) -> dict[str, NDArray[np.generic]]:
        generator = np.random.default_rng(zlib.crc32(self.name.encode()))
        sizes = self.all_sizes
        values: dict[str, NDArray[np.generic]] = {}
        for tensor in self.system.inputs:
            shape = tuple(sizes[axis] for axis in tensor.axes)
            if tensor.role == "integer":
                values[tensor.name] = generator.integers(*self.integers[tensor.name], shape)
            elif tensor.role != "random":
                values[tensor.name] = generator.normal(size=shape)
        return values

    @cached_property
    def all_sizes(self) -> dict[str, int]:
        """Sizes of every axis: those given, and those that follow."""
        shapes: dict[str, tuple[int, ...]] = {}
        sizes = dict(self.sizes)
        while True:
            sizes.update(solve_sizes(self.system, shapes, partial=True))
            known = {
                tensor.name: tuple(sizes[axis] for axis in tensor.axes)
                for tensor in self.system.inputs
                if all(axis in sizes for axis in tensor.axes)
            }
            if known == shapes:
                return solve_sizes(self.system, shapes)
            shapes = known

    @property
    def wrt(self) -> tuple[str, ...]:
        """Every real input that the cost may be differentiated by."""
        used = {
            node.tensor
            for equation in self.system.subset(["C"]).equations
            for _, node, _ in occurrences(equation.expression)
            if isinstance(node, Access)
        }
        return tuple(t.name for t in self.system.inputs if t.role in ("data", "parameter", "state") and t.name in used)


CASES = {
    case.name: case
    for case in (
        Case("dense", {"b": 3, "i": 4, "j": 5, "k": 2}),
        Case("softmax", {"b": 4, "i": 3, "k": 5}, {"t": (0, 5)}),
        Case("softmax_textbook", {"b": 4, "i": 3, "k": 5}),
        Case("conv1d", {"b": 2, "c": 3, "h": 7, "o": 4, "u": 3}),
        Case("conv1d_stride", {"b": 2, "c": 3, "h": 8, "o": 4, "u": 3}),
        Case("conv1d_dilation", {"b": 2, "c": 3, "h": 7, "o": 4, "u": 3}),
        Case("conv2d", {"b": 3, "c": 2, "h": 6, "w": 5, "o": 4, "u": 3, "v": 3, "k": 5}, {"t": (0, 5)}),
        Case("max_pool1d", {"b": 3, "h": 8}),
        Case("max_pool2d", {"b": 2, "c": 3, "h": 6, "w": 5}),
        Case("average_pool", {"b": 2, "c": 3, "h": 7}),
        Case("elman", {"b": 2, "t": 5, "i": 3, "k": 4, "o": 2}),
        Case("elman_backwards", {"b": 2, "t": 5, "i": 3, "k": 4, "o": 2}),
        Case("lstm", {"b": 2, "t": 4, "n": 3, "k": 3, "v": 5}, {"y": (0, 5)}),
        Case("lstm_gates", {"b": 2, "t": 4, "n": 3, "k": 5}),
        Case("embedding", {"b": 3, "t": 4, "v": 7, "d": 5, "k": 2}, {"token": (0, 7), "y": (0, 2)}),
        Case("attention", {"b": 2, "t": 4, "e": 6, "h": 3, "d": 5}),
        Case("layer_norm", {"b": 3, "i": 4, "j": 5}),
        Case("batch_norm", {"b": 5, "i": 4, "j": 3}),
        Case("ctc", {"b": 3, "t": 7, "i": 4, "k": 4, "n": 3}, {"label": (1, 4)}),
        Case("dropout", {"b": 3, "i": 4, "j": 6}),
    )
}
