"""Nodes as data, and walking through them: identity, copies, substitution without capture."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest

from chainrule.equations import node as nodes
from chainrule.equations.node import Access, Apply, Index, Number, Reduce, access, axis
from chainrule.equations.parse import parse, parse_expression
from chainrule.equations.system import System
from chainrule.equations.walk import free_axes, rename, rename_tensors, substitute, tensors


def test_alike_is_the_same() -> None:
    one = parse_expression("sum[i](x[b,i]*W[i,j]) + 2*t - 1")
    other = parse_expression("sum[i](x[b,i] * W[i,j])+2*t-1")
    assert one is other
    assert {one: 1}[other] == 1


def test_copies_are_the_same() -> None:
    node = parse_expression("tanh(x[b,2*i - 1])^2")
    assert copy.copy(node) is node
    assert copy.deepcopy(node) is node
    assert pickle.loads(pickle.dumps(node)) is node


def test_nodes_are_frozen() -> None:
    with pytest.raises(AttributeError):
        axis("b").constant = 3  # type: ignore[misc]


def test_what_nobody_holds_is_forgotten() -> None:
    parse_expression("x[b,17*b + 4711]")
    for cache in (free_axes, tensors):
        cache.cache_clear()
    gc.collect()
    assert not [node for node in nodes._interned.values() if isinstance(node, Index) and node.constant == 4711]


def test_arithmetic_builds_expressions() -> None:
    x, y = access("x", "b"), access("y", "b")
    assert str(1 - x * y / 2) == "1 - x[b]*y[b]/2"
    assert str((x + 1) ** 2 - (y - x)) == "(x[b] + 1)^2 - (y[b] - x[b])"
    assert str(-(x + y) + 3) == "-(x[b] + y[b]) + 3"
    assert str(2 / x + 0.5 * y) == "2/x[b] + 0.5*y[b]"
    assert x * y * 2 is Apply("*", (x, y, Number(2)))
    assert 2 + x is Apply("+", (Number(2), x))


def test_systems_are_equal_when_what_they_say_is() -> None:
    one, other = parse("z[b] = x[b]", "one.eq"), parse("\n\nz[b]  =  x[b]", "other.eq")
    assert one == other and hash(one) == hash(other)
    assert one != parse("z[b] = 2*x[b]")
    assert pickle.loads(pickle.dumps(one)) == one


def test_free_axes() -> None:
    assert free_axes(parse_expression("x[b,2*p + u]*sum[u](W[u,k])")) == ("b", "p", "u", "k")
    assert free_axes(parse_expression("sum[u](sum[v](x[u,v,w//2]))")) == ("w",)
    assert free_axes(parse_expression("E[token[b,t],d]*size(k)")) == ("b", "t", "d")


SUBSTITUTED = [
    # expression, values of axes, result
    ("x[b,i]", {"i": "2*p + u - 1"}, "x[b,2*p + u - 1]"),
    ("x[2*i + 1]", {"i": "3*j - 2"}, "x[6*j - 3]"),
    ("x[i - j]", {"i": "j"}, "x[0]"),
    ("x[i,j]", {"i": "j", "j": "i"}, "x[j,i]"),
    ("x[i//2]", {"i": "2*p + 1"}, "x[(2*p + 1)//2]"),
    ("x[i]", {"i": "n[b]"}, "x[n[b]]"),
    ("x[2*i - 1]", {"i": "n[b]"}, "x[2*n[b] - 1]"),
    ("x[j - i]", {"i": "n[b]"}, "x[j - n[b]]"),
    ("x[i%3]", {"i": "n[b]"}, "x[n[b]%3]"),
    ("i*x[i]", {"i": "k + 1"}, "(k + 1)*x[k + 1]"),
    # what a sum binds is not replaced, and does not capture what arrives
    ("x[i]*sum[i](y[i,j])", {"i": "k"}, "x[k]*sum[i](y[i,j])"),
    ("sum[i](y[i,j])", {"j": "i"}, "sum[i'](y[i',i])"),
    ("sum[i](y[i,j])", {"j": "2*i + i'"}, "sum[i''](y[i'',2*i + i'])"),
    ("sum[i](sum[i'](y[i,i',j]))", {"j": "i'"}, "sum[i](sum[i''](y[i,i'',i']))"),
    ("sum[i](sum[j](y[i,j,k]))", {"k": "i + j"}, "sum[i'](sum[j'](y[i',j',i + j]))"),
    ("max[i,j](y[i,j,k])", {"k": "j"}, "max[i,j'](y[i,j',j])"),
]


@pytest.mark.parametrize("text, values, result", SUBSTITUTED)
def test_substitution(text: str, values: dict[str, str], result: str) -> None:
    made = substitute(parse_expression(text), {name: parse_position(value) for name, value in values.items()})
    assert str(made) == result


def parse_position(text: str) -> nodes.Expression:
    """The expression as the position of a read."""
    read = parse_expression(f"x[{text}]")
    assert isinstance(read, Access)
    return read.indices[0]


def test_renaming() -> None:
    node = parse_expression("sum[i](x[b,i]*W[i,j])")
    assert str(rename(node, {"b": "i", "j": "b"})) == "sum[i'](x[i,i']*W[i',b])"
    assert str(rename_tensors(node, {"x": "y"})) == "sum[i](y[b,i]*W[i,j])"
    assert tensors(node) == ("x", "W")
    assert substitute(node, {"q": axis("b")}) is node


def test_subsets() -> None:
    system = parse("""
        axis p = size(i) - 1, k = 3
        data x[b,i], y[b]
        parameter W[i]
        z[b] = sum[i](x[b,i]*W[i])
        u[b,p] = x[b,p + 1]
        C = sum[b](z[b]*y[b])
    """)
    assert str(system.subset(["z"])).splitlines() == ["data x[b,i]", "parameter W[i]", "z[b] = sum[i](x[b,i]*W[i])"]
    assert str(system.subset(["u"])).splitlines()[0] == "axis p = size(i) - 1"
    assert isinstance(system.subset(["C"]), System)
    assert system.subset(["C", "u"]).equations == system.equations


def test_reduce_over_copies_reads_back() -> None:
    node = Reduce("sum", ("k'",), access("x", ("b", "k'")))
    assert parse(f"data x[b,k]\nz[b] = {node}").by_name["z"].expression is node
