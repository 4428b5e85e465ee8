"""Likelihoods: L is minus the logarithm of what scipy.stats says, exactly; the gamma function in equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import Input
from chainrule.errors import ChainruleError
from chainrule.layers import Composition, Tensor
from chainrule.losses import (
    FixedStudentT,
    Gaussian,
    Laplace,
    Loss,
    MixtureDensity,
    NegativeBinomial,
    Ordinal,
    Poisson,
    Quantile,
    Quantiles,
    StudentT,
)
from chainrule.losses.gamma import AXES, log_rising_factorial

ROWS, TARGETS = 6, 2


def written(loss: Loss, *shape: int, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The loss and what it makes of the output, evaluated for random values of it: the system and everything in it."""
    axes = ("b", "o", "h", "l")[: 1 + len(shape)]
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    loss.interpret(under, Tensor("s", axes))
    loss.compose(under, Tensor("s", axes))
    return under.system(), {"s": 1.5 * np.random.default_rng(seed).normal(size=(ROWS, *shape))}


def of_scipy(loss: Loss, found: dict[str, Any], y: Any) -> Any:
    """The log-density of SciPy, from the parameters that the loss says its distribution has."""
    values = [found[f"prediction.{name}"] for name in loss.parameters]
    match loss, values:
        case Gaussian(), (mean, deviation):
            return stats.norm.logpdf(y, mean, deviation)
        case Laplace(), (median, scale):
            return stats.laplace.logpdf(y, median, scale)
        case StudentT(), (degrees, location, scale):
            return stats.t.logpdf(y, degrees, location, scale)
        case MixtureDensity(), (weights, means, deviations):
            each = stats.norm.logpdf(y[..., None], means, deviations)
            return special.logsumexp(each, b=weights, axis=-1)
        case Poisson(), (rate,):
            return stats.poisson.logpmf(y, rate)
        case NegativeBinomial(), (mean, dispersion):
            return stats.nbinom.logpmf(y, 1 / dispersion, 1 / (1 + mean * dispersion))
    raise AssertionError(loss)


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (Gaussian(), (TARGETS, 2)),
        (Laplace(), (TARGETS, 2)),
        (StudentT(), (TARGETS, 3)),
        (FixedStudentT(2.5), (TARGETS, 2)),
        (MixtureDensity(3), (TARGETS, 3, 3)),
        (Poisson(), (TARGETS,)),
        (Poisson((300.0, 0.2)), (TARGETS,)),
        (NegativeBinomial(), (TARGETS, 2)),
        (NegativeBinomial((300.0, 0.2)), (TARGETS, 2)),
    ],
    ids=repr,
)
def test_the_loss_is_minus_the_log_density(loss: Loss, shape: tuple[int, ...]) -> None:
    system, values = written(loss, *shape)
    generator = np.random.default_rng(1)
    counts = isinstance(loss, Poisson | NegativeBinomial)
    y = generator.integers(0, 400, size=(ROWS, TARGETS)) if counts else 3 * generator.normal(size=(ROWS, TARGETS))
    found = evaluate(system, {**values, "y": y})
    np.testing.assert_allclose(found["L"], -of_scipy(loss, found, y).mean(axis=1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["evaluate", "float32"])
def test_the_rising_factorial(backend: str) -> None:
    """Exact in float64; in float32, as good as the arguments, also where both logarithms of Γ are large."""
    text = f"{AXES}\ndata x[b], y[b]\n" + log_rising_factorial("F", "x[b]", "y[b]").replace(",...", "")
    generator = np.random.default_rng(0)
    x, y = np.exp(generator.uniform(-4, 8, 300)), np.exp(generator.uniform(-6, 8, 300))
    expected = np.log(special.poch(x, y))
    fits = np.isfinite(expected)
    x, y, expected = x[fits], y[fits], expected[fits]
    if backend == "evaluate":
        found, tolerance = evaluate(parse(text), {"x": x, "y": y})["F"], 1e-11
    else:
        from chainrule.backends import compile

        made = compile(parse(text), ("F",), dtype="float32")
        found, tolerance = made.run({"x": x.astype(np.float32), "y": y.astype(np.float32)}, {})["F"], 1e-5
    assert np.abs((found - expected) / np.maximum(1, np.abs(expected))).max() < tolerance
    assert len(x) > 100


def test_ordinal_probabilities_are_those_of_the_loss() -> None:
    system, values = written(Ordinal(), 3)
    for t in range(4):
        found = evaluate(system, {**values, "t": np.full(ROWS, t)})
        assert found["prediction.p"].sum(axis=1) == pytest.approx(1)
        np.testing.assert_allclose(np.exp(-found["L"]), found["prediction.p"][:, t], rtol=1e-12)
        below = special.expit(found["prediction.c"])
        np.testing.assert_allclose(np.cumsum(found["prediction.p"], axis=1)[:, :3], below, rtol=1e-12)


def test_ordinal_stays_finite() -> None:
    system, _ = written(Ordinal(), 2)
    found = evaluate(system, {"s": np.array([[900.0, -900], [-900, 900], [0, -50]]), "t": np.array([2, 0, 1])})
    np.testing.assert_allclose(found["L"], [900, 900, 50 + 2 * np.log(2)], rtol=1e-6)


def test_quantiles_rise_and_are_the_pinball_losses_of_their_levels() -> None:
    loss = Quantiles((0.1, 0.4, 0.9))
    system, values = written(loss, TARGETS, 3)
    y = np.random.default_rng(2).normal(size=(ROWS, TARGETS))
    found = evaluate(system, {**values, "y": y})
    quantiles = found["prediction.Q"]
    assert (np.diff(quantiles, axis=-1) > 0).all()
    np.testing.assert_allclose(found["prediction.median"], quantiles[..., 1] * 0.8 + quantiles[..., 2] * 0.2)
    parts = []
    for place, level in enumerate(loss.levels):
        one, _ = written(Quantile(level), TARGETS)
        parts.append(evaluate(one, {"s": quantiles[..., place], "y": y})["L"])
    np.testing.assert_allclose(found["L"], np.mean(parts, axis=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantiles((0.5, 0.1)), r"Quantiles: levels must rise, not \(0.5, 0.1\)"),
        (lambda: Quantiles((0.5, 1)), "Quantiles: every level must be a number above 0 and below 1, not 1"),
        (lambda: Quantiles(0.5), "Quantiles: levels are several numbers above 0 and below 1, not 0.5"),
        (lambda: Poisson((1.0, 0.0)), "Poisson: every mean count must be a number above 0, not 0.0"),
        (lambda: NegativeBinomial(()), "NegativeBinomial: mean_counts must be a number above 0, not "),
        (lambda: FixedStudentT(2), "FixedStudentT: degrees must be a number above 2, not 2"),
        (lambda: MixtureDensity(0), "MixtureDensity: components must be a whole number of at least 1, not 0"),
        (lambda: written(Poisson((1.0, 2.0)), 2, 2), r"Poisson.* is for 2 targets a row, not for \[o,h\]"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        make()
