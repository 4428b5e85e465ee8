"""Losses for sequences: what lies behind a row's end does not count; CTC against the sum over all paths, and torch."""

from __future__ import annotations

from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, normal

from chainrule.backends import BACKENDS, compile
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.layers import LSTM, Network, PositionwiseDense
from chainrule.layers.composition import Composition, Reading, Tensor
from chainrule.losses import CTC, Loss, MaskedCrossEntropy, SampleWeighted, SequenceCrossEntropy
from chainrule.optimizers import SGD
from chainrule.training.step import assemble
from chainrule.training.weighting import RowWeighted

LENGTHS = np.array([4, 1, 3])
CLASSES = np.array([[0, 2, 1, 1], [2, 0, 0, 0], [1, 1, 2, 0]])


def with_lengths(loss: Loss, axes: tuple[str, ...] = ("b", "t", "k")) -> System:
    """The loss of an output whose rows differ in length."""
    under = Composition([Input("s", axes, "data"), Input("length", ("b",), "integer")], dict.fromkeys(axes))
    under.lengths["t"] = Tensor("length", ("b",))
    output = Tensor("s", axes)
    loss.mean(under, output, loss.compose(under, output))
    return under.system()


def test_only_the_positions_of_a_row_count() -> None:
    system = with_lengths(SequenceCrossEntropy())
    s = normal(3, 4, 3)
    logp = s - np.log(np.exp(s).sum(-1, keepdims=True))
    counted = [-logp[b, t, CLASSES[b, t]] for b in range(3) for t in range(LENGTHS[b])]
    values = {"s": s, "t": CLASSES, "length": LENGTHS}
    found = evaluate(derive(system, "C", ["s"]).system, values)
    assert found["C"] == pytest.approx(np.mean(counted))
    behind = np.arange(4) >= LENGTHS[:, None]
    assert not found["∂s"][behind].any() and found["∂s"][~behind].all()
    check_gradients(system, values, "C", ["s"])


def test_a_mask_of_labels_is_the_same_as_lengths() -> None:
    masked = np.where(np.arange(4) < LENGTHS[:, None], CLASSES, -1)
    values = {"s": normal(3, 4, 3), "length": LENGTHS}
    by_length = evaluate(with_lengths(SequenceCrossEntropy()), {**values, "t": CLASSES})
    by_mask = evaluate(with_lengths(MaskedCrossEntropy()), {**values, "t": masked})
    np.testing.assert_allclose(by_mask["L"], by_length["L"])
    assert by_mask["C"] == pytest.approx(float(by_length["C"]))


def test_a_row_without_labels_costs_nothing() -> None:
    values = {"s": normal(2, 4, 3), "t": np.array([[1, 2, -1, 0], [-1, -1, -1, -1]]), "length": np.array([4, 4])}
    found = evaluate(derive(with_lengths(MaskedCrossEntropy()), "C", ["s"]).system, values)
    assert found["L"][1] == 0 and found["C"] == pytest.approx(float(found["L"][0])) and not found["∂s"][1].any()


def test_weights_of_rows_multiply_their_positions() -> None:
    values = {"s": normal(3, 4, 3), "t": CLASSES, "length": LENGTHS}
    weights = np.array([1.0, 0.0, 2.0])
    found = evaluate(with_lengths(SampleWeighted(SequenceCrossEntropy())), {**values, "ω": weights})
    assert found["C"] == pytest.approx(np.average(found["L"], weights=weights * LENGTHS))


def test_weights_of_mean_1_leave_the_number_of_positions_below() -> None:
    values = {"s": normal(3, 4, 3), "t": CLASSES, "length": LENGTHS}
    weights = np.array([1.0, 0.0, 2.0])
    found = evaluate(with_lengths(RowWeighted(SequenceCrossEntropy())), {**values, "ω": weights})
    assert found["C"] == pytest.approx((weights * LENGTHS * found["L"]).sum() / LENGTHS.sum())


def paths(logp: Any, labels: tuple[int, ...]) -> float:
    """Minus the logarithm of the probability of all paths that become the labels: repeats merged, blanks left out."""
    total = 0.0
    for path in product(range(logp.shape[1]), repeat=len(logp)):
        if tuple(symbol for symbol, _ in groupby(path) if symbol) == labels:
            total += np.exp(sum(logp[t, symbol] for t, symbol in enumerate(path)))
    return -np.log(total) if total else np.inf


