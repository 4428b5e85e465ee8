"""Particular derivations that are easy to get wrong, each against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.calculus.differences import check_gradients, sample_values
from chainrule.calculus.passes import simplify
from chainrule.calculus.recognise import Context
from chainrule.calculus.reverse import derive
from chainrule.calculus.second import hessian_vector_product
from chainrule.equations.evaluate import evaluate
from chainrule.equations.node import Equation, Reduce
from chainrule.equations.parse import parse, parse_expression
from chainrule.equations.walk import occurrences

# name → text, tensor, what its derivative must be written as (None: any way)
DETAILS = {
    # Outside its range a named quantity is 0, the expression that it names is not.
    "a name read before its range": (
        """
        axis t = 4
        data z[t]
        parameter w
        a[t] = sigmoid(z[t])
        h[t] = w*sigmoid(z[t-1])
        C = sum[t](h[t]*a[t])
        """,
        "w",
        "∂w = sum[t](∂h[t]*sigmoid(z[t - 1]))",
    ),
    "a name of a shorter axis": (
        """
        axis t = 4, p = 3
        data z[t]
        parameter w
        a[p] = exp(z[p+1])
        C = sum[t](w*exp(z[t]))
        """,
        "w",
        "∂w = sum[t](exp(z[t]))",
    ),
    "a name read through data": (
        """
        axis b = 2, k = 3
        data z[b,k]
        integer n[b]
        parameter w
        a[b,k] = exp(z[b,k])
        C = sum[b](w*exp(z[b,n[b] + 2]))
        """,
        "w",
        "∂w = sum[b](exp(z[b,n[b] + 2]))",
    ),
    "a name read after its range, where the factor beside it is 0": (
        """
        axis t = 4
        data z[t]
        parameter w
        h[t] = sigmoid(z[t] + w*h[t-1])
        C = sum[t](h[t]^2)
        """,
        "w",
        "∂w = sum[t](∂h[t]*h[t]*(1 - h[t])*h[t - 1])",
    ),
    "a bracket of the author's in a recurrence": (
        """
        axis t = 5
        data x[t]
        parameter w
        f[t] = tanh(w*g[t-1]*[t = 3] + x[t])
        g[t] = sin(f[t])
        C = sum[t](g[t])
        """,
        "w",
        None,
    ),
    "a size with its sign turned": (
        "axis b = 3\ndata x[b]\nparameter w\nC = sum[b]((-size(b))*w*x[b]*sin(w))",
        "w",
        None,
    ),
    "a step has no slope": (
        "axis b = 3\ndata x[b]\nparameter w\nC = sum[b](floor(w*x[b]) + sign(w) + w)",
        "w",
        "∂w = size(b)",
    ),
    "nothing but steps": ("axis b = 3\ndata x[b]\nparameter w\nC = sum[b](floor(w*x[b]))", "w", "∂w = 0"),
    "a root where the bracket is 0": (
        "axis b = 3\ndata x[b]\nparameter w\nC = sum[b]([b >= 1]*sqrt(w^2*x[b-1]^2))",
        "w",
        None,
    ),
    "a choice on the data": (
        "axis b = 6\ndata x[b]\nparameter w\nC = sum[b](where([x[b] > 0], log(x[b])*w, w^2))",
        "w",
        "∂w = sum[b](log(x[b])*[x[b] > 0]) + 2*w*sum[b]([x[b] <= 0])",
    ),
    "a tensor that reads itself at another place": (
        "axis i = 3\nparameter w[i,i']\nC = sum[i,i'](w[i,i']*w[i',i]*[i != i'])",
        "w",
        None,
    ),
    "a diagonal": ("axis i = 3\nparameter w[i,i']\nC = sum[i](sin(w[i,i]))", "w", "∂w[i,i'] = cos(w[i,i])*[i' = i]"),
    "one element": ("axis i = 3\nparameter w[i]\nC = exp(w[1])", "w", "∂w[i] = C*[i = 1]"),
    "the last element": (
        "axis i = 3\nparameter w[i]\nC = exp(w[size(i)-1])",
        "w",
        "∂w[i] = C*[i = size(i) - 1]",
    ),
    "windows that leave gaps": (
        """
        axis h = 10, u = 2, p = 3
        data x[h]
        parameter w[u]
        z[p] = sum[u](x[3*p + u]*w[u])
        C = sum[p](z[p]^2)
        """,
        "x",
        None,
    ),
    "every second": ("axis h = 7, p = 4\nparameter w[h]\nC = sum[p](sin(w[2*p]))", "w", None),
    "halves": ("axis h = 7, p = 3\nparameter w[p]\nC = sum[h](sin(w[h//2])*h)", "w", None),
    "turned round": ("axis h = 5\nparameter w[h]\nC = sum[h](sin(w[size(h)-1-h])*h)", "w", None),
    "a sum over an axis of another name": (
        "axis i = 4, j = 4\ndata x[i]\nparameter w[j]\nC = sum[i](x[i]*sin(w[i]))",
        "w",
        "∂w[j] = x[j]*cos(w[j])",
    ),
    "hidden axes": ("axis i = 4\ndata x[i]\nparameter w[i]\nC = sum[i](x[i]*w[i]*sum[i](w[i]^2))", "w", None),
    "a maximum over two axes": ("axis i = 3, j = 4\nparameter w[i,j]\nC = exp(max[i,j](w[i,j]))", "w", None),
    "a maximum that moves with the batch": (
        "axis b = 3, i = 4\ndata x[b,i]\nparameter w[i]\nC = sum[b](max[i](x[b,i]*w[i])*min[i](x[b,i] + w[i]))",
        "w",
        None,
    ),
}


@pytest.mark.parametrize("text, name, written", DETAILS.values(), ids=DETAILS.keys())
def test_detail(text: str, name: str, written: str | None) -> None:
    system = parse(text)
    (check,) = check_gradients(system, "C", sample_values(system, seed=3), [name])
    assert check.error < 1e-6, str(check)
    log = derive(system, "C", [name])
    assert written is None or str(log.system.by_name[f"∂{name}"]) == written


def test_what_is_undefined_is_no_agreement() -> None:
    """A cost that is not a number differs from everything."""
    system = parse("axis b = 2\ndata x[b]\nparameter w\nC = sum[b](w*x[b-1]/x[b-1])")
    (check,) = check_gradients(parse("data x\nparameter w\nC = log(w*x - 1)"), "C", {"x": 1.0, "w": 0.5})
    assert check.error == np.inf
    (check,) = check_gradients(system, "C", {"x": [1.0, 2.0], "w": 0.5})
    assert check.error == np.inf


def test_ties_go_to_the_first() -> None:
    """Where several are greatest, the first has the whole slope; max and min of two arguments likewise."""
    system = parse("parameter w[i]\nC = max[i](w[i])")
    log = derive(system, "C", ["w"])
    assert evaluate(log.system, {"w": [1.0, 2.0, 2.0]})["∂w"].tolist() == [0, 1, 0]
    system = parse("parameter v, w\nC = max(v, w)")
    log = derive(system, "C", ["v", "w"])
    found = evaluate(log.system, {"v": 1.0, "w": 1.0})
    assert (found["∂v"], found["∂w"]) == (1, 0)


def test_summed_axes_keep_apart() -> None:
    """Three copies of one axis under one sum are given three names again."""
    system = parse("parameter w[i]\nC = exp(sum[i](w[i]^2))*logsumexp[i'](w[i'])^2")
    extended, _ = hessian_vector_product(system, "C", ["w"])
    for equation in extended.equations:
        for _, node, _ in occurrences(equation.expression):
            assert not isinstance(node, Reduce) or len(set(node.axes)) == len(node.axes)
    node = parse_expression("sum[i',i'',i'''](x[i']*y[i'']*z[i'''])")
    (equation, _) = simplify("x", Equation("∂x", (), node), Context({}, {"x": ("i",), "y": ("i",), "z": ("i",)}, {}))
    assert str(equation) == "∂x = sum[i,i',i''](x[i]*y[i']*z[i''])"
