"""Every loss: gradients against finite differences; values and gradients against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, items, normal

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.layers import Composition, Tensor
from chainrule.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    ClassWeighted,
    CrossEntropy,
    CrossEntropyCost,
    Gaussian,
    Huber,
    Loss,
    MulticlassHinge,
    Poisson,
    SmoothedCrossEntropy,
    SoftCrossEntropy,
    SquaredError,
)

ROWS, CLASSES = 5, 3
each_loss = pytest.mark.parametrize("loss", items(Loss), ids=lambda loss: type(loss).__name__)


def written(loss: Loss, axes: tuple[str, ...]) -> tuple[System, Composition]:
    output = Tensor("s", axes)
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    under.sizes[axes[-1]] = None
    loss.mean(under, output, loss.compose(under, output))
    return under.system(), under


def example(loss: Loss) -> tuple[System, dict[str, Any]]:
    """The loss on five rows of three outputs, and values for it."""
    two_heads = isinstance(loss.units(CLASSES), tuple)
    axes = ("b", "k", "h") if two_heads else ("b", "k")
    system, under = written(loss, axes)
    values: dict[str, Any] = {"s": normal(ROWS, CLASSES, 2) if two_heads else normal(ROWS, CLASSES)}
    for tensor in system.inputs:
        if tensor.name == "t":
            values["t"] = np.array([0, 2, 1, 1, 0])
        elif tensor.name == "y":
            values["y"] = np.random.default_rng(3).dirichlet(np.ones(CLASSES), size=ROWS)
        elif tensor.name == "ω":
            values["ω"] = np.array([0.5, 1, 2, 0, 3])
    return system, values | {name: np.array(value) for name, value in under.constants.items()}


@each_loss
def test_gradient(loss: Loss) -> None:
    system, values = example(loss)
    check_gradients(system, values, "C", ["s"])


@each_loss
def test_prediction_has_the_rows_of_the_targets(loss: Loss) -> None:
    axes = ("b", "k", "h") if isinstance(loss.units(2), tuple) else ("b", "k")
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    assert loss.predict(under, Tensor("s", axes)).axes == ("b", "k")


def test_extreme_logits_stay_finite() -> None:
    for loss in (CrossEntropy(), SmoothedCrossEntropy(), BinaryCrossEntropy(), SoftCrossEntropy()):
        system, values = example(loss)
        values["s"] = np.array([[1e4, -1e4, 0.0]] * ROWS)
        log = derive(system, "C", ["s"])
        found = evaluate(log.system, values)
        assert np.isfinite(found["C"]) and np.isfinite(found["∂s"]).all()


def test_equal_weights_change_nothing() -> None:
    plain, values = example(CrossEntropy())
    weighted, more = example(ClassWeighted(CrossEntropy(), (2.0, 2.0, 2.0)))
    assert evaluate(weighted, more)["C"] == pytest.approx(float(evaluate(plain, values)["C"]))


TORCH: dict[Loss, Callable[..., Any]] = {
    SquaredError(): lambda f, s, v: f.mse_loss(s, v["y"]),
    AbsoluteError(): lambda f, s, v: f.l1_loss(s, v["y"]),
    Huber(0.4): lambda f, s, v: f.huber_loss(s, v["y"], delta=0.4),
    CrossEntropy(): lambda f, s, v: f.cross_entropy(s, v["t"]),
    SmoothedCrossEntropy(0.2): lambda f, s, v: f.cross_entropy(s, v["t"], label_smoothing=0.2),
    SoftCrossEntropy(): lambda f, s, v: f.cross_entropy(s, v["y"]),
    ClassWeighted(CrossEntropy(), (0.5, 1.0, 2.0)): lambda f, s, v: f.cross_entropy(
        s, v["t"], weight=s.new_tensor([0.5, 1.0, 2.0])
    ),
    BinaryCrossEntropy(): lambda f, s, v: f.binary_cross_entropy_with_logits(s, v["y"]),
    CrossEntropyCost(): lambda f, s, v: f.binary_cross_entropy_with_logits(s, v["y"], reduction="sum") / len(s),
    MulticlassHinge(): lambda f, s, v: f.multi_margin_loss(s, v["t"]),
    Poisson(): lambda f, s, v: f.poisson_nll_loss(s, v["y"]),
    Gaussian(): lambda f, s, v: f.gaussian_nll_loss(s[..., 0], v["y"], s[..., 1].exp(), eps=0),
}


@pytest.mark.peers
@pytest.mark.parametrize("loss", TORCH, ids=repr)
def test_torch(loss: Loss) -> None:
    torch = pytest.importorskip("torch")
    system, values = example(loss)
    log = derive(system, "C", ["s"])
    found = evaluate(log.system, values)
    tensors = {name: torch.tensor(value) for name, value in values.items()}
    logits = tensors["s"].requires_grad_()
    cost = TORCH[loss](torch.nn.functional, logits, tensors)
    cost.backward()
    assert found["C"] == pytest.approx(cost.item(), rel=1e-12)
    np.testing.assert_allclose(found["∂s"], logits.grad.numpy(), rtol=1e-10, atol=1e-14)
