"""Definitions over placeholder axes, put to use; and sizes of axes declared by relations to each other."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.equations.compose import fresh, instantiate, match_axes
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError, EquationError

DENSE = parse("data x[b,...]\nparameter W[...,j]\nz[b,j] = sum[...](x[b,...]*W[...,j])/size(...)")


def test_matching() -> None:
    assert match_axes("x", ("b", "...", "k"), ("b", "h", "w", "j")) == {"b": ("b",), "...": ("h", "w"), "k": ("j",)}
    assert match_axes("x", ("...",), ()) == {"...": ()}
    assert match_axes("x", ("b", "k"), ("b", "j")) == {"b": ("b",), "k": ("j",)}
    for actual in [("b",), ("b", "j", "k")]:
        with pytest.raises(ChainruleError, match=r"x\[b,k\] is wanted"):
            match_axes("x", ("b", "k"), actual)


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (("c", "h"), "z[b,j] = sum[c,h](x[b,c,h]*W[c,h,j])/(size(c)*size(h))"),
        (("i",), "z[b,j] = sum[i](x[b,i]*W[i,j])/size(i)"),
        ((), "z[b,j] = x[b]*W[j]"),
    ],
)
def test_an_axis_stands_for_several_or_none(axes: tuple[str, ...], expected: str) -> None:
    assert str(instantiate(DENSE, {}, {"...": axes}).equations[0]) == expected


def test_names_and_copies() -> None:
    softmax = parse("data x[...,k]\na[...,k] = x[...,k] - logsumexp[k'](x[...,k'])")
    made = instantiate(softmax, {"x": "dense1.z", "a": "p"}, {"...": ("b",), "k": ("j", "l")})
    assert str(made.equations[0]) == "p[b,j,l] = dense1.z[b,j,l] - logsumexp[j',l'](dense1.z[b,j',l'])"


def test_a_position_used_as_a_number_is_one_axis() -> None:
    shifted = parse("data x[t]\na[t] = x[t-1]*[t < size(t) - 2]")
    assert str(instantiate(shifted, {}, {"t": ("u",)}).equations[0]) == "a[u] = x[u - 1]*[u < size(u) - 2]"
    with pytest.raises(ChainruleError, match="cannot stand for 2 axes"):
        instantiate(shifted, {}, {"t": ("u", "v")})


def test_fresh_axes() -> None:
    assert [fresh("j", set()), fresh("j", {"j", "k"}), fresh("time", {"time"})] == ["j", "l", "time1"]
    assert fresh("j", set("jklmnopqrsuvw")) == "j1"


def test_axes_declared_by_a_relation_may_read_each_other() -> None:
    joined = parse("axis k = size(i) + size(j)\ndata u[b,i], v[b,j]\na[b,k] = u[b,k] + v[b,k - size(i)]")
    u, v = np.ones((2, 3)), np.full((2, 4), 2.0)
    np.testing.assert_array_equal(evaluate(joined, {"u": u, "v": v})["a"], np.concatenate([u, v], axis=1))
    with pytest.raises(EquationError, match="one size"):
        parse("axis k = 3, i = 4\ndata u[b,i]\na[b,k] = u[b,k]")
