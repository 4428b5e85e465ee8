"""A system lifted along an axis is the system at each of its positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.equations.check import check
from chainrule.equations.evaluate import evaluate
from chainrule.equations.lift import lift, lowered
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.errors import ChainruleError
from strategies import Example, examples

MEMBERS = 3


@settings(max_examples=150)
@given(examples(), st.randoms(use_true_random=False))
def test_each_position_is_the_system(example: Example, random: object) -> None:
    names = sorted(tensor.name for tensor in example.system.inputs)
    chosen = random.sample(names, random.randint(1, len(names)))  # type: ignore[attr-defined]
    system = lift(example.system, "member", MEMBERS, chosen)
    check(system)
    several = [dict(example.values) for _ in range(MEMBERS)]
    for at, values in enumerate(several):
        for name in chosen:
            if values[name].dtype.kind == "f":
                values[name] = values[name] * (1 + 0.1 * at)
    together = {n: np.stack([v[n] for v in several]) if n in chosen else v for n, v in example.values.items()}
    found = evaluate(system, together)
    for at, values in enumerate(several):
        alone = evaluate(example.system, values)
        for equation in system.equations:
            value = found[equation.name][at] if equation.axes[:1] == ("member",) else found[equation.name]
            np.testing.assert_allclose(value, alone[equation.name], rtol=1e-12, atol=1e-12, err_msg=str(equation))


@settings(max_examples=100)
@given(examples())
def test_lowering_takes_it_back(example: Example) -> None:
    names = [tensor.name for tensor in example.system.inputs]
    lifted = lift(example.system, "member", MEMBERS, names)
    found = lowered(lifted)
    if any(tensor.role == "random" for tensor in example.system.inputs):
        assert found is None or found[0] != "member"
    else:
        assert found == ("member", System(example.system.equations, example.system.inputs, example.system.sizes))


@pytest.mark.parametrize(
    "text",
    [
        "data x[e,i]\ny[e] = sum[e',i](x[e',i]) + x[e,0]",
        "data x[e,i]\ny[e,i] = x[e-1,i]",
        "data x[e,i]\ny[i] = sum[e](x[e,i])",
        "data x[e,i]\ny[e,i] = x[e,i]*e",
        "data x[e,i]\ny[e,i] = x[e,i]/size(e)",
        "data x[i,e]\ny[i,e] = 2*x[i,e]\nz[e] = y[0,e]",
        "random u[e,i] ~ uniform\ny[e,i] = u[e,i]",
        "state a[i] = 0\ndata x[e,i]\ny[e,i] = x[e,i] + a[i]\na'[i] = a[i] + 1",
    ],
)
def test_what_belongs_together_is_not_taken_apart(text: str) -> None:
    found = lowered(parse(text))
    assert found is None or found[0] == "i"


def test_what_cannot_be_lifted() -> None:
    system = parse("data x[b,i]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])")
    with pytest.raises(ChainruleError, match="has an axis j already"):
        lift(system, "j", 2, ["W"])
    with pytest.raises(ChainruleError, match="reads no V"):
        lift(system, "e", 2, ["V"])
    assert str(lift(system, "e", 2, ["W"]).equations[0]) == "z[e,b,j] = sum[i](x[b,i]*W[e,i,j])"
