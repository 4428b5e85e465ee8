"""Every loss: gradients against finite differences; values and gradients against torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, items, normal, outputs, targets

from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.layers import Composition, Tensor
from chainrule.losses import (
    CTC,
    AbsoluteError,
    BinaryCrossEntropy,
    BinaryFocal,
    ClassWeighted,
    Contrastive,
    CrossEntropy,
    CrossEntropyCost,
    Dice,
    FixedStudentT,
    Focal,
    Gaussian,
    Huber,
    Laplace,
    Loss,
    MaskedCrossEntropy,
    MixtureDensity,
    MulticlassDice,
    MulticlassHinge,
    NegativeBinomial,
    NTXent,
    Ordinal,
    Poisson,
    SampleWeighted,
    SequenceCrossEntropy,
    SmoothedCrossEntropy,
    SoftCrossEntropy,
    SquaredError,
    StudentT,
    Triplet,
)

ROWS, CLASSES = 5, 3
each_loss = pytest.mark.parametrize("loss", items(Loss), ids=lambda loss: type(loss).__name__)


def written(loss: Loss, axes: tuple[str, ...]) -> tuple[System, Composition]:
    output = Tensor("s", axes)
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    under.sizes[axes[-1]] = None
    loss.mean(under, output, loss.compose(under, output))
    return under.system(), under


def axes_of(loss: Loss) -> tuple[str, ...]:
    return ("b", *("k", "h", "l")[: len(outputs(loss))])


def example(loss: Loss) -> tuple[System, dict[str, Any]]:
    """The loss on five rows, and values for it."""
    system, under = written(loss, axes_of(loss))
    given = {"s": normal(ROWS, *outputs(loss)), **targets(loss, ROWS)}
    values = {tensor.name: given[tensor.name] for tensor in system.inputs if tensor.name in given}
    return system, values | {name: np.array(value) for name, value in under.constants.items()}


@each_loss
def test_gradient(loss: Loss) -> None:
    system, values = example(loss)
    check_gradients(system, values, "C", ["s"])


@each_loss
def test_prediction_has_the_rows_of_the_targets(loss: Loss) -> None:
    axes = axes_of(loss)
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    heads = isinstance(loss.units(CLASSES), tuple)
    made = loss.predict(under, Tensor("s", axes)).axes
    assert made == (axes[:2] if heads else axes) or (isinstance(loss, Ordinal) and len(made) == 2)


@each_loss
def test_a_likelihood_gives_the_parameters_of_its_distribution(loss: Loss) -> None:
    axes = axes_of(loss)
    under = Composition([Input("s", axes, "data")], dict.fromkeys(axes))
    prediction, found = loss.interpret(under, Tensor("s", axes))
    assert tuple(found) == type(loss).parameters or isinstance(loss, SampleWeighted | ClassWeighted)
    assert all(tensor.axes[: len(prediction.axes)] == prediction.axes for tensor in found.values())
    assert not loss.distribution or found


def test_extreme_logits_stay_finite() -> None:
    for loss in (
        CrossEntropy(),
        SmoothedCrossEntropy(),
        BinaryCrossEntropy(),
        SoftCrossEntropy(),
        BinaryFocal(),
        Focal(),
        Dice(),
    ):
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
    Poisson((0.5, 2.0, 3.0)): lambda f, s, v: torch_density(
        "Poisson", v["y"], s.exp() * s.new_tensor(in_few_digits([0.5, 2, 3]))
    ),
    Gaussian(): lambda f, s, v: f.gaussian_nll_loss(s[..., 0], v["y"], s[..., 1].exp(), eps=0, full=True),
    Laplace(): lambda f, s, v: torch_density("Laplace", v["y"], s[..., 0], s[..., 1].exp()),
    StudentT(): lambda f, s, v: torch_density(
        "StudentT", v["y"], 2 + f.softplus(s[..., 2]), s[..., 0], s[..., 1].exp()
    ),
    FixedStudentT(5.0): lambda f, s, v: torch_density("StudentT", v["y"], 5.0, s[..., 0], s[..., 1].exp()),
    MixtureDensity(2): lambda f, s, v: torch_mixture(s, v["y"]),
    NegativeBinomial(2.5): lambda f, s, v: torch_negative_binomial(s, v["y"], 2.5),
    CTC(): lambda f, s, v: f.ctc_loss(
        s.log_softmax(-1).transpose(0, 1), v["t"], v["t"].new_full((ROWS,), 6), (v["t"] > 0).sum(1), reduction="none"
    ).mean(),
    SequenceCrossEntropy(): lambda f, s, v: f.cross_entropy(s.transpose(1, 2), v["t"]),
    MaskedCrossEntropy(): lambda f, s, v: f.cross_entropy(s.transpose(1, 2), v["t"], ignore_index=-1),
    Contrastive(2.5): lambda f, s, v: torch_contrastive(f, s, v["y"], 2.5),
    Triplet(0.4): lambda f, s, v: f.triplet_margin_with_distance_loss(
        *s.unbind(1), distance_function=lambda p, q: ((p - q) ** 2).sum(-1), margin=0.4
    ),
    NTXent(0.3): lambda f, s, v: torch_nt_xent(f, s, 0.3),
    BinaryFocal(1.5, 0.3): lambda f, s, v: torch_binary_focal(f, s, v["y"], 1.5, 0.3),
    Focal(1.5): lambda f, s, v: torch_focal(f, s, v["t"], 1.5),
    Dice(0.5): lambda f, s, v: torch_dice(s.sigmoid(), v["y"], 0.5),
    MulticlassDice(0.5): lambda f, s, v: torch_dice(
        s.softmax(-1).transpose(1, 2), f.one_hot(v["t"], 3).transpose(1, 2), 0.5
    ),
}


def in_few_digits(means: Any) -> Any:
    """Mean counts as the equations of a loss have them: their logarithms are written with six decimals."""
    return np.exp(np.round(np.log(means), 6))


def torch_density(name: str, y: Any, *parameters: Any) -> Any:
    import torch

    return -getattr(torch.distributions, name)(*parameters, validate_args=False).log_prob(y).mean()


def torch_mixture(s: Any, y: Any) -> Any:
    from torch.distributions import Categorical, MixtureSameFamily, Normal

    weights, normals = Categorical(logits=s[..., 0]), Normal(s[..., 1], s[..., 2].exp())
    return -MixtureSameFamily(weights, normals).log_prob(y).mean()


def torch_negative_binomial(s: Any, y: Any, mean: float) -> Any:
    odds = s[..., 0] + s[..., 1] + np.log(in_few_digits(mean))
    from torch.distributions import NegativeBinomial as OfTorch

    return -OfTorch((-s[..., 1]).exp(), logits=odds, validate_args=False).log_prob(y).mean()


def torch_contrastive(f: Any, s: Any, y: Any, margin: float) -> Any:
    distance = f.pairwise_distance(s[:, 0], s[:, 1], eps=0)
    return ((1 - y) * distance**2 + y * (margin - distance).clamp(min=0) ** 2).mean() / 2


def torch_nt_xent(f: Any, s: Any, temperature: float) -> Any:
    """As a classification of each view among all others."""
    views = f.normalize(s.transpose(0, 1).reshape(2 * ROWS, -1), dim=-1)
    likeness = views @ views.T / temperature
    likeness = likeness.masked_fill(likeness.new_ones(2 * ROWS).diag().bool(), -float("inf"))
    return f.cross_entropy(likeness, likeness.new_tensor([*range(ROWS, 2 * ROWS), *range(ROWS)]).long())


def torch_binary_focal(f: Any, s: Any, y: Any, gamma: float, alpha: float) -> Any:
    each = f.binary_cross_entropy_with_logits(s, y, reduction="none")
    return ((alpha * y + (1 - alpha) * (1 - y)) * (1 - (-each).exp()) ** gamma * each).mean()


def torch_focal(f: Any, s: Any, t: Any, gamma: float) -> Any:
    each = f.cross_entropy(s, t, reduction="none")
    return ((1 - (-each).exp()) ** gamma * each).mean()


def torch_dice(p: Any, y: Any, smoothing: float) -> Any:
    return (1 - (2 * (p * y).sum(-1) + smoothing) / ((p**2).sum(-1) + (y**2).sum(-1) + smoothing)).mean()


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
