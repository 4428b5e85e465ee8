"""Recurrent layers: against torch, in both directions, stacked, over rows of different lengths; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.catalogue import normal
from tests.layers.recurrent_attention import Found, close, found

from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    Backward,
    Bidirectional,
    Dense,
    Layer,
    Network,
    RecurrentDropout,
    Residual,
    initialization,
)
from chainrule.layers.composition import Reading

ROWS, TIMES, FEATURES, UNITS = 3, 5, 4, 3
LENGTHS = np.array([2, 5, 1])
READ = Reading.of({"t": None, "i": FEATURES})
RAGGED = Reading.of({"t": None, "i": FEATURES}, length="t")
X = normal(ROWS, TIMES, FEATURES, seed=7)
KINDS = (RNN, LSTM, GRU)


def joined(values: dict[str, NDArray[Any]], scope: str) -> dict[str, NDArray[Any]]:
    """The tensors of one layer (parameters, or their gradients) as torch has them: gates one below the other."""

    def rows(matrix: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(matrix, 0, -1).reshape(-1, matrix.shape[0])

    return {
        "weight_ih": rows(values[f"{scope}.W"]),
        "weight_hh": rows(values[f"{scope}.U"]),
        "bias_ih": values[f"{scope}.β"].reshape(-1),
    }


def compare_with_torch(torch: Any, ours: Found, module: Any, scopes: dict[str, str], states: str) -> None:
    """The output and all gradients; ``scopes``: our scope → the suffix of torch's parameters."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.zero_()
        for scope, suffix in scopes.items():
            for name, value in joined(ours.values, scope).items():
                parameters[name + suffix].copy_(torch.tensor(value))
            if f"{scope}.γ" in ours.values:
                parameters["bias_hh" + suffix][-UNITS:] = torch.tensor(ours.values[f"{scope}.γ"])
    x = torch.tensor(ours.values["x"], requires_grad=True)
    given = x
    if "length" in ours.values:
        lengths = torch.tensor(ours.values["length"])
        given = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    output, last = module(given)
    if "length" in ours.values:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    if states == "last":
        last = last[0] if isinstance(last, tuple) else last
        output = torch.cat([last[-2], last[-1]], dim=1) if module.bidirectional else last[-1]
    close(ours.output, output, "output")
    (output * torch.tensor(ours.values["weigh"])).sum().backward()
    close(ours.gradients["x"], x.grad, "x")
    for scope, suffix in scopes.items():
        for name, value in joined(ours.gradients, scope).items():
            close(value, parameters[name + suffix].grad, f"{scope}: {name}")
        if f"{scope}.γ" in ours.values:
            close(ours.gradients[f"{scope}.γ"], parameters["bias_hh" + suffix].grad[-UNITS:], f"{scope}.γ")


@pytest.mark.peers
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("states", ["all", "last"])
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_torch(kind: Any, both: bool, states: str, ragged: bool) -> None:
    torch = pytest.importorskip("torch")
    first, second = kind(UNITS, "all"), kind(UNITS, states)
    layer = Network(Bidirectional(first), Bidirectional(second)) if both else Network(first, second)
    ours = found(layer, RAGGED if ragged else READ, {"x": X} | ({"length": LENGTHS} if ragged else {}))
    module = getattr(torch.nn, kind.__name__)(
        FEATURES, UNITS, num_layers=2, batch_first=True, bidirectional=both, dtype=torch.float64
    )
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"] if both else ["_l0", "_l1"]
    scopes = {f"{kind.family}{n}": suffix for n, suffix in enumerate(suffixes, 1)}
    compare_with_torch(torch, ours, module, scopes, states)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("states", ["all", "last"])
def test_a_padded_row_is_the_row_alone(kind: Any, states: Any) -> None:
    layer = Network(Backward(kind(2, "all")), Bidirectional(kind(UNITS, states)))
    together = found(layer, RAGGED, {"x": X, "length": LENGTHS})
    names = [name for name in together.values if "." in name]
    total = dict.fromkeys(names, np.zeros(()))
    for row, length in enumerate(LENGTHS):
        inside = (slice(row, row + 1), slice(length)) if states == "all" else slice(row, row + 1)
        weigh = together.values["weigh"][inside]
        alone = found(layer, READ, {"x": X[row : row + 1, :length], "weigh": weigh}, together.values)
        close(together.output[inside], alone.output)
        close(together.gradients["x"][row, :length], alone.gradients["x"][0])
        assert not together.gradients["x"][row, length:].any()
        total = {name: total[name] + alone.gradients[name] for name in names}
    for name in names:
        close(together.gradients[name], total[name], name)


