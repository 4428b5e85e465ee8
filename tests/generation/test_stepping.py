"""One position after another gives what the whole network gives, if it is causal; other networks are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.backends import compile
from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.generation.horizon import ANYWHERE, horizons
from chainrule.generation.stepping import NOW, Stepping, stepping
from chainrule.layers import (
    GRU,
    LSTM,
    RNN,
    Attention,
    BatchNorm,
    Bidirectional,
    Composed,
    Embedding,
    Layer,
    LearnedPositions,
    MultiHeadAttention,
    Network,
    PositionwiseDense,
    RotaryPositions,
    SinusoidalPositions,
    initialization,
)
from chainrule.layers.composition import Reading
from chainrule.networks import gpt

SYMBOLS, LENGTH = 5, 7


def after_embedding(*layers: Layer | str) -> Network:
    return Network(Embedding(SYMBOLS, 4), *layers, PositionwiseDense(SYMBOLS))


CAUSAL = {
    "rnn": after_embedding(RNN(3, states="all")),
    "lstm": after_embedding(LSTM(3, states="all"), LSTM(2, states="all")),
    "gru": after_embedding(GRU(3, states="all")),
    "learned positions": gpt(SYMBOLS, LENGTH + 4, layers=2, heads=2, units=4, dropout=0.5),
    "sinusoidal positions": after_embedding(SinusoidalPositions(), Attention(3, causal=True)),
    "rotary, grouped heads": after_embedding(
        MultiHeadAttention(2, key_heads=1, causal=True, positions=RotaryPositions(7.0))
    ),
    "attention to states": after_embedding(GRU(3, states="all"), Attention(3, causal=True)),
    "causal convolution": after_embedding(
        "axis o = 4, u = 3\nparameter W[u,o,d]\ndata x[b,t,d]\na[b,t,o] = tanh(sum[u,d](x[b,t-u,d]*W[u,o,d]))"
    ),
    "two positions back": after_embedding("data x[b,t,d]\ny[b,t,d] = sigmoid(x[b,t,d]) - y[b,t-1,d]*y[b,t-2,d]"),
    "mean so far": after_embedding("data x[b,t,d]\ny[b,t,d] = sum[t']([t' <= t]*x[b,t',d])/(t + 1)"),
}


def composed(network: Layer) -> Composed:
    under, x = Reading.of({"t": LENGTH}, "integer").compose()
    return under.composed(network.predicting.compose(under, x))


def parameters(made: Composed) -> dict[str, Any]:
    values = evaluate(initialization(made.system, made.initializers), {}, seed=3)
    return {tensor.name: values[tensor.name] for tensor in made.system.parameters}


def one_by_one(step: Stepping, values: dict[str, Any], x: Any, backend: str) -> Any:
    """The output at all positions [b,t,v]."""
    steps = {"x": x.T} | ({NOW: np.arange(x.shape[1])} if step.positions is not None else {})
    found = compile(step.system, (step.output,), "float64", backend).run({}, dict(values), steps)
    return np.asarray(found[step.output]).swapaxes(0, 1)


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("name", CAUSAL)
def test_steps_give_what_the_network_gives(name: str, backend: str) -> None:
    made = composed(CAUSAL[name])
    step, values = stepping(made.system, made.output.name), parameters(made)
    x = np.random.default_rng(0).integers(0, SYMBOLS, (3, LENGTH))
    expected = evaluate(made.system, {"x": x, **values})[made.output.name]
    assert np.abs(one_by_one(step, values, x, backend) - expected).max() < 1e-12


def test_only_what_later_positions_read_is_kept() -> None:
    kept = {name: [t.name for t in _step(CAUSAL[name]).system.named("state")] for name in CAUSAL}
    assert kept["rnn"] == ["rnn1.h.before"]
    assert kept["lstm"] == ["lstm1.h.before", "lstm1.c.before", "lstm2.h.before", "lstm2.c.before"]
    assert kept["learned positions"] == [f"attention{n}.{kind}.past" for n in (1, 2) for kind in "kv"]
    assert kept["rotary, grouped heads"] == ["rotary2.a.past", "attention1.v.past"]


def test_how_many_positions_there_may_be() -> None:
    assert _step(CAUSAL["lstm"]).positions is None
    assert _step(CAUSAL["learned positions"]).positions == LENGTH
    # Positions are read though nothing is kept of them.
    assert _step(after_embedding(LearnedPositions(LENGTH), RNN(2, states="all"))).positions == LENGTH


@pytest.mark.parametrize(
    "layer",
    [
        MultiHeadAttention(2),
        Bidirectional(LSTM(2, states="all")),
        "data x[b,t,d]\ny[b,t,d] = x[b,t+1,d]",
        "data x[b,t,d]\ny[b,t,d] = x[b,t,d]/size(t)",
        "data x[b,t,d]\nm[b,d] = sum[t](x[b,t,d])\ny[b,t,d] = x[b,t,d] - m[b,d]",
        "data x[b,t,d]\ny[b,t,d] = x[b,size(t)-1-t,d]",
        "data x[b,t,d]\ny[b,t,d] = sum[t']([t' >= t]*x[b,t',d])",
        "data x[b,t,d]\ny[b,t,d] = sum[t'](where([t' <= t + 1], x[b,t',d], 0))",
    ],
    ids=str,
)
def test_what_looks_ahead_is_refused(layer: Layer | str) -> None:
    with pytest.raises(ChainruleError, match=r"depends on later positions"):
        _step(after_embedding(layer))


def test_the_last_state_only_is_refused() -> None:
    with pytest.raises(ChainruleError, match=r"lstm1.a\[b,k\] has no positions t"):
        _step(Network(Embedding(SYMBOLS, 4), LSTM(3)))


def test_whole_numbers_are_not_kept() -> None:
    with pytest.raises(ChainruleError, match=r"x\[b,t - 1\].*read an embedding"):
        _step(Network("integer x[b,t]\nparameter E[v,d]\naxis v = 5, d = 5\ny[b,t,d] = E[x[b,t-1],d]"))


def test_running_means_do_not_look_ahead() -> None:
    _step(after_embedding(BatchNorm()))


def test_horizons_of_attention() -> None:
    found = horizons(composed(after_embedding(Attention(3, causal=True))).system, "t")
    assert found["attention1.e"] == {"t", "t'"}
    assert found["attention1.A"] == {"t"}
    assert found["attention1.a"] == {"t"}
    everywhere = horizons(composed(after_embedding(Attention(3))).system, "t")
    assert everywhere["attention1.a"] == {"t", ANYWHERE}


def _step(network: Layer) -> Stepping:
    made = composed(network)
    return stepping(made.system, made.output.name)
