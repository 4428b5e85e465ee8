"""The assembled training step: what it holds, its gradients, and whole trainings equal to torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, normal

from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.layers import Dense, Dropout, Network, ReLU, Tanh
from chainrule.losses import BinaryCrossEntropy, ClassWeighted, CrossEntropy, SampleWeighted, SquaredError
from chainrule.optimizers import SGD, Adam, ClipGlobalNorm, CosineDecay
from chainrule.regularizers import L1, L2, PerExample
from chainrule.training.step import TrainingStep, assemble

ROWS, FEATURES, CLASSES, BATCH = 12, 4, 3, 5
NETWORK = Network(Dense(6), Tanh(), Dense(CLASSES))


def values_for(step: TrainingStep, seed: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {"X": normal(ROWS, FEATURES), "rows": np.array([3, 1, 11, 0, 7]), "η": 0.1}
    if "T" in step.system.input_by_name:
        values["T"] = np.arange(ROWS) % CLASSES
    if "Y" in step.system.input_by_name:
        values["Y"] = normal(ROWS, CLASSES, seed=4)
    if "Ω" in step.system.input_by_name:
        values["Ω"] = np.linspace(0.5, 2, ROWS)
    start = evaluate(step.initialization, {}, seed=seed)
    constants = {name: np.array(value) for name, value in step.constants.items()}
    return values | constants | {tensor.name: start[tensor.name] for tensor in step.parameters}


def test_everything_together() -> None:
    step = assemble(
        Network(Dense(6), Tanh(), Dropout(0.3), Dense(CLASSES)),
        SampleWeighted(ClassWeighted(CrossEntropy(), (1.0, 2.0, 0.5))),
        Adam(CosineDecay(0.1)),
        {"i": FEATURES},
        regularizers=[PerExample(L2(5.0)), L1(0.1, parameters="dense1.*")],
        clipping=ClipGlobalNorm(0.5),
    )
    assert parse(str(step.system)) == step.system
    assert step.sources == {"x": "X", "t": "T", "ω": "Ω"}
    assert (step.cost, step.loss, step.output.name, step.prediction.axes) == ("C", "C0", "dense2.z", ("b", "k"))
    values = values_for(step)
    check_gradients(step.log.forward, values, "C", [tensor.name for tensor in step.parameters])
    found = evaluate(step.system, values)
    norm = np.sqrt(sum((found[gradient] ** 2).sum() for gradient in step.gradients.values()))
    assert found[step.gradient_norm] == pytest.approx(norm)
    assert set(step.system.updates) == {tensor.name for tensor in (*step.parameters, *step.states)}


def test_evaluation_is_the_loss_without_dropout_and_penalties() -> None:
    step = assemble(
        Network(Dropout(0.5), Dense(CLASSES)), CrossEntropy(), SGD(0.1), {"i": FEATURES}, regularizers=[L2(1.0)]
    )
    values = values_for(step)
    x, t = values["X"], values["T"]
    found = evaluate(step.evaluation, {"x": x, "t": t, **{p.name: values[p.name] for p in step.parameters}})
    scores = x @ values["dense1.W"] + values["dense1.β"]
    logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert found["C"] == pytest.approx(-logarithms[np.arange(ROWS), t].mean())
    np.testing.assert_allclose(found[step.prediction.name], np.exp(logarithms))
    alone = evaluate(step.prediction_system, {"x": x, **{p.name: values[p.name] for p in step.parameters}})
    np.testing.assert_allclose(alone[step.output.name], scores)
    assert not step.evaluation.named("random") and "t" not in step.prediction_system.input_by_name


def test_the_system_to_explain_has_no_gather() -> None:
    step = assemble(NETWORK, SquaredError(), SGD(0.1), {"i": FEATURES}, regularizers=[PerExample(L2(1.0))])
    assert "rows" not in step.cost_system.input_by_name
    assert str(step.cost_system.by_name["C"]) == "C = C0 + penalty1.dense1.W + penalty1.dense2.W"
    assert "size(b)" in str(step.cost_system.by_name["penalty1.dense1.W"])
    assert "size(r)" in str(step.system.by_name["penalty1.dense1.W"])


def test_rows_of_weight_zero_do_not_count() -> None:
    step = assemble(NETWORK, SampleWeighted(CrossEntropy()), SGD(0.1), {"i": FEATURES})
    plain = assemble(NETWORK, CrossEntropy(), SGD(0.1), {"i": FEATURES})
    values = values_for(step)
    values["Ω"] = np.where(np.arange(ROWS) == 11, 0.0, 1.0)
    weighted = evaluate(step.system, values)
    values = values_for(plain) | {"rows": np.array([3, 1, 0, 7])}
    found = evaluate(plain.system, values)
    for parameter in plain.parameters:
        np.testing.assert_allclose(weighted[parameter.name + "'"], found[parameter.name + "'"])


def test_refusals() -> None:
    sizes = {"i": FEATURES}
    for make, words in [
        (lambda: assemble(Network(Tanh()), CrossEntropy(), SGD(), sizes), "has no parameters to train"),
        (lambda: assemble(NETWORK, "mse", SGD(), sizes), "loss must be one of the losses"),
        (lambda: assemble(NETWORK, CrossEntropy(), SGD(), sizes, regularizers=[L2(1.0, parameters="q")]), "matches no"),
        (lambda: assemble(NETWORK, ClassWeighted(CrossEntropy(), (1.0,)), SGD(), sizes), "1 class weights for 3"),
        (lambda: ClassWeighted(BinaryCrossEntropy(), (1.0, 2.0)), "has no classes to weigh"),
        (lambda: SGD("fast"), "learning_rate must be one of the schedules"),
        (lambda: SGD(-1.0), "learning_rate must be a number at least 0, not -1.0"),
    ]:
        with pytest.raises(ChainruleError, match=words):
            make()  # type: ignore[no-untyped-call]


@pytest.mark.peers
def test_twenty_steps_of_a_network_equal_torch() -> None:
    torch = pytest.importorskip("torch")
    step = assemble(
        Network(Dense(6), ReLU(), Dense(CLASSES)),
        CrossEntropy(),
        Adam(0.01),
        {"i": FEATURES},
        regularizers=[L2(0.1, parameters="*")],
        clipping=ClipGlobalNorm(0.5),
    )
    values = values_for(step)
    peer = {tensor.name: torch.tensor(values[tensor.name], requires_grad=True) for tensor in step.parameters}
    optimizer = torch.optim.Adam(list(peer.values()), lr=0.01)
    rng = np.random.default_rng(5)
    for _ in range(20):
        rows = rng.integers(0, ROWS, size=BATCH)
        found = evaluate(step.system, values | {"rows": rows, "η": 0.01})
        values |= {name: found[following] for name, following in step.system.updates.items()}
        optimizer.zero_grad()
        x = torch.tensor(values["X"][rows])
        scores = torch.relu(x @ peer["dense1.W"] + peer["dense1.β"]) @ peer["dense2.W"] + peer["dense2.β"]
        cost = torch.nn.functional.cross_entropy(scores, torch.tensor(values["T"][rows]))
        cost = cost + 0.05 * sum((value**2).sum() for value in peer.values())
        cost.backward()
        torch.nn.utils.clip_grad_norm_(list(peer.values()), 0.5)
        optimizer.step()
        assert found["C"] == pytest.approx(cost.item(), rel=1e-10)
    for name, value in peer.items():
        np.testing.assert_allclose(values[name], value.detach().numpy(), rtol=1e-10, atol=1e-10)
