"""Sizes of axes: declared, read off data, related, in whichever direction they can be solved."""

from __future__ import annotations

import pytest

from chainrule.calculus.reverse import derive
from chainrule.equations.parse import parse
from chainrule.equations.sizes import axis_classes, solve_sizes
from chainrule.errors import ChainruleError

CONVOLUTION = """
axis p = (size(h) + 2 - size(u))//2 + 1
data x[b,c,h]
parameter W[o,c,u]
z[b,o,p] = sum[c,u](x[b,c,2*p + u - 1]*W[o,c,u])
"""


def sizes(text: str, *, partial: bool = False, **shapes: tuple[int, ...]) -> dict[str, int]:
    return solve_sizes(parse(text), shapes, partial=partial)


def test_forwards() -> None:
    found = sizes(CONVOLUTION, x=(2, 3, 9), W=(4, 3, 3))
    assert found == {"b": 2, "c": 3, "h": 9, "o": 4, "u": 3, "p": 5}


def test_through_a_chain_of_relations_in_any_order() -> None:
    text = "axis r = 2*size(q), q = size(p) - 1, p = size(h)//3\ndata x[h]\nz[p,q,r] = x[p + q + r]"
    assert sizes(text, x=(13,)) == {"h": 13, "p": 4, "q": 3, "r": 6}


def test_backwards() -> None:
    text = "axis p = size(h) - size(u) + 1\ndata y[p], W[u]\nz[h] = sum[u](y[h - u]*W[u])"
    assert sizes(text, y=(5,), W=(3,)) == {"p": 5, "u": 3, "h": 7}
    assert sizes("axis s = 2*size(n) + 1\ndata α[s]\nz[n] = α[2*n]", α=(7,)) == {"s": 7, "n": 3}
    assert sizes("axis p = size(h)\ndata y[p]\nz[h] = y[h]", y=(7,)) == {"p": 7, "h": 7}


def test_backwards_where_there_is_no_solution() -> None:
    text = "axis s = 2*size(n) + 1\ndata α[s]\nz[n] = α[2*n]"
    with pytest.raises(ChainruleError) as caught:
        solve_sizes(parse(text, "my.eq"), {"α": (8,)})
    assert str(caught.value).startswith(
        "my.eq:1:6: axis s = 2*size(n) + 1 has no solution for size(n) with size(s) = 8\n"
    )


def test_a_division_is_not_undone() -> None:
    text = "axis p = size(h)//2\ndata y[p]\nz[h] = y[h//2]"
    with pytest.raises(ChainruleError, match=r"^the size of axis h is not known; declare it \(axis h = …\) or give"):
        sizes(text, y=(3,))
    assert sizes(text, partial=True, y=(3,)) == {"p": 3}


def test_a_relation_that_the_data_contradict() -> None:
    text = CONVOLUTION + "data y[p]\nC = sum[b,o,p](z[b,o,p]*y[p])"
    with pytest.raises(ChainruleError) as caught:
        parse(text, shapes={"x": (2, 3, 9), "W": (4, 3, 3), "y": (4,)})
    assert "axis p has two sizes: axis p of y is 4, but axis p = (size(h) - size(u) + 2)//2 + 1 is 5" in str(
        caught.value
    )
    assert "with size(h) = 9, size(u) = 3" in str(caught.value)


def test_axes_that_plain_reads_make_one() -> None:
    system = parse("data x[b,h]\nz[b,i] = x[b,i]\ny[b,i] = z[b,i-1]\nc[k] = sum[b](y[b,k])")
    classes = axis_classes(system)
    assert classes["h"] == classes["i"] == classes["k"] != classes["b"]
    assert sizes(str(system), x=(2, 5)) == {"b": 2, "h": 5, "i": 5, "k": 5}


def test_shifted_and_scaled_reads_say_nothing() -> None:
    text = "axis h = 9, p = 4, q = 3\ndata x[h]\nz[p,q] = x[2*p] + x[q - 1]"
    assert sizes(text) == {"h": 9, "p": 4, "q": 3}


def test_what_a_read_says_does_not_depend_on_the_name_of_its_equation() -> None:
    for name in ("q", "∂q"):
        text = f"parameter x[i]\n{name}[j] = x[j]\nC = sum[j]({name}[j]^2)"
        assert sizes(text, x=(4,)) == {"i": 4, "j": 4}
        with pytest.raises(ChainruleError, match="axes i and k must have one size"):
            sizes(f"{text}\ndata y[k]\nD = sum[i](x[i]*y[i])", x=(4,), y=(3,))


def test_tensors_of_other_lengths_read_outside() -> None:
    """Where shifted reads rely on zero outside, their derivative may read one tensor at the axis of another."""
    system = parse("axis j = 6\nparameter x[i]\ndata v[k]\nC = sum[j](x[j-1]*v[j-1])")
    for shapes in ({"x": (3,), "v": (4,)}, {"x": (4,), "v": (3,)}):
        derived = derive(system, "C").system
        assert str(derived.by_name["∂x"]) == "∂x[i] = v[i]*[0 <= i + 1 < size(j)]"
        assert solve_sizes(derived, shapes) == {"j": 6, "i": shapes["x"][0], "k": shapes["v"][0]}
    assert solve_sizes(derived, {"v": (3,)}) == {"j": 6, "i": 3, "k": 3}


def test_parts_of_parts() -> None:
    """What is related through several relations is not made one either; nor two parts of one axis."""
    text = """
        axis k = size(i) + size(j), l = size(k) + size(m)
        data u[i], v[j], w[m]
        z[l] = u[l] + v[l - size(i)] + w[l - size(k)]
        y[k] = u[k]*v[k]
        x[i] = v[i]
    """
    assert sizes(text, u=(2,), v=(3,), w=(1,)) == {"i": 2, "j": 3, "m": 1, "k": 5, "l": 6}


def test_copies_have_the_size_of_their_axis() -> None:
    system = parse("data x[i]\nz[i,i'] = x[i]*x[i']*size(i'')")
    assert solve_sizes(system, {"x": (3,)})["i'"] == 3
    with pytest.raises(ChainruleError, match="axis i' has two sizes: axis i of y is 3, but axis i' of y is 4"):
        sizes("data y[i,i']\nz[i] = sum[i'](y[i,i'])", y=(3, 4))


def test_concatenation() -> None:
    """An axis related to another is not made one with it by a plain read."""
    text = "axis k = size(i) + size(j)\ndata u[i], v[j]\nz[k] = u[k] + v[k - size(i)]"
    assert sizes(text, u=(2,), v=(3,)) == {"k": 5, "i": 2, "j": 3}


def test_tensors_that_the_system_does_not_have() -> None:
    assert sizes("z[b] = x[b]", x=(3,), other=(4, 5)) == {"b": 3}


def test_sizes_inside_the_equations() -> None:
    text = "axis i\ndata x[b,i]\nm[b] = sum[i](x[b,i])/size(i) + size(b)"
    assert sizes(text, x=(4, 3)) == {"i": 3, "b": 4}
