"""The four equations of backpropagation are found by shape, whatever things are called."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CASES
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.notation.backpropagation import backpropagation, layers

RENAMED = """
data in[n,p], out[n,r]
parameter A[p,q], u[q], B[q,r], v[r]
s[n,q] = u[q] + sum[p](A[p,q]*in[n,p])
h[n,q] = tanh(s[n,q])
o[n,r] = sum[q](h[n,q]*B[q,r]) + v[r]
E = sum[n,r]((o[n,r] - out[n,r])^2)
"""


def test_two_layers() -> None:
    log = derive(CASES["dense"].system, "C", ["W1", "β1", "W2", "β2"])
    found = backpropagation(log)
    assert found is not None
    assert [(error.layer.sums.name, error.first) for error in found.errors] == [("z2", True), ("z1", False)]
    assert [str(error.activation_slope) for error in found.errors] == ["a2[b,k]*(1 - a2[b,k])", "a1[b,j]*(1 - a1[b,j])"]
    assert [equation.name for _, equation in found.biases] == ["∂β2", "∂β1"]
    assert [equation.name for _, equation in found.weights] == ["∂W2", "∂W1"]


def test_found_by_shape() -> None:
    found = backpropagation(derive(parse(RENAMED), "E"))
    assert found is not None
    assert [(error.layer.sums.name, error.first) for error in found.errors] == [("o", True), ("s", False)]
    assert [equation.name for _, equation in found.weights] == ["∂B", "∂A"]
    assert [equation.name for _, equation in found.biases] == ["∂v", "∂u"]


@pytest.mark.parametrize("name", ["dense", "softmax", "batch_norm"])
def test_equations_in_full_have_the_same_values(name: str) -> None:
    """BP1 and BP2 as shown, with what arrives put in, against the equations that were derived."""
    case = CASES[name]
    log = derive(case.system, "C", case.wrt)
    found = backpropagation(log)
    if found is None:
        assert name == "batch_norm"
        return
    values = evaluate(log.system, case.values)
    for error in found.errors:
        if error.whole is not None:
            shown = type(error.whole)("shown", error.whole.axes, error.whole.expression)
            system = System((*log.system.equations, shown), log.system.inputs, log.system.sizes)
            np.testing.assert_allclose(evaluate(system, case.values)["shown"], values[error.equation.name], rtol=1e-12)


@pytest.mark.parametrize("name", ["attention", "lstm", "elman", "conv2d"])
def test_other_networks_are_not_called_so(name: str) -> None:
    found = backpropagation(derive(CASES[name].system, "C", CASES[name].wrt))
    assert found is None or all(error.layer.dense and error.first for error in found.errors)


def test_layers_with_windows_are_layers_too() -> None:
    log = derive(CASES["conv2d"].system, "C", CASES["conv2d"].wrt)
    assert [layer.dense for layer in layers(log)][:1] == [False]
