"""The backends against each other and against the reference evaluator: the cost and every gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import check_backend
from chainrule.diagnosis.finding import Examined, Finding
from chainrule.diagnosis.subject import Subject
from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.training.programs import program
from chainrule.walk.walk import divided, on_rows

Array = NDArray[Any]

ROWS = 4
# The evaluator makes every product of a sum before it adds them up; larger ones are compared without it.
PRODUCTS = 2**24
# Sums of up to some thousand terms, one after the other, lose this much of their largest term.
# A gradient that is 0 but for rounding (a bias before a normalisation) is compared with the others.
GRAIN = 0.01
TOLERANCE = {"float64": 1e-9, "float32": 2e-3}


def agreement(subject: Subject) -> Examined:
    """The cost and every gradient by each backend, in float64 and float32."""
    step = subject.step
    rows = subject.take(np.arange(min(ROWS, subject.count)))
    names = (step.cost, *step.gradients.values())
    system = on_rows(step, subject.trained_rows).subset(names)
    values: dict[str, Any] = {**rows, **subject.parameters, **step.constants}
    backends = [backend for backend in ("numpy", "native") if _is_here(backend)]

    def run(backend: str, dtype: str) -> dict[str, Array]:
        data, state = divided(system, values, dtype)
        with np.errstate(all="ignore"):
            return dict(program(system, names, dtype, backend).run(data, state, seed=subject.seed))

    found = {f"{backend} in {dtype}": run(backend, dtype) for dtype in TOLERANCE for backend in backends}
    reference, by = found["numpy in float64"], "numpy in float64"
    given = {name: value for part in divided(system, values) for name, value in part.items()}
    if sum(value.size for value in given.values()) * ROWS <= PRODUCTS // 64:
        reference, by = evaluate(system, given, seed=subject.seed), "the reference evaluator"
    least = GRAIN * max(float(np.max(np.abs(reference[name]), initial=0.0)) for name in names)
    findings, worst = [], {dtype: 0.0 for dtype in TOLERANCE}
    for what, computed in found.items():
        dtype = what.rpartition(" ")[2]
        for name in names:
            apart = apart_by(computed[name], reference[name], least)
            worst[dtype] = max(worst[dtype], apart)
            if apart > TOLERANCE[dtype]:
                findings.append(_differ(name, what, by, apart, dtype))
                break
    said = f"{', '.join(backends)} against {by}, cost and {len(step.gradients)} gradients; largest difference "
    said += ", ".join(f"{size:.1e} in {dtype}" for dtype, size in worst.items())
    return Examined("backends", said, tuple(findings))


def _is_here(backend: str) -> bool:
    """Whether this machine has the backend."""
    try:
        check_backend(backend)
    except ChainruleError:
        return False
    return True


def apart_by(values: Array, reference: Array, least: float = 0.0) -> float:
    """The largest difference as a share of the largest value, at least of ``least``; infinite where only one of them
    is finite.
    """
    values, reference = np.asarray(values, np.float64), np.asarray(reference, np.float64)
    if not np.isfinite(values).all() or not np.isfinite(reference).all():
        return 0.0 if np.array_equal(np.isfinite(values), np.isfinite(reference)) else np.inf
    size = float(np.max(np.abs(reference), initial=0.0))
    return float(np.max(np.abs(values - reference), initial=0.0)) / (max(size, least) + 1e-12)


def _differ(name: str, what: str, by: str, apart: float, dtype: str) -> Finding:
    return Finding(
        "backends-disagree",
        name,
        "error" if dtype == "float64" else "warning",
        f"{name} computed by {what} differs from {by} by {apart:.2g} of its largest value.",
        "Report this with the equations, and train with the other backend (backend=) meanwhile."
        if dtype == "float64"
        else "Numbers of float32 do not hold this computation: scale the inputs and lower the learning rate.",
        {"difference": apart, "tolerance": TOLERANCE[dtype]},
    )
