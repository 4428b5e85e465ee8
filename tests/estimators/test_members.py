"""Members of an ensemble as models of their own."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3))
Y = X[:, 0]


def fitted(**settings: object) -> cr.Regressor:
    network = cr.Network(cr.Dense(4), cr.Tanh(), cr.Dropout(0.2), cr.Dense((1, 2)))
    return cr.Regressor(network, cr.Gaussian(), epochs=3, random_state=0, backend="numpy", **settings).fit(X, Y)


def test_training_a_member_leaves_no_trace_in_the_ensemble() -> None:
    model = fitted(ensemble=2)
    before = {name: value.copy() for name, value in model.parameters_.items()}
    one = model.member(0).partial_fit(X, Y)
    assert len(one.history_) == one.n_iter_ == 4
    assert len(model.history_) == model.n_iter_ == 3
    assert all(np.array_equal(value, before[name]) for name, value in model.parameters_.items())


def test_training_a_dropout_ensemble_leaves_no_trace_in_the_network() -> None:
    model = fitted()
    several = model.dropout_ensemble(3).partial_fit(X, Y)
    assert (len(several.history_), len(model.history_)) == (4, 3)


def test_a_dropout_ensemble_has_no_members_to_take_out() -> None:
    with pytest.raises(cr.ChainruleError, match="one network 3 times over"):
        fitted().dropout_ensemble(3).member(0)
