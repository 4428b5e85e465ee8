"""Every initializer: mean and variance of what it gives; orthogonality to better than 1e-6."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import items

from chainrule.equations.evaluate import evaluate
from chainrule.initializers import (
    Constant,
    ForgetGateOnes,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Orthogonal,
    RandomSigns,
    Uniform,
    Zeros,
)
from chainrule.layers import Dense, Equations, Network, fans, initialization

IN, OUT = 60, 40
MOMENTS: dict[Initializer, tuple[float, float]] = {
    Zeros(): (0, 0),
    Constant(0.5): (0.5, 0),
    ForgetGateOnes(): (1 / OUT, (1 - 1 / OUT) / OUT),
    RandomSigns(): (0, 1),
    Normal(0.3, mean=1.0): (1, 0.09),
    Uniform(-1.0, 2.0): (0.5, 9 / 12),
    GlorotUniform(): (0, 2 / (IN + OUT)),
    GlorotNormal(): (0, 2 / (IN + OUT)),
    HeUniform(): (0, 2 / IN),
    HeNormal(): (0, 2 / IN),
    LeCunUniform(): (0, 1 / IN),
    LeCunNormal(): (0, 1 / IN),
    Orthogonal(): (0, 1 / IN),
}


def first_values(initializer: Initializer, fan_in: int, fan_out: int, seed: int = 0) -> np.ndarray[Any, Any]:
    made = Network(Dense(fan_out, weights=initializer)).composed({"i": fan_in})
    return np.asarray(evaluate(initialization(made.system, made.initializers), {}, seed=seed)["dense1.W"])


def test_every_initializer_has_moments_here() -> None:
    assert {type(initializer) for initializer in MOMENTS} == {type(item) for item in items(Initializer)}


@pytest.mark.parametrize("initializer", MOMENTS, ids=repr)
def test_moments(initializer: Initializer) -> None:
    mean, variance = MOMENTS[initializer]
    values = first_values(initializer, IN, OUT)
    assert values.shape == (IN, OUT)
    assert values.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / values.size) + 1e-12)
    assert values.var() == pytest.approx(variance, rel=0.1, abs=1e-12)


@pytest.mark.parametrize("initializer", [item for item in MOMENTS if item.system.named("random")], ids=repr)
def test_seeds(initializer: Initializer) -> None:
    one, same, other = (first_values(initializer, 6, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (60, 20), (20, 60), (48, 48)])
def test_orthogonal(fan_in: int, fan_out: int) -> None:
    values = first_values(Orthogonal(2.0), fan_in, fan_out) / 2
    small = values.T @ values if fan_out <= fan_in else values @ values.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-9)


def test_fans_come_from_the_equations() -> None:
    made = Network(
        Equations(
            "axis o = 8, u = 3, p = size(h) - size(u) + 1\nparameter K[o,c,u]\ndata x[b,c,h]\n"
            "z[b,o,p] = sum[c,u](x[b,c,p+u]*K[o,c,u])"
        ),
        Dense(5),
    ).composed({"c": 2, "h": 10})
    kernel = next(tensor.name for tensor in made.system.parameters if tensor.name.endswith("K"))
    found = fans(made.system, kernel)
    sizes = {"c": 2, "u": 3, "o": 8}
    named = {axis: size for axis in made.system.tensor_axes[kernel] for name, size in sizes.items() if axis[0] == name}
    assert np.prod([named[axis] for axis in found.summed]) == 6
    assert np.prod([named[axis] for axis in found.spread]) == 24
    dense = fans(made.system, "dense1.W")
    assert len(dense.summed) == 2 and len(dense.spread) == 1
