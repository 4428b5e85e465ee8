"""Every optimizer, schedule and clipping: 20 steps against torch, and what can be said without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.catalogue import items

from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers import Composition, Tensor
from chainrule.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    ClipGlobalNorm,
    ClipNorm,
    Clipping,
    ClipValue,
    ConstantRate,
    CosineCycles,
    CosineDecay,
    ExponentialDecay,
    GradientDescent,
    Held,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    OneCycle,
    Optimizer,
    RMSprop,
    Schedule,
    StepDecay,
    WarmUp,
)

STEPS = 20
Values = dict[str, NDArray[np.float64]]


def update_rule(optimizer: Optimizer) -> System:
    """The optimizer for a matrix W and a vector β with gradients gW and gβ."""
    under = Composition([Input("gW", ("i", "j"), "data"), Input("gβ", ("j",), "data")], {"i": 3, "j": 2})
    under.inputs += [Input("W", ("i", "j"), "parameter"), Input("β", ("j",), "parameter")]
    pairs = [(Tensor("W", ("i", "j")), Tensor("gW", ("i", "j"))), (Tensor("β", ("j",)), Tensor("gβ", ("j",)))]
    optimizer.compose(under, pairs)
    return under.system()


def start() -> Values:
    rng = np.random.default_rng(0)
    return {"W": rng.normal(size=(3, 2)), "β": rng.normal(size=2)}


def gradient(values: Values) -> Values:
    """Of Σ W⁴/4 + Σ (W - 1)²/2 + Σ cos β."""
    return {"gW": values["W"] ** 3 + values["W"] - 1, "gβ": -np.sin(values["β"])}


def trained(optimizer: Optimizer, steps: int = STEPS) -> Values:
    system = update_rule(optimizer)
    values: dict[str, Any] = start()
    for rate in optimizer.rates(steps):
        found = evaluate(system, {**values, **gradient(values), "η": rate})
        values = values | {name: found[following] for name, following in system.updates.items()}
    return {name: values[name] for name in ("W", "β")}


@pytest.mark.parametrize("optimizer", items(Optimizer), ids=repr)
def test_descends(optimizer: Optimizer) -> None:
    def cost(values: Values) -> float:
        w, bias = values["W"], values["β"]
        return float((w**4 / 4 + (w - 1) ** 2 / 2).sum() + np.cos(bias).sum())

    assert cost(trained(optimizer)) < cost(start())


@pytest.mark.parametrize("optimizer", items(Optimizer), ids=repr)
def test_every_parameter_has_a_next_value(optimizer: Optimizer) -> None:
    system = update_rule(optimizer)
    assert set(system.updates) == {tensor.name for tensor in system.inputs if tensor.role in ("parameter", "state")}


def torch_optimizers(torch: Any) -> dict[Optimizer, Any]:
    optim = torch.optim
    return {
        GradientDescent(0.05): lambda p: optim.SGD(p, lr=0.05),
        SGD(0.05, weight_decay=0.1): lambda p: optim.SGD(p, lr=0.05, weight_decay=0.1),
        Momentum(0.05, momentum=0.8): lambda p: optim.SGD(p, lr=0.05, momentum=0.8),
        Nesterov(0.05, momentum=0.8): lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
        Adagrad(): lambda p: optim.Adagrad(p),
        RMSprop(): lambda p: optim.RMSprop(p),
        Adam(): lambda p: optim.Adam(p),
        Adam(0.1, beta1=0.8, beta2=0.95): lambda p: optim.Adam(p, lr=0.1, betas=(0.8, 0.95)),
        AdamW(): lambda p: optim.AdamW(p),
        AMSGrad(0.1): lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
        NAdam(): lambda p: optim.NAdam(p),
    }


@pytest.mark.peers
def test_torch_optimizers() -> None:
    torch = pytest.importorskip("torch")
    compared = torch_optimizers(torch)
    assert {type(optimizer) for optimizer in compared} == {type(item) for item in items(Optimizer)} - {Lion}
    for optimizer, make in compared.items():
        tensors = {name: torch.tensor(value, requires_grad=True) for name, value in start().items()}
        peer = make(list(tensors.values()))
        for _ in range(STEPS):
            peer.zero_grad()
            w, bias = tensors["W"], tensors["β"]
            ((w**4 / 4 + (w - 1) ** 2 / 2).sum() + torch.cos(bias).sum()).backward()
            peer.step()
        for name, value in trained(optimizer).items():
            np.testing.assert_allclose(
                value, tensors[name].detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=f"{optimizer}"
            )


def test_lion_follows_the_paper() -> None:
    values, momentum = start(), dict.fromkeys(("W", "β"), np.zeros(()))
    for _ in range(STEPS):
        slopes = gradient(values)
        for name in values:
            slope = slopes["g" + name]
            direction = np.sign(0.9 * momentum[name] + 0.1 * slope)
            momentum[name] = 0.99 * momentum[name] + 0.01 * slope
            values[name] = values[name] - 0.01 * (direction + 0.1 * values[name])
    found = trained(Lion(0.01, weight_decay=0.1))
    for name in values:
        np.testing.assert_allclose(found[name], values[name], atol=1e-12)


@pytest.mark.parametrize("schedule", items(Schedule), ids=repr)
def test_schedule_is_positive(schedule: Schedule) -> None:
    for steps in (1, 2, 50):
        rates = schedule.rates(steps)
        assert rates.shape == (steps,)
        assert np.isfinite(rates).all() and (rates >= 0).all()
    assert Adam(schedule).rates(7).shape == (7,)


def test_cycles_are_whole() -> None:
    with pytest.raises(ChainruleError, match=r"CosineCycles: cycles must be a whole number of at least 1, not 2\.5"):
        CosineCycles(cycles=2.5)  # type: ignore[arg-type]


def torch_schedules(torch: Any, total: int) -> dict[Schedule, Any]:
    lr = torch.optim.lr_scheduler
    return {
        ConstantRate(0.1): lambda o: lr.LambdaLR(o, lambda t: 1),
        StepDecay(0.1, factor=0.5, every=7): lambda o: lr.StepLR(o, 7, 0.5),
        ExponentialDecay(0.1, factor=0.9, every=1): lambda o: lr.ExponentialLR(o, 0.9),
        CosineDecay(0.1, 0.01): lambda o: lr.CosineAnnealingLR(o, total, 0.01),
        CosineCycles(0.1, 4, 0.01): lambda o: lr.CosineAnnealingWarmRestarts(o, total // 4, eta_min=0.01),
        OneCycle(0.1): lambda o: lr.OneCycleLR(o, 0.1, total),
        Held(StepDecay(0.1, factor=0.5, every=7), 0.5): lambda o: lr.LambdaLR(o, lambda t: 0.5 ** (min(t, 20) // 7)),
        WarmUp(CosineDecay(0.1, 0.01), 10): lambda o: lr.SequentialLR(
            o,
            [lr.LinearLR(o, 1 / 10, 1.0, 9), lr.CosineAnnealingLR(o, total - 10, 0.01)],
            [10],
        ),
    }


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_torch_schedules() -> None:
    torch = pytest.importorskip("torch")
    total = 40
    compared = torch_schedules(torch, total)
    assert {type(schedule) for schedule in compared} == {type(item) for item in items(Schedule)}
    for schedule, make in compared.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        peer = make(optimizer)
        rates = []
        for _ in range(total):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            peer.step()
        np.testing.assert_allclose(schedule.rates(total), rates, rtol=1e-9, err_msg=f"{schedule}")


def clipped(clipping: Clipping, gradients: Values) -> list[NDArray[np.float64]]:
    under = Composition(
        [Input("gW", ("i", "j"), "data"), Input("gβ", ("j",), "data"), Input("N", (), "data")], {"i": 3, "j": 2}
    )
    pairs = [(Tensor("W", ("i", "j")), Tensor("gW", ("i", "j"))), (Tensor("β", ("j",)), Tensor("gβ", ("j",)))]
    made = clipping.compose(under, pairs, Tensor("N", ()))
    norm = np.sqrt(sum((value**2).sum() for value in gradients.values()))
    found = evaluate(under.system(), {**gradients, "N": norm})
    return [found[gradient.name] for _, gradient in made]


@pytest.mark.parametrize("clipping", items(Clipping), ids=repr)
def test_small_gradients_pass_and_zeros_stay(clipping: Clipping) -> None:
    small = {"gW": np.full((3, 2), 0.01), "gβ": np.zeros(2)}
    for given, found in zip(small.values(), clipped(clipping, small), strict=True):
        np.testing.assert_allclose(found, given)


@pytest.mark.peers
def test_torch_clipping() -> None:
    torch = pytest.importorskip("torch")
    utils = torch.nn.utils
    compared = {
        ClipValue(0.3): lambda p: utils.clip_grad_value_(p, 0.3),
        ClipNorm(0.7): lambda p: [utils.clip_grad_norm_([each], 0.7) for each in p],
        ClipGlobalNorm(0.7): lambda p: utils.clip_grad_norm_(p, 0.7),
    }
    assert {type(clipping) for clipping in compared} == {type(item) for item in items(Clipping)}
    gradients = gradient(start())
    for clipping, clip in compared.items():
        peers = [torch.zeros(value.shape, dtype=torch.float64, requires_grad=True) for value in gradients.values()]
        for peer, value in zip(peers, gradients.values(), strict=True):
            peer.grad = torch.tensor(value)
        clip(peers)
        for peer, found in zip(peers, clipped(clipping, gradients), strict=True):
            np.testing.assert_allclose(found, peer.grad.numpy(), rtol=1e-12)
