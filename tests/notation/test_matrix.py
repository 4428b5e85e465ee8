"""Matrix forms: recognised where there is one, and with the values of the equation they came from."""

from __future__ import annotations

import numpy as np
import pytest

from cases import CASES, Case
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_layout import matrix_box
from chainrule.notation.names import Names
from chainrule.notation.text import box_text
from notation.matrix_values import values_of

FORMS = """
data x[b,i], y[b,k], u[i], v[b], q[b,h,t,d], K[b,h,s,d], X[b,t,i]
parameter W[i,k], β[k], R[k,l], P[i,i'], c
z[b,k] = sum[i](x[b,i]*W[i,k]) + β[k]
back[b,i] = sum[k](y[b,k]*W[i,k])
outer[i,k] = sum[b](x[b,i]*y[b,k])
ones[k] = sum[b](y[b,k])
slope[b,k] = y[b,k]*z[b,k]*(1 - z[b,k])
square = sum[b,k]((y[b,k] - z[b,k])^2)/(2*size(b))
dot = sum[i](u[i]*u[i]) + c*sum[b](v[b])
pair = sum[b,k](y[b,k]*z[b,k])
three = sum[b,i](v[b]*x[b,i]*u[i])
chain[b,l] = sum[i,k](x[b,i]*W[i,k]*R[k,l])
weighted[i,k] = sum[b](x[b,i]*v[b]*y[b,k])
rows[b,k] = v[b]*y[b,k]/β[k]
rank[b,i] = v[b]*u[i]
diagonal[i,i'] = P[i,i'] - 0.5*[i = i']
activated[b,k] = tanh(z[b,k]) + exp(-z[b,k]^2)*max(z[b,k], 0)
scores[b,h,t,s] = sum[d](q[b,h,t,d]*K[b,h,s,d])/sqrt(size(d))
elementwise[b,h,t,s] = relu(scores[b,h,t,s])*2
every[i,k] = sum[b,t](X[b,t,i]*H[b,t,k])
H[b,t,k] = tanh(sum[i](X[b,t,i]*W[i,k]) + sum[k'](H[b,t-1,k']*G[k',k]))
G[k',k] = R[k',0]*W[0,k]
"""

WRITTEN = {
    "z": "z = x W + 1 βᵀ",
    "back": "back = y Wᵀ",
    "outer": "outer = xᵀ y",
    "ones": "ones = yᵀ 1",
    "slope": "slope = y ⊙ z ⊙ (1 − z)",
    "square": "square = 1/(2 n_b) · ‖y − z‖²",
    "dot": "dot = ‖u‖² + c vᵀ 1",
    "pair": "pair = 1ᵀ (y ⊙ z) 1",
    "three": "three = vᵀ x u",
    "chain": "chain = x W R",
    "weighted": "weighted = xᵀ diag(v) y",
    "rows": "rows = diag(v) y diag(1 ⊘ β)",
    "rank": "rank = v uᵀ",
    "diagonal": "diagonal = P − 0.5 I",
    "activated": "activated = tanh(z) + exp(−z^∘2) ⊙ max(z, 0)",
    "scores": "scores_bh = 1/√n_d · q_bh K_bhᵀ",
    "elementwise": "elementwise = 2 ReLU(scores)",
    "every": "every = Σ_b X_bᵀ H_b",
    "H": "Hₜ = tanh(Xₜ W + Hₜ₋₁ G)",
    "G": None,
}


def _system() -> System:
    return parse(FORMS)


@pytest.mark.parametrize("name", WRITTEN)
def test_recognised(name: str) -> None:
    system = _system()
    form = matrix_form(system.by_name[name], system)
    assert (None if form is None else box_text(matrix_box(form, Names(system)))) == WRITTEN[name]


def test_values() -> None:
    system = _system()
    sizes = {"b": 3, "i": 4, "k": 5, "l": 2, "h": 2, "t": 3, "s": 4, "d": 2}
    generator = np.random.default_rng(1)
    values = {
        tensor.name: generator.normal(size=[sizes[axis.rstrip("'")] for axis in tensor.axes])
        for tensor in system.inputs
    }
    assert compared(system, values) == len([text for text in WRITTEN.values() if text is not None])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_values_of_derivations(case: Case) -> None:
    assert compared(derive(case.system, "C", case.wrt).system, case.values) > 0


def compared(system: System, values: dict[str, np.ndarray]) -> int:
    """Compare every matrix form with the oracle; return how many there are."""
    arrays = evaluate(system, values)
    sizes = solve_sizes(system, {name: array.shape for name, array in arrays.items()})
    count = 0
    for equation in system.equations:
        form = matrix_form(equation, system)
        if form is not None:
            count += 1
            for left, right in values_of(form, arrays, sizes):
                right = np.reshape(right, np.shape(left)) if np.ndim(left) == 0 else right  # 1×1 is a number
                assert np.shape(right) == np.shape(left), str(equation)
                np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-12, err_msg=str(equation))
    return count


@pytest.mark.parametrize(
    "text",
    [
        "e[b,d] = E[t[b],d]",
        "m[b,p] = max[v](z[b,2*p+v])",
        "y[b,k] = x[b,k]*[k > 2]",
        "s[b] = logsumexp[k](z[b,k])",
        "C = sum[i,j,k](A[i,j]*B[j,k]*D[k,i])",
        "y[b,k] = x[k]",
    ],
)
def test_no_form(text: str) -> None:
    declared = "data E[v,d], z[b,h], x[b,k], w[u], A[i,j], B[j,k], D[k,i]\ninteger t[b]\n"
    declared = declared.replace("x[b,k]", "x[k]") if "x[k]" in text else declared
    system = parse(declared + text)
    form = matrix_form(system.equations[0], system)
    assert form is None or text.startswith("y[b,k] = x[k]")