def test_what_lies_behind_a_row_changes_nothing() -> None:
    layer = Bidirectional(GRU(UNITS, "all"))
    changed = X.copy()
    for row, length in enumerate(LENGTHS):
        changed[row, length:] = 1e6
    first, second = (found(layer, RAGGED, {"x": x, "length": LENGTHS}) for x in (X, changed))
    np.testing.assert_array_equal(first.output, second.output)
    assert all(not first.output[row, length:].any() for row, length in enumerate(LENGTHS))


def test_a_row_without_positions_ends_in_state_zero() -> None:
    ours = found(Bidirectional(LSTM(UNITS)), RAGGED, {"x": X, "length": np.array([0, 3, 5])})
    assert not ours.output[0].any() and ours.output[1:].all()


def test_backward_reads_the_row_from_its_end() -> None:
    forward = found(GRU(UNITS, "all"), READ, {"x": X[:, ::-1].copy()})
    backward = found(Backward(GRU(UNITS, "all")), READ, {"x": X}, forward.values)
    close(backward.output, forward.output[:, ::-1])
    close(found(Backward(GRU(UNITS)), READ, {"x": X}, forward.values).output, forward.output[:, -1])


def test_several_features_and_none() -> None:
    grid = found(RNN(2), Reading.of({"t": 3, "c": 2, "f": 2}), {"x": normal(2, 3, 2, 2)})
    assert grid.values["rnn1.W"].shape == (2, 2, 2) and grid.output.shape == (2, 2)
    series = found(LSTM(2), Reading.of({"t": 3}), {"x": normal(2, 3)})
    assert series.values["lstm1.W"].shape == (4, 2) and series.output.shape == (2, 2)


def test_first_values() -> None:
    made = Network(LSTM(6)).composed({"t": 3, "i": 2})
    values = evaluate(initialization(made.system, made.initializers), {}, seed=1)
    np.testing.assert_array_equal(values["lstm1.β"], np.outer([0, 1, 0, 0], np.ones(6)))
    recurrent = values["lstm1.U"].reshape(6, -1)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-6)


def test_recurrent_dropout_is_the_same_at_all_times() -> None:
    made = Network(RecurrentDropout(0.25)).composed({"t": 20, "i": 50})
    dropped = evaluate(made.system, {"x": np.ones((30, 20, 50))}, seed=1)[made.output.name]
    assert (dropped == dropped[:, :1]).all()
    assert set(np.round(np.unique(dropped), 9)) == {0, round(1 / 0.75, 9)}
    assert dropped.mean() == pytest.approx(1, abs=0.05)


def test_a_network_with_recurrent_parts_goes_through_composites() -> None:
    layer: Layer = Network(Residual(LSTM(FEATURES, "all")), Bidirectional(RNN(2)), Dense(2))
    assert found(layer, RAGGED, {"x": X, "length": LENGTHS}).output.shape == (ROWS, 2)


def test_refusals() -> None:
    for make, words in [
        (lambda: LSTM(0), "LSTM: units must be a whole number of at least 1, not 0"),
        (lambda: GRU(3, "first"), "GRU: states must be 'last' or 'all', not 'first'"),  # type: ignore[arg-type]
        (lambda: RNN(3, recurrent_weights=1), "RNN: recurrent_weights must be one of the initializers"),  # type: ignore[arg-type]
        (lambda: Bidirectional(Dense(3)), r"Bidirectional: layer must be a recurrent layer \(RNN, LSTM, GRU\)"),  # type: ignore[arg-type]
        (lambda: Backward(LSTM), "Backward: layer must be a recurrent layer"),  # type: ignore[arg-type]
        (lambda: RecurrentDropout(1), "RecurrentDropout: rate must be a number at least 0 and below 1"),
        (
            lambda: Network(Dense(3), Dense(2), "a[b] = sum[j](x[b,j])", LSTM(2)).composed({"i": 3}),
            r"LSTM\(2\) reads x\[b,t,…\]",
        ),
    ]:
        with pytest.raises(ChainruleError, match=words):
            make()
