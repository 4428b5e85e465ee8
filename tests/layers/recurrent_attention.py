"""A network of sequence layers with random parameters, its output and its derived gradients, for tests of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.contracts.catalogue import normal, with_cost

from chainrule.calculus.derivation import Log
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.layers import Composed, Layer, initialization
from chainrule.layers.composition import Reading

Values = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Found:
    """The parameters and what weighs the output in the cost; the output; gradients by what they are of."""

    values: Values
    output: NDArray[np.float64]
    gradients: Values


@lru_cache(maxsize=64)
def derived(layer: Layer, read: Reading) -> tuple[Composed, Log]:
    """The layer composed, and with the cost Σ weigh·output and its gradients."""
    under, x = read.compose()
    made = under.composed(layer.compose(under, x))
    names = [tensor.name for tensor in made.system.parameters] + (["x"] if read.role == "data" else [])
    return made, derive(with_cost(made.system, made.output.name), "C", names)


def found(layer: Layer, read: Reading, given: Values, parameters: Values | None = None) -> Found:
    """What a layer makes of ``given``, and the gradients of Σ weigh·output.

    Parameters and ``weigh`` are random unless they are given.
    """
    made, log = derived(layer, read)
    values = dict(given)
    start = evaluate(initialization(made.system, made.initializers), {}) if parameters is None else parameters
    for n, tensor in enumerate(made.system.parameters):
        value = start[tensor.name]
        values[tensor.name] = normal(*value.shape, seed=n + 1) / 2 if parameters is None else value
    output = evaluate(made.system, {name: value for name, value in values.items() if name != "weigh"})[made.output.name]
    values.setdefault("weigh", normal(*output.shape, seed=99))
    gradients = evaluate(log.system, values)
    return Found(values, output, {name: gradients[adjoint] for name, adjoint in log.gradients.items()})


def close(ours: Any, theirs: Any, name: str = "") -> None:
    """Equal to 1e-9 of the largest element."""
    theirs = theirs.detach().numpy() if hasattr(theirs, "detach") else theirs
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max(), err_msg=name)
