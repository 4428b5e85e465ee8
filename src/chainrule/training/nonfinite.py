"""Which equation was the first to overflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.node import Equation
from chainrule.equations.order import order
from chainrule.equations.system import System
from chainrule.equations.walk import tensors
from chainrule.errors import ChainruleError

Array = NDArray[Any]


class NonFiniteError(ChainruleError):
    """Training met a number that is infinite or undefined.

    ``equation`` is the first whose values were not all finite, ``step`` the step (counted from 0) in which they were.
    """

    def __init__(self, message: str, equation: Equation | None, step: int) -> None:
        super().__init__(message)
        self.equation = equation
        self.step = step


def first_nonfinite(system: System, values: Mapping[str, Array]) -> Equation | None:
    """The first equation, in the order in which they are computed, whose values are not all finite.

    ``values`` holds those of every equation.  None if all are finite.
    """
    for block in order(system):
        for equation in block.equations:
            if not np.isfinite(values[equation.name]).all():
                return equation
    return None


def explain(
    system: System,
    run_step: Callable[[int], Mapping[str, Array]],
    steps: range,
    learning_rate: Callable[[int], float],
) -> NonFiniteError:
    """The error for a group of ``steps`` in which a loss was not finite.

    ``run_step(n)`` does step n and returns the values of every equation and input; the steps are done again one by
    one, from the first, until some value is not finite.
    """
    for step in steps:
        values = run_step(step)
        equation = first_nonfinite(system, values)
        if equation is not None:
            return NonFiniteError(_message(system, equation, values, step, learning_rate(step)), equation, step)
    return NonFiniteError(f"the loss was not finite in steps {steps.start}–{steps.stop - 1}", None, steps.stop - 1)


def _message(system: System, equation: Equation, values: Mapping[str, Array], step: int, learning_rate: float) -> str:
    result = values[equation.name]
    wrong = int((~np.isfinite(result)).sum())
    kind = "infinite" if np.isinf(result).any() else "not a number"
    largest = {
        name: float(np.max(np.abs(values[name].astype(np.float64)), initial=0.0))
        for name in tensors(equation)
        if name in values and name != equation.name and values[name].size
    }
    text = str(equation)
    text = text if len(text) <= 120 else text[:117] + "…"
    read = ", ".join(f"|{name}| ≤ {size:.3g}" for name, size in largest.items())
    return (
        f"the loss is not finite in step {step + 1}: the first equation to overflow is {text} "
        f"({wrong} of {result.size} values {kind}; it read {read}). {_advice(system, equation, learning_rate)}"
    )


def _advice(system: System, equation: Equation, learning_rate: float) -> str:
    """What usually helps where this equation is the first."""
    learnt = {tensor.name for tensor in system.inputs if tensor.role in ("parameter", "state")}
    read = set(tensors(equation))
    given = {tensor.name for tensor in system.named("data") if tensor.axes}
    if read & given and not read & learnt:
        return "The data are too large for float32: scale them."
    smaller = f"Try a smaller learning rate than {learning_rate:.3g}"
    return f"{smaller}, or clip the gradients (clipping=ClipGlobalNorm(1.0))."
