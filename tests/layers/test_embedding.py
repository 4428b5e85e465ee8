"""Embeddings and positional encodings: against torch and the formulas of their papers; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal
from tests.layers.recurrent_attention import close, found

from chainrule.backends import BACKENDS, compile
from chainrule.errors import ChainruleError
from chainrule.layers import (
    Embedding,
    LearnedPositions,
    Network,
    PositionwiseDense,
    RotaryPositions,
    SinusoidalPositions,
)
from chainrule.layers.composition import Reading

SYMBOLS = np.array([[3, 0, 6], [6, 6, 1]])
READ = Reading.of({"t": None}, "integer")
POSITIONS = Reading.of({"t": None, "d": 4})


@pytest.mark.peers
def test_torch_embedding_and_dense() -> None:
    torch = pytest.importorskip("torch")
    ours = found(Network(Embedding(7, 4), PositionwiseDense(3)), READ, {"x": SYMBOLS})
    leaves = {name: torch.tensor(ours.values[name], requires_grad=True) for name in ours.gradients}
    rows = torch.nn.functional.embedding(torch.tensor(SYMBOLS), leaves["embedding1.E"])
    output = torch.nn.functional.linear(rows, leaves["dense1.W"].T, leaves["dense1.β"])
    close(ours.output, output)
    (output * torch.tensor(ours.values["weigh"])).sum().backward()
    for name, leaf in leaves.items():
        close(ours.gradients[name], leaf.grad, name)


def test_symbols_of_any_axes_and_repeated_ones() -> None:
    ours = found(Embedding(7, 4), READ, {"x": SYMBOLS})
    table = ours.values["embedding1.E"]
    np.testing.assert_array_equal(ours.output, table[SYMBOLS])
    expected = np.zeros_like(table)
    np.add.at(expected, SYMBOLS, ours.values["weigh"])
    close(ours.gradients["embedding1.E"], expected)
    np.testing.assert_array_equal(
        found(Embedding(3, 2), Reading.of({}, "integer"), {"x": SYMBOLS[0]}).output.shape, [3, 2]
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_symbol_outside_the_vocabulary_is_zero_and_learns_nothing(backend: str) -> None:
    inside, outside = (found(Embedding(7, 4), READ, {"x": x}) for x in (SYMBOLS, np.array([[3, 0, 7], [-1, 6, 1]])))
    assert not outside.output[0, 2].any() and not outside.output[1, 0].any()
    made = Network(Embedding(7, 4)).composed({"t": None}, "integer")
    program = compile(made.system, [made.output.name], "float64", backend)
    state = {"embedding1.E": inside.values["embedding1.E"]}
    found_there = program.run({"x": outside.values["x"]}, state)[made.output.name]
    np.testing.assert_array_equal(found_there, outside.output)


def test_sinusoidal_positions() -> None:
    x = normal(2, 5, 6)
    ours = found(SinusoidalPositions(100.0), Reading.of({"t": None, "d": 6}), {"x": x})
    angle = np.arange(5)[:, None] / 100 ** (np.arange(0, 6, 2) / 6)
    encoding = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(5, 6)
    close(ours.output, x + encoding)


def test_rotary_positions() -> None:
    x = normal(2, 5, 3, 4)
    ours = found(RotaryPositions(), Reading.of({"t": None, "h": 3, "d": 4}), {"x": x})
    turn = np.exp(1j * np.arange(5)[:, None, None] / 10000 ** (np.arange(0, 4, 2) / 4))
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
    close(ours.output, np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape))
    weigh = ours.values["weigh"]
    back = (weigh[..., 0::2] + 1j * weigh[..., 1::2]) * turn.conj()
    close(ours.gradients["x"], np.stack([back.real, back.imag], axis=-1).reshape(x.shape))


@pytest.mark.parametrize("size", [None, 3, 5], ids=["with the data", "shorter", "equal"])
def test_learned_positions(size: int | None) -> None:
    length = size or 3
    ours = found(LearnedPositions(5), Reading.of({"t": size, "d": 4}), {"x": normal(2, length, 4)})
    learnt = ours.values["positions1.P"]
    assert learnt.shape == (5, 4)
    close(ours.output, ours.values["x"] + learnt[:length])
    expected = np.zeros((5, 4))
    expected[:length] = ours.values["weigh"].sum(axis=0)
    close(ours.gradients["positions1.P"], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_positions_than_were_learnt_are_refused(backend: str) -> None:
    with pytest.raises(ChainruleError, match="LearnedPositions: 5 positions, but axis t has 6"):
        Network(LearnedPositions(5)).composed({"t": 6, "d": 4})
    made = Network(LearnedPositions(5)).composed({"t": None, "d": 4})
    program = compile(made.system, [made.output.name], "float64", backend)
    state: dict[str, Any] = {"positions1.P": normal(5, 4)}
    assert program.run({"x": normal(2, 4, 4)}, dict(state))[made.output.name].shape == (2, 4, 4)
    with pytest.raises(ChainruleError, match=r"axis t .* size\(t\) = 6, size\(s\) = 5"):
        program.run({"x": normal(2, 6, 4)}, dict(state))


def test_refusals() -> None:
    for make, words in [
        (lambda: Embedding(0, 4), "Embedding: vocabulary must be a whole number of at least 1, not 0"),
        (lambda: Embedding(4, 0), "Embedding: units must be a whole number of at least 1, not 0"),
        (lambda: Embedding(4, 2, weights=0.1), "Embedding: weights must be one of the initializers"),  # type: ignore[arg-type]
        (lambda: LearnedPositions(2.5), "LearnedPositions: length must be a whole number"),  # type: ignore[arg-type]
        (lambda: SinusoidalPositions(0), "SinusoidalPositions: base must be a number above 0"),
        (lambda: Network(LearnedPositions(5)).composed({"d": 4}), r"LearnedPositions: x\[b,t,d\] is wanted"),
        (
            lambda: Network(RotaryPositions()).composed({"t": 2, "d": 3}),
            r"pairs along d are turned, but x\[b,t,d\] has 3",
        ),
        (lambda: PositionwiseDense(0), "PositionwiseDense: units must be a whole number"),
    ]:
        with pytest.raises(ChainruleError, match=words):
            make()


def test_real_numbers_are_no_symbols() -> None:
    with pytest.raises(ChainruleError, match=r"^embedding1 reads whole numbers .*; x\[b,i\] holds real numbers$"):
        Network(Embedding(5, 2)).composed({"i": 6})
