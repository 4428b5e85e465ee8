"""How δ, the derivative of the cost with respect to what a layer gives, changes from layer to layer.

Weights are started so that δ keeps its size from layer to layer (Glorot and Bengio 2010, eq. 13; He et al. 2015,
eq. 14).  Where each of n layers scales it by r, the first one gets r to the power n of it: the vanishing or exploding
gradient (Hochreiter 1991; Bengio, Simard, Frasconi 1994).  Along a recurrence the layers are its steps; there only
growth is judged, for what a network reads long before its answer may well matter little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, Since, skipped
from chainrule.diagnosis.subject import Subject, scope
from chainrule.equations.order import order
from chainrule.walk import Walk

Array = NDArray[Any]

# Between neighbouring layers of healthy networks δ changes by factors of up to ten, over a whole network of a dozen
# layers by a hundred; the widths of layers and what follows them account for that much.
VANISHED = 1e-4
EXPLODED = 1e3


def flow(subject: Subject) -> Examined:
    """The size of δ at each layer against that at the last one, and along each recurrence."""
    name = "gradient flow"
    if not subject.of_data:
        return skipped(name, NO_DATA)
    sizes, before = sizes_of_delta(subject, subject.now), sizes_of_delta(subject, subject.at_first)
    findings = []
    if len(sizes) > 1:
        found = _across(sizes, before)
        findings += [found] if found is not None else []
    # What explodes with the first values throws the first step out of every valley, whatever comes of it later.
    both: tuple[tuple[Since, Walk], ...] = (("start", subject.at_first), ("training", subject.now))
    for since, walk in both:
        growth = growth_in_time(subject, walk)
        found_in = {finding.where for finding in findings}
        findings += [
            _in_time(layer, growth[layer], since)
            for layer in growth
            if not growth[layer] <= EXPLODED and layer not in found_in
        ]
    last = next(reversed(sizes), "")
    ratios = [sizes[layer] / sizes[last] for layer in sizes if sizes[last] > 0]
    said = f"δ of {len(sizes)} layers"
    said += f", {min(ratios):.2g} to {max(ratios):.2g} times that of {last}" if ratios else " is 0"
    return Examined(name, said, tuple(findings))


def sizes_of_delta(subject: Subject, walk: Walk) -> dict[str, float]:
    """The norm of δ at the output of each layer with parameters, layers in order."""
    adjoints, learnt = subject.step.log.adjoints, subject.layer_names()
    found = {}
    for equation in subject.layers:
        layer = scope(equation.name)
        if layer in learnt and equation.name in adjoints:
            found[layer] = float(np.linalg.norm(walk.values[adjoints[equation.name]]))
    return found


def growth_in_time(subject: Subject, walk: Walk) -> dict[str, float]:
    """For each recurrence, the norm of δ at its first step as a multiple of its median over the steps."""
    adjoints = subject.step.log.adjoints
    forward = subject.step.cost_system.subset({subject.step.output.name})
    found: dict[str, float] = {}
    for block in order(forward):
        if block.axis is None:
            continue
        for equation in block.equations:
            if equation.name not in adjoints or block.axis not in equation.axes:
                continue
            values = walk.values[adjoints[equation.name]]
            at = equation.axes.index(block.axis)
            norms = np.sqrt((values**2).sum(axis=tuple(axis for axis in range(values.ndim) if axis != at)))
            middle = float(np.median(norms[norms > 0])) if (norms > 0).any() else 0.0
            if middle:
                layer = scope(equation.name)
                found[layer] = max(found.get(layer, 0.0), float(max(norms[0], norms[-1])) / middle)
    return found


def _across(sizes: dict[str, float], before: dict[str, float]) -> Finding | None:
    """The layer whose δ is furthest from that of the last one, if it is too far."""
    *earlier, last = sizes
    if sizes[last] == 0:
        return None
    ratios = {layer: sizes[layer] / sizes[last] for layer in earlier}
    smallest, largest = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    if not ratios[largest] <= EXPLODED:
        layer, kind = largest, "exploding-gradients"
    elif ratios[smallest] < VANISHED:
        layer, kind = smallest, "vanishing-gradients"
    else:
        return None
    first = before[layer] / before[last] if before.get(last) else np.nan
    since: Since = "start" if (first < VANISHED or first > EXPLODED) else "training"
    steps = list(sizes).index(last) - list(sizes).index(layer)
    each = ratios[layer] ** (1 / steps) if ratios[layer] > 0 else 0.0
    when = "already with the first values" if since == "start" else "since training"
    advice = (
        "Start with larger weights (HeNormal() before rectifiers), use rectifiers instead of sigmoids, or add "
        "BatchNorm() or Residual() layers."
        if kind == "vanishing-gradients"
        else "Start with smaller weights (HeNormal(), GlorotUniform()), add BatchNorm() or LayerNorm(), or clip the "
        "gradients (clipping=ClipGlobalNorm(1.0))."
    )
    return Finding(
        kind,
        layer,
        "warning",
        f"δ of {layer} is {ratios[layer]:.2g} times that of {last}, {steps} layer{'s' if steps > 1 else ''} behind it "
        f"({each:.2g} a layer), "
        f"{when}.",
        advice,
        {"ratio": ratios[layer], "layers": steps, "each": each, "ratio_at_first": float(first)},
        since,
    )


def _in_time(layer: str, growth: float, since: Since) -> Finding:
    return Finding(
        "exploding-gradients",
        layer,
        "warning",
        f"along the steps of {layer}, δ grows to {growth:.2g} times its median, "
        f"{'with the first values' if since == 'start' else 'since training'}.",
        "Start with smaller recurrent weights (Orthogonal()), use LSTM or GRU, or clip the gradients "
        "(clipping=ClipGlobalNorm(1.0)).",
        {"growth": growth},
        since,
    )
