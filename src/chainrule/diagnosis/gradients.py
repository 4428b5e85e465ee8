"""Derived gradients against finite differences of the cost, in float64.

The cost is moved along one element at a time, by steps that halve, and the central differences are
extrapolated (Richardson 1911; the table of Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982).  Long steps
err by the curvature of the cost, short ones by rounding; the entry whose neighbours agree best is taken, and by how
much they disagree says how well it is known.  At a kink (a rectifier at 0, the two largest of a maximum alike) the
slopes to either side differ however short the step: there no derivative is wrong that lies between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import Examined, Finding
from chainrule.diagnosis.subject import Subject
from chainrule.training.programs import program
from chainrule.walk.walk import on_rows

Array = NDArray[Any]

ROWS = 8  # the derivative of a mean over rows is right for any number of them
EVALUATIONS = 3000  # of the cost, in all
FEWEST, MOST = 4, 24  # elements of a parameter: half those with the largest derivatives, half at random
FIRST_STEPS = (1e-3, 6e-5, 4e-6)  # of the element's size, at least of 1
HALVINGS = 5  # each sequence ends about where the next one begins, the last where rounding leaves four digits
KNOWN = 1e-3  # a slope that is known less well says nothing
NOTHING = 1e-12  # a slope that is 0 is known to be so
CLOSE = 1e-7  # known so well, it needs no shorter steps
# Float64 leaves about nine digits of a difference; derivations that are wrong are wrong in the first.
TOLERANCE = 1e-5
# Neighbours in the table that agree by chance make a value look better known than it is.
UNSURE = 10
# Derivatives so much smaller than the largest one drown in the rounding of the cost.
FLOOR = 1e-7


@dataclass(frozen=True)
class Comparison:
    """One element: the derived value, the numeric one, how well that is known, and the slopes to either side."""

    tensor: str
    position: tuple[int, ...]
    derived: float
    numeric: float
    known_to: float
    kink: bool

    @property
    def known(self) -> bool:
        """Whether the numeric value says anything."""
        return not self.kink and self.known_to <= KNOWN * (abs(self.numeric) + abs(self.derived)) + NOTHING

    def error(self, floor: float) -> float:
        """The relative difference."""
        if not np.isfinite(self.derived):
            return np.inf
        return abs(self.derived - self.numeric) / (abs(self.derived) + abs(self.numeric) + floor)

    def wrong(self, floor: float) -> bool:
        """Whether the difference is more than the numeric value's uncertainty accounts for."""
        beyond = not abs(self.derived - self.numeric) <= UNSURE * self.known_to
        return self.error(floor) > TOLERANCE and beyond


