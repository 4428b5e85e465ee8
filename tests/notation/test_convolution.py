"""Convolution forms: the kernel flipped where the textbook flips it, and the values of the equations they came from."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.differences import sample_values
from chainrule.notation.latex import box_latex
from chainrule.notation.mathml import math_element
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_layout import matrix_box
from chainrule.notation.text import box_text
from notation.matrix_values import values_of
from notation.test_catalogue import check_latex, check_mathml
from notation.test_matrix import compared


def written(derivation: cr.Derivation) -> dict[str, str]:
    """The form of each equation that has one, each checked against its equation and written in all three ways."""
    values = sample_values(derivation.forward)
    assert compared(derivation.system, values) > 0
    found = {}
    for equation in derivation.system.equations:
        form = matrix_form(equation, derivation.system)
        if form is not None:
            box = matrix_box(form, derivation.names)
            check_latex(box_latex(box))
            check_mathml(math_element(box))
            found[equation.name] = box_text(box)
    return found


def conv1d(position: str, size: str = "size(h)") -> str:
    return f"""
    axis h = 11, u = 3, o = 2, c = 2, b = 2, p = {size}
    data x[b,c,h], y[b,o,p]
    parameter W[o,c,u], β[o]
    z[b,o,p] = sum[c,u](x[b,c,{position}]*W[o,c,u]) + β[o]
    C = sum[b,o,p]((tanh(z[b,o,p]) - y[b,o,p])^2)
    """


@pytest.mark.parametrize(
    ("position", "size", "forward", "input_gradient", "weight_gradient"),
    [
        ("p + u", "9", "", "(full)", ""),
        ("p + u - 1", "11", "(padding 1)", "(padding nᵤ − 2)", "(padding 1)"),
        ("p + 2*u - 2", "11", "(dilation 2, padding 2)", "(dilation 2, padding 2nᵤ − 4)", "(stride 2, padding 2)"),
        ("p - u", "13", "flip (full)", "", "flip (padding nₚ − 1)"),
    ],
)
def test_one_step_at_a_time(position: str, size: str, forward: str, input_gradient: str, weight_gradient: str) -> None:
    found = written(cr.derive(cr.parse(conv1d(position, size)), "C", ["x", "W"]))
    if forward.startswith("flip"):
        assert found["z"] == f"z_bo = Σ_c x_bc ⋆ flip(W_oc) + βₒ  {forward.removeprefix('flip ')}"
        assert found["∂x"] == "∂C/∂x_bc = Σₒ δ_bo ⋆ W_oc"
        return
    assert found["z"] == f"z_bo = Σ_c x_bc ⋆ W_oc + βₒ  {forward}".rstrip()
    assert found["∂x"] == f"∂C/∂x_bc = Σₒ δ_bo ⋆ flip(W_oc)  {input_gradient}"
    assert found["∂W"] == f"∂C/∂W_oc = Σ_b x_bc ⋆ δ_bo  {weight_gradient}".rstrip()


@pytest.mark.parametrize(
    ("position", "size", "input_gradient", "weight_gradient"),
    [
        ("2*p + u", "5", "spread₂(δ_bo) ⋆ flip(W_oc)  (full)", "(dilation 2)"),
        ("3*p + u - 1", "4", "spread₃(δ_bo) ⋆ flip(W_oc)  (padding nᵤ − 2)", "(dilation 3, padding 1)"),
        ("3*p + 2*u - 1", "3", "spread₃(δ_bo) ⋆ flip(W_oc)  (dilation 2, padding 2nᵤ − 3)",
         "(stride 2, dilation 3, padding 1)"),
    ],
)  # fmt: skip
def test_strides_spread_the_error(position: str, size: str, input_gradient: str, weight_gradient: str) -> None:
    found = written(cr.derive(cr.parse(conv1d(position, size)), "C", ["x", "W"]))
    assert found["∂x"] == f"∂C/∂x_bc = Σₒ {input_gradient}"
    assert found["∂W"] == f"∂C/∂W_oc = Σ_b x_bc ⋆ δ_bo  {weight_gradient}"


def test_two_dimensions_with_a_step_of_their_own() -> None:
    text = """
    axis h = 7, w = 8, u = 3, v = 2, o = 2, c = 3, b = 2, p = 4, q = 7
    data x[b,c,h,w], y[b,o,p,q]
    parameter W[o,c,u,v]
    a[b,o,p,q] = tanh(sum[c,u,v](x[b,c,2*p + u - 1,q + v]*W[o,c,u,v]))
    C = sum[b,o,p,q]((a[b,o,p,q] - y[b,o,p,q])^2)
    """
    found = written(cr.derive(cr.parse(text), "C", ["x", "W"]))
    assert found["a"] == "a_bo = tanh(Σ_c x_bc ⋆ W_oc)  (stride 2 and 1, padding 1 and 0)"
    assert found["∂x"].endswith("Σₒ spread_{2,1}(∂C/∂a_bo ⊙ (1 − a_bo^∘2)) ⋆ flip(W_oc)  (padding nᵤ − 2 and nᵥ − 1)")
    assert found["∂W"].endswith("Σ_b x_bc ⋆ (∂C/∂a_bo ⊙ (1 − a_bo^∘2))  (dilation 2 and 1, padding 1 and 0)")


def test_groups_channels_of_their_own_and_pooling() -> None:
    text = """
    axis h = 7, u = 3, v = 2, o = 2, c = 3, g = 2, b = 2, p = 7, q = 3
    data x[b,g,c,h]
    parameter W[g,o,c,u], D[g,o,u]
    z[b,g,o,p] = sum[c,u](x[b,g,c,p + u - 1]*W[g,o,c,u])
    d[b,g,o,p] = tanh(z[b,g,o,p])
    e[b,g,o,p] = sum[u](d[b,g,o,p + u - 1]*D[g,o,u])
    m[b,g,o,q] = sum[v](e[b,g,o,2*q + v])/size(v)
    C = sum[b,g,o,q](m[b,g,o,q]^2)
    """
    found = written(cr.derive(cr.parse(text), "C", ["x", "W", "D"]))
    assert found["z"] == "z_bgo = Σ_c x_bgc ⋆ W_goc  (padding 1)"
    assert found["e"] == "e_bgo = d_bgo ⋆ D_go  (padding 1)"
    assert found["m"] == "m_bgo = 1/nᵥ · e_bgo ⋆ 1ᵥ  (stride 2)"
    assert found["∂e"].endswith("spread₂(∂C/∂m_bgo) ⋆ 1ᵥ  (full)")
    assert found["∂D"].endswith("Σ_b d_bgo ⋆ ∂C/∂e_bgo  (padding 1)")


@pytest.mark.parametrize(
    "text",
    [
        "y[b,p] = max[u](x[b,2*p+u])",
        "y[b,p] = sum[u](exp(x[b,p+u])*W[u])",
        "y[b,p] = sum[u](x[b,p+u]*W[u]*V[p])",
        "y[b,p] = sum[u](x[b,p+u]*W[u]*V[p+2*u])",
        "y[b,p] = sum[u](x[b,(p+u)//2]*W[u])",
        "y[b,p] = sum[u](x[b,p+u]*W[u]*[p > u])",
        "y[b,p] = sum[u](x[b,p+u]*[0 <= p + u < size(u)]*W[u])",
        "y[b,p] = sum[u](x[t[b],u-p]*W[u])",
        "h[b,p] = tanh(sum[u](h[b,p-1]*W[u]))",
    ],
)
def test_no_windows(text: str) -> None:
    declared = "data x[b,h], V[h]\nparameter W[u]\ninteger t[b]\n"
    system = cr.parse(declared + text)
    form = matrix_form(system.equations[0], system)
    assert form is None or "⋆" not in box_text(matrix_box(form, cr.derive(cr.parse(SQUARE), "C").names))


SQUARE = "parameter w\nC = w^2"


def test_values_of_windows_are_seen() -> None:
    """The comparison itself can fail: with another padding the form has other values."""
    system = cr.parse("axis p = 5, u = 3, h = 5\ndata x[h], W[u]\ny[p] = sum[u](x[p+u-1]*W[u])")
    other = cr.parse("axis p = 5, u = 3, h = 5\ndata x[h], W[u]\ny[p] = sum[u](x[p+u]*W[u])")
    values = {"x": np.arange(1.0, 6.0), "W": np.array([1.0, 2.0, 4.0])}
    arrays = {name: np.asarray(array) for name, array in cr.evaluate(system, values).items()}
    form = matrix_form(other.equations[0], other)
    assert form is not None
    ((left, right),) = values_of(form, arrays, {"p": 5, "u": 3, "h": 5})
    assert not np.allclose(left, right)
