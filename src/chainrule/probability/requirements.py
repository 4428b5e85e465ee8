"""What a posterior will need of memory and time, known before it is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np

from chainrule.calculus.curvature import DIRECTIONS, ROWS, KroneckerFactors, kronecker
from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.probability.gauss_newton import WHOLE, Linearized

CHEAPER = {"full": ("kronecker", "last_layer", "diagonal"), "kronecker": ("last_layer", "diagonal")}
BYTES = 8
COPIES = 4  # of a matrix while it is decomposed: itself, its eigenvectors and what LAPACK works with
BLOCK = 2**24  # numbers that are computed of a block of rows
TIMED_FROM = 1e10  # multiplications; what needs fewer takes a few seconds at most
DECOMPOSED = 256  # rows of the matrix whose decomposition is timed


@dataclass(frozen=True)
class Requirements:
    """The memory in bytes, and the time in seconds (None: a few seconds at most), of a posterior of so many
    parameters from so many rows with so many outputs.
    """

    structure: str
    parameters: int
    rows: int
    outputs: int
    memory: int
    seconds: float | None = None

    def __str__(self) -> str:
        time = "a few seconds at most" if self.seconds is None else f"about {_duration(self.seconds)}"
        return (
            f"{self.structure} curvature of {self.parameters:,} parameters from {self.rows:,} rows of "
            f"{self.outputs:,} output{'s' if self.outputs != 1 else ''}: {in_bytes(self.memory)} of memory, {time}"
        )


def rows_per_block(network: Linearized, structure: str) -> int:
    """How many rows are computed at a time."""
    return max(1, min(8192, BLOCK // _numbers_of_a_row(network, structure)))


def memory(network: Linearized, structure: str, rows: int) -> int:
    """The bytes that a posterior of this structure needs at the most."""
    count = network.numbers
    of_rows = min(rows, rows_per_block(network, structure)) * _numbers_of_a_row(network, structure)
    kept = {
        "full": COPIES * count * count,
        "last_layer": COPIES * count * count,
        "diagonal": 2 * count,
        "kronecker": _kronecker_numbers(network) if structure == "kronecker" else 0,
    }
    return BYTES * (kept[structure] + of_rows)


def check_memory(networks: Callable[[str], Linearized], structure: str, rows: int, limit: int | None) -> None:
    """Raise ChainruleError, naming a structure that would fit, where this one does not fit into ``limit`` bytes, or
    into the memory available.
    """
    most = available_memory() if limit is None else limit
    needed = memory(networks(structure), structure, rows)
    if most is None or needed <= most:
        return
    costs = {other: memory(networks(other), other, rows) for other in CHEAPER.get(structure, ())}
    fits = next((other for other, cost in costs.items() if cost <= most), None)
    remedy = (
        f'structure="{fits}" needs {in_bytes(costs[fits])}' if fits else "no structure needs little enough: fewer rows"
    )
    there = "available" if limit is None else "what memory_limit allows"
    raise ChainruleError(
        f"the {structure} curvature of {networks(structure).numbers:,} parameters needs {in_bytes(needed)} of memory, "
        f"and {in_bytes(most)} is {there}; {remedy}"
    )


def estimated_seconds(
    network: Linearized, structure: str, rows: int, one_block: Callable[[int], object]
) -> float | None:
    """The time that the curvature of so many rows will take, from that of some of them, and of decomposing it; None
    where it is so little that measuring would take as long.

    ``one_block``: computes the curvature of so many rows.
    """
    sides = _sides(network, structure)
    work = rows * network.outputs * sum(side**2 for side in sides) + 10 * sum(side**3 for side in sides)
    work += rows * network.outputs * _numbers_of_a_row(network, structure)
    if work < TIMED_FROM:
        return None
    some = min(rows, 64, rows_per_block(network, structure))
    one_block(some)  # compiled here, so that it is not measured
    start = perf_counter()
    one_block(some)
    of_rows = (perf_counter() - start) * rows / some
    matrix = np.cov(np.random.default_rng(0).standard_normal((DECOMPOSED, 2 * DECOMPOSED)))
    np.linalg.eigh(matrix)  # the first one loads LAPACK
    start = perf_counter()
    np.linalg.eigh(matrix)
    return of_rows + (perf_counter() - start) * sum(side**3 for side in sides) / DECOMPOSED**3


def available_memory() -> int | None:
    """The bytes of memory that are free to be used; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def in_bytes(count: float) -> str:
    """A number of bytes to be read: ``3.7 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _numbers_of_a_row(network: Linearized, structure: str) -> int:
    """The numbers that are computed of one row: everything forward and, for each output, backward."""
    system, own = network.gradients.system, set(network.gradients.gradients.values())
    sizes = {DIRECTIONS: network.outputs, ROWS: 1}
    sizes = {**{axis: 1 for axis in system.axes}, **solve_sizes(system, {}, partial=True), **sizes}
    held = structure in ("full", "last_layer")
    equations = [e for e in system.equations if held or e.name not in own]
    passing = sum(prod(sizes[axis] for axis in equation.axes) for equation in equations)
    return passing + (network.outputs * network.numbers if held else 0)  # once more, side by side


def _sides(network: Linearized, structure: str) -> Iterable[int]:
    """The sides of the matrices that are decomposed."""
    if structure == "diagonal":
        return ()
    if structure != "kronecker":
        return (network.numbers,)
    sides: list[int] = []
    for name, form in kronecker(network.gradients, WHOLE)[1].items():
        shape = network.shapes[name]
        if isinstance(form, KroneckerFactors):
            sides += [prod(shape[axis] for axis in part) for part in (form.left, form.right)]
        elif form is not None:
            sides.append(prod(shape))
    return sides


def _kronecker_numbers(network: Linearized) -> int:
    return 2 * network.numbers + COPIES * sum(side**2 for side in _sides(network, "kronecker"))
