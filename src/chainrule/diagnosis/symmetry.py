"""Weights that cannot learn: units of a layer that are copies of each other, and weights that are held at 0.

Units with the same value and the same δ on every row have the same gradient, so that a step leaves them the same: a
layer of a hundred such units is a layer of one (Goodfellow, Bengio, Courville, Deep Learning, 2016, §8.4).  Equal first
values alone do no harm where something else tells the units apart, so values and derivatives are compared, not weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import Examined, Finding
from chainrule.diagnosis.subject import Subject, scope

Array = NDArray[Any]

# Equal but for rounding, in float32 after thousands of steps.
EQUAL = 1e-6
# A layer with some units alike is a smaller layer; with half of them, its size is not what its author thought.
SHARE = 0.5


def symmetry(subject: Subject) -> Examined:
    """Units of a layer that are alike, and weights that are 0 with derivatives of 0."""
    values, gradients = subject.now.values, subject.step.gradients
    findings = []
    for tensor in subject.step.parameters:
        weights, gradient = values[tensor.name], values[gradients[tensor.name]]
        if weights.ndim >= 2 and weights.size > 1 and not weights.any() and not gradient.any():
            findings.append(_held_at_zero(tensor.name, weights.size))
    layers = 0
    adjoints = subject.step.log.adjoints
    hidden = [one for one in subject.layers if one.name != subject.step.output.name]
    for equation in hidden:
        if len(equation.axes) < 2 or equation.name not in adjoints:
            continue
        layers += 1
        units = by_unit(values[equation.name])
        alike = copies(np.vstack([_scaled(units), _scaled(by_unit(values[adjoints[equation.name]]))]))
        if units.shape[1] > 1 and alike > SHARE * units.shape[1]:
            findings.append(_alike(scope(equation.name), alike, units.shape[1]))
    said = f"units of {layers} hidden layers, {len(subject.step.parameters)} parameters"
    return Examined("symmetry", said if findings else f"{said}: none alike, none held at 0", tuple(findings))


def by_unit(values: Array) -> Array:
    """A column for each unit, channel or feature, the last axis: rows and positions one below the other."""
    return values.reshape(-1, values.shape[-1])


def _scaled(columns: Array) -> Array:
    return np.asarray(columns / (np.max(np.abs(columns), initial=0.0) or 1.0))


def copies(columns: Array) -> int:
    """How many columns that are not all 0 have another one that is the same."""
    kept = columns[:, np.abs(columns).max(axis=0) > EQUAL]
    if kept.shape[1] < 2:
        return 0
    # A random mixture of the rows tells different columns apart, so that columns are compared as pairs of numbers.
    mixed = np.random.default_rng(0).standard_normal((2, len(kept))) @ kept / np.sqrt(len(kept))
    order = np.lexsort(mixed)
    close = np.all(np.abs(np.diff(mixed[:, order], axis=1)) <= EQUAL, axis=0)
    return int(np.sum(np.concatenate([[False], close]) | np.concatenate([close, [False]])))


def _held_at_zero(name: str, size: int) -> Finding:
    return Finding(
        "zero-weights",
        name,
        "error",
        f"all {size:,} numbers of {name} are 0, and so are their derivatives: no step will change them.",
        "Start the weights at random: HeNormal() before rectifiers, GlorotUniform() before sigmoids and tanh.",
        {"weights": size},
    )


def _alike(layer: str, alike: int, units: int) -> Finding:
    return Finding(
        "equal-units",
        layer,
        "error",
        f"{alike} of the {units} units of {layer} have the same value and the same δ on every row as another one: "
        "they get the same gradient and stay copies of each other.",
        "Start the weights at random: HeNormal() before rectifiers, GlorotUniform() before sigmoids and tanh.",
        {"alike": alike, "units": units},
    )
