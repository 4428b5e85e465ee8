"""Whether the learning rate fits the curvature of the cost, along the steps that the optimizer really takes.

The first steps of training are taken again, from the same first values, with the states of the optimizer as they then
are.  For a step u from θ the cost changes by g·u + ½ u·Hu, in which H is its second derivative; H·u is derived
(Pearlmutter 1994), not estimated.  The *sharpness of a step*, -u·Hu/(g·u), says how the two compare: for gradient
descent it is η times the curvature along the gradient, gᵀHg/gᵀg.  Above 2 the step climbs out on the other side of
the valley.  Training settles near 2 by itself (Cohen et al., Gradient Descent on Neural Networks Typically Occurs at
the Edge of Stability, 2021), so one sharp step is no fault; steps that are all too sharp, or after which the cost is
higher than at the start, are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.calculus.second import hessian_vector_product
from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, skipped
from chainrule.diagnosis.subject import Subject
from chainrule.training.programs import program

Array = NDArray[Any]

STEPS = 12
NUMBERS = 2**26  # parameters times rows times steps: larger networks take fewer steps again
FEWEST_STEPS = 4
EDGE = 2.0
# The cost of another minibatch differs by some per cent; a quarter above the start is more than that.
CLIMB = 1.25
# A step that changes float32 parameters in their last digit or two.
STILL = 1e-5
MOVED, FELL = 0.01, 0.05  # of the parameters and of the cost, over the whole run


@dataclass(frozen=True)
class Step:
    """One step of the optimizer: the cost before, predicted and actual change, the sharpness, and its length as a
    share of that of the parameters.
    """

    cost: float
    predicted: float
    actual: float
    sharpness: float
    length: float


def learning_rate(subject: Subject) -> Examined:
    """The first steps taken again, and how far the whole run has come."""
    name = "learning rate"
    if not subject.of_data:
        return skipped(name, NO_DATA)
    with np.errstate(all="ignore"):
        taken = replay(subject)
    sharpness = np.array([step.sharpness for step in taken])
    costs = np.array([step.cost for step in taken] + [taken[-1].cost + taken[-1].actual])
    finding = _too_high(subject, sharpness, costs) or _too_low(subject, taken)
    said = f"the first {len(taken)} steps again at a rate of {subject.peak_rate:.3g}: sharpness "
    said += f"{np.nanmedian(sharpness):.2g} in the middle, {np.nanmax(sharpness):.2g} at most (too sharp above 2)"
    if np.isnan(sharpness).all():
        said = "no step changes anything"
    return Examined(name, said, () if finding is None else (finding,))


def replay(subject: Subject) -> list[Step]:
    """The first steps of a run from the first values."""
    step, batch = subject.step, min(subject.batch_size, subject.count)
    size = sum(value.size for value in subject.parameters.values())
    count = int(np.clip(NUMBERS // (size * batch), FEWEST_STEPS, STEPS))
    total = max(count, subject.epochs * -(-subject.trained_rows // batch))
    rates = step.optimizer.rates(total)
    order = np.random.default_rng(0).permutation(subject.count)
    names = [tensor.name for tensor in step.parameters]
    second = _second(subject)
    state: Mapping[str, Array] = subject.first
    taken = []
    for number in range(count):
        rows = subject.take(np.take(order, range(number * batch, (number + 1) * batch), mode="wrap"))
        values = subject.walk(rows, state, float(rates[number]), number).values
        following = {of: values[new] for of, new in step.system.updates.items()}
        moved = {name: following[name] - values[name] for name in names}
        slope = sum(float(np.vdot(moved[name], values[step.gradients[name]])) for name in names)
        bent, before = second(rows, state, moved, number)
        _, after = second(rows, {**state, **{name: following[name] for name in names}}, moved, number)
        length = _norm(moved) / (_norm({name: values[name] for name in names}) or 1.0)
        sharpness = -bent / slope if slope else np.nan
        taken.append(Step(before, slope + bent / 2, after - before, sharpness, length))
        state = following if set(following) >= set(state) else {**state, **following}
        if not np.isfinite(after):
            break
    return taken


def _norm(tensors: Mapping[str, Array]) -> float:
    return float(np.sqrt(sum(float(np.vdot(value, value)) for value in tensors.values())))


def _second(subject: Subject) -> Callable[..., tuple[float, float]]:
    """A function of rows, parameters, a direction and the number of the step: u·Hu along it, and the cost."""
    step = subject.step
    system, products = hessian_vector_product(step.cost_system, step.cost)
    compiled = program(system, (step.cost, *products.values()), "float64", "numpy")

    def along(
        rows: Mapping[str, Array], state: Mapping[str, Array], direction: Mapping[str, Array], number: int
    ) -> tuple[float, float]:
        along_it = {f"v.{name}": value for name, value in direction.items()}
        constants = {name: np.asarray(value) for name, value in step.constants.items()}
        data = {n: value for n, value in {**rows, **constants, **along_it}.items() if n in system.input_by_name}
        held = {name: np.asarray(value) for name, value in state.items() if name in system.input_by_name}
        found = compiled.run(data, held, seed=subject.seed, first_step=number)
        bent = sum(float(np.vdot(direction[name], found[product])) for name, product in products.items())
        return bent, float(found[step.cost])

    return along


def _too_high(subject: Subject, sharpness: Array, costs: Array) -> Finding | None:
    finite = np.isfinite(costs).all() and np.isfinite(sharpness[~np.isnan(sharpness)]).all()
    middle = float(np.nanmedian(sharpness)) if not np.isnan(sharpness).all() else 0.0
    most = float(np.nanmax(sharpness, initial=0.0))
    climbs = float(np.nanmax(costs)) / costs[0] if costs[0] > 0 else 0.0
    if finite and middle <= EDGE and not (most > EDGE and climbs > CLIMB):
        return None
    rate = subject.peak_rate
    first = float(sharpness[0]) if np.isfinite(sharpness[0]) and sharpness[0] > 0 else most
    better = rate / (2 * max(first, EDGE)) if np.isfinite(first) else rate / 10
    grows = f"and the cost goes from {costs[0]:.3g} to {np.nanmax(costs):.3g}" if finite else "and the cost overflows"
    return Finding(
        "rate-too-high",
        type(subject.step.optimizer).__name__,
        "error" if not finite else "warning",
        f"in the first {len(sharpness)} steps at a rate of {rate:.3g} the sharpness of a step is up to {most:.3g} "
        f"(above 2 a step climbs), {grows}.",
        f"Lower the learning rate; {better:.1g} would make the first step half as sharp as the cost allows.",
        {
            "rate": rate,
            "sharpness": most,
            "median_sharpness": middle,
            "cost_at_first": float(costs[0]),
            "highest_cost": float(np.nanmax(costs)),
            "suggested_rate": better,
        },
    )


def _too_low(subject: Subject, taken: list[Step]) -> Finding | None:
    names = [tensor.name for tensor in subject.step.parameters]
    moved = _norm({name: subject.parameters[name] - subject.first[name] for name in names})
    moved /= _norm({name: subject.first[name] for name in names}) or 1.0
    cost = subject.step.cost
    before, now = (float(walk.values[cost]) for walk in (subject.at_first, subject.now))
    fell = (before - now) / abs(before) if before else 0.0
    length = float(np.median([step.length for step in taken]))
    if not (0 < length < STILL and moved < MOVED and fell < FELL):
        return None
    rate, sharpest = subject.peak_rate, max(step.sharpness for step in taken)
    better = min(rate * 0.1 / sharpest, 1e6 * rate) if sharpest > 0 else 1e3 * rate
    return Finding(
        "rate-too-low",
        type(subject.step.optimizer).__name__,
        "warning",
        f"a step at a rate of {rate:.3g} changes the parameters by {length:.1g} of their size; the whole run moved "
        f"them by {moved:.2g} of it and lowered the cost by {fell:.2g} of what it was.",
        f"Raise the learning rate: the curvature allows about {better:.1g}.",
        {"rate": rate, "step_length": length, "moved": moved, "fell": fell, "suggested_rate": better},
    )