LABELS = np.array([[1, 1, 2], [2, 0, 0], [1, 2, 0], [0, 0, 0], [2, 2, 0]])
EMITTED = np.array([5, 1, 3, 4, 3])


def test_ctc_is_the_sum_over_all_paths() -> None:
    s = normal(5, 5, 3)
    logp = s - np.log(np.exp(s).sum(-1, keepdims=True))
    found = evaluate(with_lengths(CTC()), {"s": s, "t": LABELS, "length": EMITTED})
    for b, labels in enumerate(LABELS):
        assert found["L"][b] == pytest.approx(paths(logp[b, : EMITTED[b]], tuple(labels[labels > 0])))


def test_labels_that_do_not_fit_have_no_probability() -> None:
    values = {"s": normal(1, 3, 3), "t": np.array([[1, 1]]), "length": np.array([2])}  # 1, blank, 1 are three
    found = evaluate(derive(with_lengths(CTC()), "C", ["s"]).system, values)
    assert found["L"][0] == pytest.approx(1e30) and np.isfinite(found["∂s"]).all()


def test_ctc_of_extreme_logits_is_finite() -> None:
    values = {"s": 1e4 * normal(5, 5, 3), "t": LABELS, "length": EMITTED}
    found = evaluate(derive(with_lengths(CTC()), "C", ["s"]).system, values)
    assert np.isfinite(found["L"]).all() and np.isfinite(found["∂s"]).all()


@pytest.mark.peers
@pytest.mark.parametrize("longest", [5, 40])
def test_ctc_with_lengths_equals_torch(longest: int) -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(longest)
    lengths = generator.integers(longest // 2 + 1, longest + 1, size=6)
    counts = np.minimum(generator.integers(0, longest // 2, size=6), lengths // 2)
    labels = generator.integers(1, 4, size=(6, longest // 2)) * (np.arange(longest // 2) < counts[:, None])
    values = {"s": 3 * normal(6, longest, 4), "t": labels, "length": lengths}
    found = evaluate(derive(with_lengths(CTC()), "C", ["s"]).system, values)
    s = torch.tensor(values["s"], requires_grad=True)
    sizes = (torch.tensor(lengths), torch.tensor(counts))
    emitted = s.log_softmax(-1).transpose(0, 1)
    each = torch.nn.functional.ctc_loss(emitted, torch.tensor(labels), *sizes, reduction="none")
    each.mean().backward()
    np.testing.assert_allclose(found["L"], each.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found["∂s"], s.grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("loss", [CTC(), SequenceCrossEntropy(), MaskedCrossEntropy()], ids=repr)
def test_an_output_without_positions_is_refused(loss: Loss) -> None:
    with pytest.raises(ChainruleError, match=rf"{type(loss).__name__}: logits for each position are wanted.*s\[b,k\]"):
        with_lengths(loss, ("b", "k"))


@pytest.mark.parametrize("loss", [CTC(), SequenceCrossEntropy(), MaskedCrossEntropy()], ids=repr)
def test_what_lies_behind_the_end_of_a_row_changes_nothing_in_training(loss: Loss) -> None:
    """Two steps on rows of different lengths, on every backend, and with other numbers behind their ends."""
    network = Network(LSTM(3, states="all"), PositionwiseDense(3))
    step = assemble(network, loss, SGD(0.5), Reading.of({"t": None, "c": 2}, length="t"))
    names = [tensor.name for tensor in step.parameters]
    start = compile(step.initialization, names, "float64", "numpy").run({}, {}, seed=1)
    labels = {"CTC": LABELS, "MaskedCrossEntropy": np.where(np.arange(5) < EMITTED[:, None], normal(5, 5) > 0, -1)}
    data = {"T": labels.get(type(loss).__name__, (normal(5, 5) > 0) * 1), "LENGTH": EMITTED}
    steps = {"rows": np.array([[0, 1, 2], [4, 3, 1]]), "η": np.full(2, 0.5)}
    behind = np.where(np.arange(5) < EMITTED[:, None], 0, 7.0)[:, :, None]
    costs = []
    for backend in BACKENDS:
        for x in (normal(5, 5, 2, seed=2), normal(5, 5, 2, seed=2) + behind):
            state = dict(start)
            program = compile(step.system, [step.cost], "float64", backend)
            costs.append(program.run({**data, "X": x}, state, steps=steps)[step.cost])
    assert costs[0][1] != costs[0][0]
    for cost in costs[1:]:
        np.testing.assert_allclose(cost, costs[0], rtol=1e-9)