def gradients(subject: Subject) -> Examined:
    """Every parameter's derived gradient against finite differences of the cost."""
    name = "gradients"
    step = subject.step
    names = [tensor.name for tensor in step.parameters]
    rows = subject.take(np.arange(min(ROWS, subject.count)))
    derived = subject.walk(rows, subject.parameters).values
    cost = cost_of(subject, rows)
    elements = int(np.clip(EVALUATIONS // (len(names) * 2 * HALVINGS), FEWEST, MOST))
    generator = np.random.default_rng(0)
    largest = max(
        (float(np.max(np.abs(derived[step.gradients[n]]), initial=0, where=np.isfinite(derived[step.gradients[n]])))
         for n in names),
        default=0.0,
    )  # fmt: skip
    floor = FLOOR * largest + 1e-12
    compared = left_out = 0
    worst: tuple[float, str] = (0.0, "")
    findings = []
    for parameter in names:
        gradient = derived[step.gradients[parameter]]
        found = [
            compare(cost, subject.parameters, parameter, at, float(gradient[at]))
            for at in chosen(gradient, elements, generator)
        ]
        compared += len(found)
        left_out += sum(not one.known for one in found)
        smooth = sorted((one for one in found if one.known), key=lambda one: (one.wrong(floor), one.error(floor)))
        if smooth:
            one = smooth[-1]
            worst = max(worst, (one.error(floor), place(one)))
            findings += [_wrong(one, one.error(floor))] if one.wrong(floor) else []
    said = f"{compared} elements of {len(names)} parameters against finite differences"
    said += f"; largest relative error {worst[0]:.1e}" + (f" at {worst[1]}" if worst[1] else "")
    return Examined(
        name, said + (f"; {left_out} left out, at kinks or 0 but for rounding" if left_out else ""), tuple(findings)
    )


def _wrong(one: Comparison, error: float) -> Finding:
    return Finding(
        "wrong-gradient",
        one.tensor,
        "error",
        f"{place(one)}: derived {one.derived:.8g}, finite differences {one.numeric:.8g} (known to ±{one.known_to:.1g}),"
        f" relative error {error:.2g}.",
        "Report this with the equations: a derivation that is wrong is a fault of chainrule. "
        "chainrule derive MODEL shows each of its steps.",
        {"derived": one.derived, "numeric": one.numeric, "relative_error": error, "known_to": one.known_to},
    )


def place(one: Comparison) -> str:
    """The element's derivative as it is written."""
    return f"∂{one.tensor}" + (f"[{','.join(map(str, one.position))}]" if one.position else "")


def cost_of(subject: Subject, rows: Mapping[str, Array]) -> Callable[[Mapping[str, Array]], float]:
    """The cost on these rows as a function of the parameters."""
    step = subject.step
    system = on_rows(step, subject.trained_rows).subset({step.cost})
    compiled = program(system, (step.cost,), "float64")
    held = {tensor.name for tensor in system.inputs if tensor.role in ("parameter", "state")}
    data = {name: np.asarray(value) for name, value in {**rows, **step.constants}.items() if name not in held}
    data = {name: value for name, value in data.items() if name in system.input_by_name}

    def cost(parameters: Mapping[str, Array]) -> float:
        state = {name: parameters[name] for name in held if name in parameters}
        return float(compiled.run(data, state, seed=subject.seed)[step.cost])

    return cost


def chosen(gradient: Array, elements: int, generator: np.random.Generator) -> list[tuple[int, ...]]:
    """The positions compared: half where the derivative is largest, half at random."""
    sizes = np.abs(np.nan_to_num(gradient, nan=np.inf)).ravel()
    if sizes.size <= elements:
        flat = np.arange(sizes.size)
    else:
        largest = np.argpartition(sizes, -(elements // 2))[-(elements // 2) :]
        others = generator.choice(sizes.size, elements - len(largest), replace=False)
        flat = np.unique(np.concatenate([largest, others]))
    return [tuple(int(i) for i in np.unravel_index(at, gradient.shape)) for at in flat]


def compare(
    cost: Callable[[Mapping[str, Array]], float],
    parameters: Mapping[str, Array],
    name: str,
    position: tuple[int, ...],
    derived: float,
) -> Comparison:
    """One element of a gradient against finite differences, from ever shorter steps on until they agree.

    Steps that reach over a kink nearby tell nothing of the slope here; shorter ones do.
    """
    values = np.array(parameters[name], dtype=np.float64)
    size = max(1.0, abs(float(values[position])))

    def along(distance: float) -> float:
        moved = values.copy()
        moved[position] += distance
        return cost({**parameters, name: moved})

    here = along(0.0)
    for first in FIRST_STEPS:
        numeric, known_to, slopes = extrapolated(along, here, first * size)
        known = known_to <= KNOWN * (abs(numeric) + abs(derived))
        if known and abs(derived - numeric) <= UNSURE * known_to + TOLERANCE * abs(derived):
            return Comparison(name, position, derived, numeric, known_to, False)
    forward, backward = slopes
    apart = abs(forward - backward) > KNOWN * (abs(forward) + abs(backward))
    between = min(slopes) - known_to <= derived <= max(slopes) + known_to
    return Comparison(name, position, derived, numeric, known_to, bool(apart and between))


def extrapolated(
    along: Callable[[float], float], here: float, first: float
) -> tuple[float, float, tuple[float, float]]:
    """The slope of a cost, how well it is known, and the slopes to either side over the shortest step."""
    best, known_to = np.nan, np.inf
    table: list[float] = []
    slopes = (np.nan, np.nan)
    for halving in range(HALVINGS):
        step = first / 2**halving
        ahead, behind = along(step), along(-step)
        slopes = ((ahead - here) / step, (here - behind) / step)
        rounding = 8 * np.finfo(float).eps * max(abs(ahead), abs(behind)) / step
        row = [(ahead - behind) / (2 * step)]
        for order, before in enumerate(table, start=1):
            row.append(row[-1] + (row[-1] - before) / (4**order - 1))
            apart = max(abs(row[-1] - row[-2]), abs(row[-1] - before)) + rounding
            if apart < known_to:
                best, known_to = row[-1], apart
        table = row
        if known_to <= CLOSE * abs(best):
            break
    return best, known_to, slopes
