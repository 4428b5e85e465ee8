"""Units that do nothing: dead rectifiers, saturated sigmoids, outputs that are the same for every row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.curves import FLAT, curves
from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, Since, skipped
from chainrule.diagnosis.subject import Subject, scope
from chainrule.diagnosis.symmetry import by_unit
from chainrule.equations.node import Reduce
from chainrule.equations.walk import subexpressions
from chainrule.walk import Walk

Array = NDArray[Any]

# Where a slope is below a hundredth of the largest one, a unit learns a hundred times slower than it could
# (Glorot and Bengio 2010, §3, call such units saturated); tanh is then within 0.005 of ±1.
SATURATED = 0.01
MOST_ROWS = 0.9
# Trained rectifiers leave some units dead (He et al. 2015 report none of a layer, Lu et al. 2020 up to a third of small
# nets); half a layer means that what was asked for is not what is there.
SHARE = 0.5
CONSTANT = 1e-6  # of the spread over the layer
ONE = 0.99  # a weight of a softmax beside which the others count for nothing


def units(subject: Subject) -> Examined:
    """Dead, saturated and constant units, and softmaxes with one weight of 1, by layer, on the data."""
    name = "units"
    if not subject.of_data:
        return skipped(name, NO_DATA)
    before = {(kind, layer) for kind, layer, _, _ in _problems(subject, subject.at_first)}
    findings = []
    for kind, layer, share, count in _problems(subject, subject.now):
        since: Since = "start" if (kind, layer) in before else "training"
        findings.append(_finding(kind, layer, share, count, since, len(next(iter(subject.some.values())))))
    shares = [float(np.mean(dead(curve.slopes))) for curve in _rectifiers(subject)]
    said = f"{len(subject.layers)} layers on {len(next(iter(subject.some.values())))} rows"
    said += f"; dead units {max(shares):.0%} of a layer at most" if shares else ""
    return Examined(name, said, tuple(findings))


def _rectifiers(subject: Subject) -> Iterator[Any]:
    return (
        curve
        for curve in curves(subject.step.cost_system, subject.step.output.name, subject.now)
        if curve.flat_ends == 1
    )


def _problems(subject: Subject, walk: Walk) -> list[tuple[str, str, float, int]]:
    """Kind, layer, the share of its units that have it, and how many units there are."""
    output = subject.step.output.name
    found: dict[tuple[str, str], tuple[float, int]] = {}

    def note(kind: str, tensor: str, share: float, count: int) -> None:
        if share > SHARE and count > 0:
            found[kind, scope(tensor)] = max(found.get((kind, scope(tensor)), (0.0, 0)), (share, count))

    for curve in curves(subject.step.cost_system, output, walk):
        flat = dead(curve.slopes) if curve.flat_ends == 1 else saturated(curve.slopes)
        kind = "dead-units" if curve.flat_ends == 1 else "saturated-units"
        note(kind, curve.equation.name, float(np.mean(flat)), flat.size)
    for equation in subject.layers:
        values = walk.values[equation.name]
        if equation.name == output or values.ndim < 2:
            continue
        if _is_softmax(equation.expression):
            most = by_unit(values).max(axis=1)
            note("saturated-units", equation.name, float(np.mean(most > ONE)) / MOST_ROWS * SHARE, values.shape[-1])
        still = constant(values)
        note("constant-units", equation.name, float(np.mean(still)), still.size)
    return [(kind, layer, *numbers) for (kind, layer), numbers in found.items()]


def dead(slopes: Array) -> Array:
    """Which units have a slope of 0 for every row and position."""
    return np.asarray((by_unit(slopes) <= FLAT).all(axis=0))


def saturated(slopes: Array) -> Array:
    """Which units are at the flat ends of their curve for most rows and positions."""
    return np.asarray((by_unit(slopes) < SATURATED).mean(axis=0) > MOST_ROWS)


def constant(values: Array) -> Array:
    """Which units are the same for every row, at each position."""
    spread = np.ptp(values, axis=0).reshape(-1, values.shape[-1]).max(axis=0)
    return np.asarray(spread <= CONSTANT * (np.abs(values).max() + 1e-30))


def _is_softmax(expression: Any) -> bool:
    return any(isinstance(node, Reduce) and node.operation == "logsumexp" for node in subexpressions(expression))


def _finding(kind: str, layer: str, share: float, count: int, since: Since, rows: int) -> Finding:
    affected = round(share * count)
    when = "already with the first values" if since == "start" else "since training"
    said, advice = {
        "dead-units": (
            f"{affected} of {count} units of {layer} have slope 0 on all of {rows} rows, {when}: "
            "they pass no gradient and cannot come back.",
            "Start biases at 0 and weights with HeNormal(); lower the learning rate; or use LeakyReLU() or SiLU()."
            if since == "start"
            else "Lower the learning rate, or use LeakyReLU() or SiLU(), whose slope is not 0.",
        ),
        "saturated-units": (
            f"{affected} of {count} units of {layer} are at the flat ends of their curve on more than "
            f"{MOST_ROWS:.0%} of {rows} rows, {when}: their slope is below {SATURATED:g} of the largest.",
            "Start with smaller weights: GlorotUniform(); put BatchNorm() or LayerNorm() before the activation."
            if since == "start"
            else "Lower the learning rate, or add a penalty on the weights (regularizer=L2(1e-4)).",
        ),
        "constant-units": (
            f"{affected} of {count} units of {layer} give the same value on all of {rows} rows, {when}.",
            "Look at what the layer reads: inputs that do not change, weights of 0, or an activation stuck at its end.",
        ),
    }[kind]
    numbers = {"units": count, "affected": affected, "share": share, "rows": rows}
    return Finding(kind, layer, "warning", said, advice, numbers, since)
