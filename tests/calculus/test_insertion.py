"""Normalization: deviations from a mean add up to 0; derivatives of mean and variance go into the compact form."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CASES
from chainrule.calculus.differences import sample_values
from chainrule.calculus.insertion import statistics, without_statistics
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.node import Equation
from chainrule.equations.parse import parse

SCALED = """
data x[b,c,h], y[b,c,h]
parameter w[c], γ[c]
ε = 1e-5
n = size(b)*size(h)
z[b,c,h] = w[c]*x[b,c,h] + x[b,c,h]^2
μ[c] = sum[b,h](z[b,c,h])/n
v[c] = sum[b,h]((z[b,c,h] - μ[c])^2)/n
a[b,c,h] = γ[c]*(z[b,c,h] - μ[c])*rsqrt(v[c] + ε) + 1
C = sum[b,c,h]((a[b,c,h] - y[b,c,h])^2)
"""


BATCH = "(∂n[b,j] - sum[b'](∂n[b',j]*n[b',j])*n[b,j]/size(b) - sum[b'](∂n[b',j])/size(b))/sqrt(v[j] + ε)"
LAYER = "rsqrt(v[b] + ε)*(∂n[b,j] - sum[j'](∂n[b,j']*n[b,j'])*n[b,j]/size(j) - sum[j'](∂n[b,j'])/size(j))"


@pytest.mark.parametrize(("name", "wanted"), [("batch_norm", BATCH), ("layer_norm", LAYER)])
def test_two_means_subtracted(name: str, wanted: str) -> None:
    used, steps = without_statistics(derive(CASES[name].system, "C", CASES[name].wrt), "z")
    assert set(used) == {"μ", "v"}
    assert str(steps[-1].after.expression) == wanted


@pytest.mark.parametrize("text", [SCALED, str(CASES["batch_norm"].system), str(CASES["layer_norm"].system)])
def test_every_step_keeps_the_value(text: str) -> None:
    system = parse(text)
    log = derive(system, "C")
    _, steps = without_statistics(log, "z")
    values = sample_values(system)
    found = evaluate(log.system, values)
    for number, step in enumerate(steps):
        shown = Equation(f"shown{number}", step.after.axes, step.after.expression)
        again = evaluate(log.system.extended([shown]), values)[shown.name]
        np.testing.assert_allclose(again, found["∂z"], rtol=1e-9, atol=1e-12, err_msg=f"{step.rule}: {step.after}")


def test_the_compact_form_of_what_is_not_named() -> None:
    _, steps = without_statistics(derive(parse(SCALED), "C"), "z")
    assert str(steps[-1].after.expression) == (
        "γ[c]*rsqrt(v[c] + ε)*(∂a[b,c,h] - sum[b',h'](∂a[b',c,h']*(z[b',c,h'] - μ[c]))*(z[b,c,h] - μ[c])/"
        "(n*(v[c] + ε)) - sum[b',h'](∂a[b',c,h'])/n)"
    )


def test_deviations_from_another_mean_stay() -> None:
    text = "parameter z[b,j]\nμ[j] = sum[b](z[b,j])/{}\nC = sum[j](sum[b](z[b,j] - μ[j])^2)"
    assert str(derive(parse(text.format("size(b)")), "C").equations[0].expression) == "0"
    assert "z[b,j] - μ[j]" in str(derive(parse(text.format("size(j)")), "C").equations[0])
    assert "z[b,j] - μ[j]" in str(derive(parse(text.format("(size(b) - 1)")), "C").equations[0])


def test_what_is_no_statistic() -> None:
    """A mean over positions that goes on alone has a derivative of its own, which stays where it is."""
    log = derive(parse("parameter z[b,t]\nm[b] = sum[t](z[b,t])/size(t)\nC = sum[b](m[b]^2)"), "C")
    assert statistics(log, "z") == () and without_statistics(log, "z") == ((), ())
