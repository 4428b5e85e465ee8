"""What single rules must get right: signs, bound axes, strong zeros, names, and what is asked for."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.calculus.differences import check_gradients, sample_values
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse


def derived(text: str, *wrt: str) -> dict[str, str]:
    """Derivative → its right-hand side; each checked against finite differences, and read back as it is written."""
    system = parse(text)
    log = derive(system, "C", wrt or None)
    assert parse(str(log.system)) == log.system
    for check in check_gradients(system, "C", sample_values(system), wrt or None):
        assert check.error < 1e-7, check
    return {equation.name: str(equation.expression) for equation in log.equations}


def test_odd_powers_keep_the_sign() -> None:
    assert derived("parameter x[b]\nC = sum[b]((-x[b])^3)")["∂x"] == "-3*x[b]^2"
    assert derived("parameter w\nz = -w\nC = (-z)^3*z")["∂z"] == "-4*z^3"
    derived("parameter x[b], y[b]\nC = sum[b](1/(-x[b])^2*y[b])")


def test_a_bound_axis_is_not_captured() -> None:
    text = "parameter x[p], W[p], V\nm[p] = sum[u](x[p+1]*W[u])\nC = sum[p](m[p]^2) + V*sum[u](x[u+1]*W[u])"
    assert derived(text)["∂V"] == "sum[u](x[u + 1]*W[u])"
    text = "axis u = 4\nparameter x[p], W[u], V[u]\ndata q[p]\nm[p] = sum[u](x[p]*W[u])\n"
    derived(text + "C = sum[p](m[p]^2) + sum[u](V[u]*q[u//2]*sum[u](x[u//2]*W[u]))")


def test_what_a_bracket_protects_stays_behind_it() -> None:
    system = parse("parameter s[t]\ndata n[t], x[u]\nC = sum[t](s[t]*sum[u]([u < t]*x[u]*log(n[t])))")
    values = {"s": [1.0, 2.0], "n": [0.0, 2.0], "x": [3.0]}
    gradient = evaluate(derive(system, "C").system, values)["∂s"]
    np.testing.assert_allclose(gradient, [0, 3 * np.log(2)])


def test_the_exponent_of_zero() -> None:
    system = parse("data x[b]\nparameter n\nC = sum[b](x[b]^n)")
    gradient = evaluate(derive(system, "C").system, {"x": [0.0, 1.5], "n": 2.0})["∂n"]
    np.testing.assert_allclose(gradient, 1.5**2 * np.log(1.5))


@pytest.mark.parametrize(
    ("text", "tensor", "wanted"),
    [
        ("parameter x[i]\nC = sum[i](x[i]^2 + 2*x[i]^2 + x[i])", "∂x", "6*x[i] + 1"),
        ("parameter x\nC = sqrt(3)^2*x", "∂x", "3"),
        ("parameter x\nC = x*size(i)/size(i)^2 + sum[i](y[i])*0\ndata y[i]", "∂x", "1/size(i)"),
        (
            "parameter z[b]\na[b] = z[b]*sigmoid(z[b])\nC = sum[b](a[b])",
            "∂z",
            "∂a[b]*(sigmoid(z[b]) + (1 - sigmoid(z[b]))*a[b])",
        ),
        (
            "parameter z[b,k]\np[b,k] = exp(z[b,k])/sum[k](exp(z[b,k]))\nC = sum[b,k](p[b,k]^3)",
            "∂z",
            "p[b,k]*(∂p[b,k] - sum[k'](∂p[b,k']*p[b,k']))",
        ),
        (
            "parameter z[b,k]\ninteger t[b]\nC = sum[b](logsumexp[k](z[b,k]) - z[b,t[b]])/size(b)",
            "∂z",
            "(exp(z[b,k] - logsumexp[k'](z[b,k'])) - [k = t[b]])/size(b)",
        ),
        ("parameter x, y\nC = where([x > 0]*[y > 0], x*y, 0)", "∂x", "y*[x > 0]*[y > 0]"),
    ],
)
def test_results_as_in_the_book(text: str, tensor: str, wanted: str) -> None:
    assert derived(text)[tensor] == wanted


def test_bound_and_free_names_differ() -> None:
    text = "parameter Q[q,d], K[k,d]\nC = sum[q,k](sum[d](Q[q,d]*K[k,d])^2)"
    assert derived(text)["∂Q"] == "2*sum[k](sum[d'](Q[q,d']*K[k,d'])*K[k,d])"


def test_what_is_asked_for() -> None:
    system = parse("parameter W[i], V[j]\nz[i] = W[i]^2\nC = sum[i](z[i]^2)\nD = sum[j](V[j])")
    assert set(derive(system, "C").gradients) == {"W"}
    assert set(derive(system, "C", "W").gradients) == {"W"}
    assert [e.name for e in derive(system, "C", ["W", "W"]).equations] == ["∂z", "∂W"]
    for wrt, message in (("C", "is the cost itself"), ("V", "does not depend on V"), ("X", "no X"), ((), "no tensors")):
        with pytest.raises(cr.ChainruleError, match=message):
            derive(system, "C", wrt)


def test_time_runs_backwards_and_says_so() -> None:
    system = parse("parameter u\ndata x[t]\nh[t] = tanh(x[t] + u*h[t-1])\nC = sum[t](h[t]^2)")
    reasons = [step.reason for step in derive(system, "C").steps_of("h") if step.rule == "chain rule"]
    assert any("from the last t to the first, backpropagation through time" in reason for reason in reasons)


def test_second_derivatives_take_names_that_are_free() -> None:
    system = parse(
        "parameter u[i]\ndata x[b,i], slope[b]\ns[b] = sum[i](tanh(x[b,i]*u[i]))\nC = sum[b](s[b]^2*slope[b])"
    )
    extended, products = cr.gauss_newton_product(system, "C", "s")
    assert {"u", "slope"} <= set(extended.input_by_name) and parse(str(extended)) == extended
    generator = np.random.default_rng(0)
    values = {n: generator.normal(size=s) for n, s in (("u", 3), ("x", (4, 3)), ("slope", 4), ("v.u", 3))}
    found = evaluate(extended, values)[products["u"]]
    jacobian = values["x"] / np.cosh(values["x"] * values["u"]) ** 2
    np.testing.assert_allclose(found, jacobian.T @ (2 * values["slope"] * (jacobian @ values["v.u"])), rtol=1e-10)
    moved, name = cr.jacobian_vector_product(system, "s", ["u"])
    np.testing.assert_allclose(evaluate(moved, values)[name], jacobian @ values["v.u"], rtol=1e-10)


def test_curvature_of_what_is_linear_is_zero() -> None:
    system = parse("parameter x[i], y[i]\nC = sum[i](x[i] + y[i]^2)")
    extended, products = cr.hessian_vector_product(system, "C")
    values = {name: np.ones(2) for name in ("x", "y", "v.x", "v.y")}
    found = evaluate(extended, values)
    np.testing.assert_array_equal(found[products["x"]], 0)
    np.testing.assert_array_equal(found[products["y"]], 2)


def test_nan_is_blamed_on_its_own_element() -> None:
    system = parse("parameter x[b]\nl[b] = sqrt(x[b])\nC = sum[b](where([x[b] > 0], l[b], 0))")
    (check,) = check_gradients(system, "C", {"x": np.array([0.5, -1.0])})
    assert check.position == (1,) and not check.error < 1
