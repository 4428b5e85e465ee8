"""What each input contributes to an output, so that the contributions add up to it: integrated gradients.

    f(x) − f(x⁰) = Σᵢ (xᵢ − x⁰ᵢ) ∫₀¹ ∂f/∂xᵢ (x⁰ + s (x − x⁰)) ds

(Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", 2017, eq. 1 and proposition 1.)  The gradient is
the derived one, in float64; the integral is taken by Gauss–Legendre nodes on pieces of the path.  A piece on which the
sum of contributions differs from f's own difference (a kink of ReLU lies in it) is halved, the worst ones first, until
all of them agree or the work allowed is done.  What then remains is ``residual``, and is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.reverse import derive
from chainrule.equations.compose import instantiate
from chainrule.equations.node import Access
from chainrule.equations.parse import parse
from chainrule.equations.system import Input, System
from chainrule.equations.walk import occurrences, tensors
from chainrule.estimators.summary import multiply_adds, rows_at_once, sizes_for_one_row
from chainrule.training.programs import program
from chainrule.training.step import TrainingStep

Array = NDArray[Any]

# The output explained, by a vector u that picks it out; C is what is derived, the rows being independent of each other.
EXPLAINED = """
data a[b,k], u[k]
f[b] = sum[k](a[b,k]*u[k])
C = sum[b](f[b])
"""
VALUE, COST, PICK = "explained.f", "explained.C", "explained.u"

NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)
FIRST_PIECES = 8
TOLERANCE = 1e-9  # of a piece, as a share of the output's range
MOST_WORK = 1.2e10  # multiplications and additions of a path
FEWEST_POINTS, MOST_POINTS = 400, 30_000


@dataclass(frozen=True, eq=False)
class Attribution:
    """``parts``: the contribution of each input, with the axes of one row; ``start``: the output at the start of the
    path, ``value``: at its end.  ``points``: where on the path the gradient was evaluated, how often.
    """

    start: float
    value: float
    parts: Array
    points: int

    @property
    def residual(self) -> float:
        """What start and contributions leave of the output."""
        return float(self.value - self.start - self.parts.sum())


@dataclass(frozen=True)
class Explained:
    """The systems of an explanation.  ``tensor``: where the path runs, x or the embedding of its symbols; ``axes``: its
    axes, that of the rows and, where each network of an ensemble has an embedding of its own, that of the networks.
    """

    tensor: str
    gradient: str
    system: System
    before: System | None

    @property
    def axes(self) -> tuple[str, ...]:
        return self.system.input_by_name[self.tensor].axes

    def of_rows(self, values: Array) -> Array:
        """Values of the tensor with the rows first: [b, …]."""
        return np.moveaxis(values, self.axes.index("b"), 0)


def can_explain(step: TrainingStep) -> bool:
    """Whether the prediction is a row of numbers and its input, or one embedding of it, is real."""
    return len(step.prediction.axes) == 2 and _path_tensor(step.prediction_system) is not None


def attribute(model: Any, encoded: Mapping[str, Array], unit: int, start: Array | None = None) -> Attribution:
    """The contributions of one row's inputs to output ``unit`` of the prediction.

    ``encoded``: what the network reads of that row, [1, …]; ``start``: the beginning of the path, with the axes of one
    row of what it runs through (0, the mean of scaled inputs, by default).  Of an ensemble, what is explained is the
    mean over its networks, which it predicts.
    """
    step = model.specification_.trained
    along = model.specification_.along
    explained = _explained(step.prediction_system, step.prediction.name, along)
    given = {name: np.asarray(value) for name, value in encoded.items()}
    state = dict(model.parameters_)
    if explained.before is not None:
        read = program(explained.before, (explained.tensor,), "float64", model.backend).run(given, dict(state))
        given[explained.tensor] = np.asarray(read[explained.tensor], dtype=np.float64)
    end = explained.of_rows(given[explained.tensor])[0]
    path = _Path(model, explained, given, np.zeros_like(end) if start is None else start, end, unit)
    found = path.integrated()
    return replace(found, parts=found.parts.sum(axis=0)) if along in explained.axes else found


@lru_cache(maxsize=32)
def _explained(system: System, prediction: str, along: str | None) -> Explained:
    tensor = _path_tensor(system, along)
    assert tensor is not None
    rest, before = system, None
    if tensor != "x":
        before = system.subset({tensor})
        kept = tuple(equation for equation in system.equations if equation.name != tensor)
        rest = replace(
            system, equations=kept, inputs=(*system.inputs, Input(tensor, system.tensor_axes[tensor], "data"))
        )
    names = {"a": prediction, "u": PICK, "f": VALUE, "C": COST}
    last = instantiate(parse(EXPLAINED, "explained"), names, {"k": system.tensor_axes[prediction][1:]})
    picked = tuple(given for given in last.inputs if given.name == PICK)
    whole = rest.extended(last.equations, picked)
    log = derive(whole.subset({VALUE, COST}), COST, [tensor])
    return Explained(tensor, log.gradients[tensor], log.system, before)


def _path_tensor(system: System, along: str | None = None) -> str | None:
    """x where it is real; where it is symbols, the one tensor that is looked up by them; None if there are several.

    Each network along the axis ``along`` may look it up in an embedding of its own.
    """
    if system.input_by_name["x"].role == "data":
        return "x"
    reads = [equation for equation in system.equations if "x" in tensors(equation)]
    if len(reads) != 1:
        return None
    direct = any(isinstance(node, Access) and node.tensor == "x" for _, node, _ in occurrences(reads[0].expression))
    return reads[0].name if direct and sum(axis != along for axis in reads[0].axes) == 3 else None


class _Path:
    """The straight line from ``start`` to ``end``, and the output on it."""

    def __init__(
        self, model: Any, explained: Explained, given: Mapping[str, Array], start: Array, end: Array, unit: int
    ):
        self.start, self.step, self.explained = start, end - start, explained
        wanted = (VALUE, explained.gradient)
        self.bound = program(explained.system, wanted, "float64", model.backend).bind(dict(model.parameters_))
        pick = np.zeros(width(model))
        pick[unit] = 1
        reads = explained.system.input_by_name
        self.others = {name: value for name, value in given.items() if name != explained.tensor and name in reads}
        self.pick = pick
        sizes = {**sizes_for_one_row(explained.system)}
        for axis, size in zip((axis for axis in explained.axes if axis != "b"), end.shape, strict=True):
            sizes[axis] = size
        work = sum(multiply_adds(equation, sizes) for equation in explained.system.equations)
        self.most = int(np.clip(MOST_WORK / max(work, 1), FEWEST_POINTS, MOST_POINTS))
        numbers = sum(int(np.prod([sizes[a] for a in equation.axes])) for equation in explained.system.equations)
        self.at_once = max(8, min(256, rows_at_once(explained.system), 2**23 // max(numbers, 1)))
        self.points = 0

    def at(self, places: Array) -> tuple[Array, Array]:
        """The output [n] at places on the path, and its slope for each input, [n, …]."""
        values, slopes = [], []
        for first in range(0, len(places), self.at_once):
            some = places[first : first + self.at_once]
            padded = np.concatenate([some, np.zeros(self.at_once - len(some))])  # so that there is one size of code
            rows = self.start + padded.reshape(-1, *[1] * self.step.ndim) * self.step
            rows = np.moveaxis(rows, 0, self.explained.axes.index("b"))
            others = {name: np.repeat(value, len(padded), axis=0) for name, value in self.others.items()}
            found = self.bound({self.explained.tensor: rows, PICK: self.pick, **others})
            values.append(np.asarray(found[VALUE])[: len(some)])
            slopes.append(self.explained.of_rows(np.asarray(found[self.explained.gradient]))[: len(some)])
        self.points += len(places)
        return np.concatenate(values), np.concatenate(slopes)

    def integrated(self) -> Attribution:
        edges = np.linspace(0, 1, FIRST_PIECES + 1)
        ends, _ = self.at(edges)
        scale = max(float(np.ptp(ends)), 1e-12)
        total = np.zeros_like(self.step)
        left, right, low, high = edges[:-1], edges[1:], ends[:-1], ends[1:]
        while len(left):
            parts = self._contributions(left, right)
            errors = np.abs(parts.reshape(len(parts), -1).sum(axis=1) - (high - low))
            halve = errors > TOLERANCE * scale
            room = max(0, (self.most - self.points) // (1 + 2 * len(NODES)))
            if halve.sum() > room:
                halve &= errors >= np.sort(errors)[::-1][room - 1] if room else False
            total += parts[~halve].sum(axis=0)
            left, right, low, high = left[halve], right[halve], low[halve], high[halve]
            if not len(left):
                break
            middle = (left + right) / 2
            value, _ = self.at(middle)
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
            low, high = np.concatenate([low, value]), np.concatenate([value, high])
        return Attribution(float(ends[0]), float(ends[-1]), total, self.points)

    def _contributions(self, left: Array, right: Array) -> Array:
        """Each input's contribution on each piece, [n, …]."""
        half = (right - left) / 2
        places = (left + right)[:, None] / 2 + half[:, None] * NODES
        _, slopes = self.at(places.ravel())
        weighted = (WEIGHTS * half[:, None]).reshape(-1, *[1] * self.step.ndim) * slopes
        per_piece: Array = weighted.reshape(len(left), len(NODES), *self.step.shape).sum(axis=1)
        made: Array = per_piece * self.step
        return made


def width(model: Any) -> int:
    """How many numbers the prediction has."""
    step = model.specification_.step
    return sizes_for_one_row(step.prediction_system)[step.prediction.axes[1]]
