"""Logits by the rows of an embedding: which one is read, one parameter for both, and what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.catalogue import check_gradients, normal, with_cost

from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.layers import Dense, Embedding, LayerNorm, Network, PositionwiseDense, Unembedding


def test_one_parameter_serves_both() -> None:
    made = Network(Embedding(5, 3), LayerNorm(), Unembedding()).composed({"t": 4}, "integer")
    assert [tensor.name for tensor in made.system.parameters] == ["embedding1.E", "layernorm1.γ", "layernorm1.β"]
    values = {"x": np.array([[0, 4, 2, 2]]), "embedding1.E": normal(5, 3)}
    values |= {"layernorm1.γ": np.ones(3), "layernorm1.β": np.zeros(3)}
    found = evaluate(made.system, values)
    np.testing.assert_allclose(found[made.output.name], found["layernorm1.a"] @ values["embedding1.E"].T)


def test_its_gradient_is_of_both_uses() -> None:
    made = Network(Embedding(5, 3), "a[b,t,d] = tanh(x[b,t,d])", Unembedding()).composed({"t": 4}, "integer")
    values = {"x": np.array([[0, 4, 2, 2], [1, 1, 3, 0]]), "embedding1.E": normal(5, 3), "weigh": normal(2, 4, 5)}
    check_gradients(with_cost(made.system, made.output.name), values, "C", ["embedding1.E"])


def test_the_embedding_is_chosen_by_its_number() -> None:
    network = Network(Embedding(5, 3), PositionwiseDense(3), Unembedding(2))
    with pytest.raises(ChainruleError, match=r"unembedding1: there is no embedding2\.E; put an Embedding before it"):
        network.composed({"t": 4}, "integer")


def test_another_size_is_refused() -> None:
    with pytest.raises(ChainruleError, match=r"embedding1\.E has 3 numbers for each symbol, but dense1\.z.* has 2"):
        Network(Embedding(5, 3), PositionwiseDense(2), Unembedding()).composed({"t": 4}, "integer")


def test_it_counts_from_1() -> None:
    with pytest.raises(ChainruleError, match="Unembedding: embedding must be a whole number of at least 1, not 0"):
        Network(Dense(2), Unembedding(0))
