"""The reference evaluator against loops that anyone can follow."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from chainrule.equations.evaluate import evaluate
from chainrule.equations.functions import CONSTANTS, FUNCTIONS
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError

random = np.random.default_rng(0)


def value(text: str, name: str = "z", **values: Any) -> Any:
    return evaluate(parse(text), values)[name]


def at(array: Any, *index: int) -> float:
    """Zero outside."""
    inside = all(0 <= i < size for i, size in zip(index, array.shape, strict=True))
    return float(array[index]) if inside else 0.0


def test_dense() -> None:
    x, W, β = random.normal(size=(3, 4)), random.normal(size=(4, 5)), random.normal(size=5)
    z = np.zeros((3, 5))
    for b, j in np.ndindex(3, 5):
        z[b, j] = sum(x[b, i] * W[i, j] for i in range(4)) + β[j]
    np.testing.assert_allclose(value("z[b,j] = sum[i](x[b,i]*W[i,j]) + β[j]", x=x, W=W, β=β), z, rtol=1e-14)


@pytest.mark.parametrize("stride, pad, dilation", [(1, 0, 1), (1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 2, 2)])
def test_convolution(stride: int, pad: int, dilation: int) -> None:
    x, W = random.normal(size=(2, 3, 9)), random.normal(size=(4, 3, 3))
    text = f"""
        axis p = (size(h) + 2*{pad} - {dilation}*(size(u) - 1) - 1)//{stride} + 1
        data x[b,c,h], W[o,c,u]
        z[b,o,p] = sum[c,u](x[b,c,{stride}*p + {dilation}*u - {pad}]*W[o,c,u])
    """
    found = value(text, x=x, W=W)
    length = (9 + 2 * pad - dilation * 2 - 1) // stride + 1
    assert found.shape == (2, 4, length)
    for b, o, p in np.ndindex(found.shape):
        terms = [at(x, b, c, stride * p + dilation * u - pad) * W[o, c, u] for c in range(3) for u in range(3)]
        assert found[b, o, p] == pytest.approx(sum(terms))


def test_zero_outside_in_every_direction() -> None:
    x = random.normal(size=(3, 4))
    found = value("axis i = 3, j = 4, a = 9, c = 9\ndata x[i,j]\nz[a,c] = x[a-3,5-c]", x=x)
    for a, c in np.ndindex(9, 9):
        assert found[a, c] == at(x, a - 3, 5 - c)


def test_gather_through_integers() -> None:
    E, token = random.normal(size=(5, 2)), np.array([[0, 4, -1], [2, 5, 1]])
    found = value("data E[v,d]\ninteger token[b,t]\nz[b,t,d] = E[token[b,t],d]", E=E, token=token)
    for b, t, d in np.ndindex(2, 3, 2):
        assert found[b, t, d] == at(E, token[b, t], d)
    shifted = value("data E[v,d]\ninteger token[b,t]\nz[b,t,d] = E[2*token[b,t] - t,d]", E=E, token=token)
    for b, t, d in np.ndindex(2, 3, 2):
        assert shifted[b, t, d] == at(E, 2 * token[b, t] - t, d)


def test_positions_as_numbers() -> None:
    found = value("axis b = 3, k = 4\nz[b,k] = (2*b - k)//2 + k%3*b + size(k)")
    for b, k in np.ndindex(3, 4):
        assert found[b, k] == (2 * b - k) // 2 + k % 3 * b + 4
    assert found.dtype == np.int64


def test_reductions() -> None:
    x = random.normal(size=(3, 4, 5))
    for name, by_numpy in (("sum", np.sum), ("max", np.max), ("min", np.min)):
        np.testing.assert_allclose(value(f"z[b] = {name}[i,j](x[b,i,j])", x=x), by_numpy(x, axis=(1, 2)))
    np.testing.assert_allclose(value("z[b] = logsumexp[i,j](x[b,i,j])", x=x), np.log(np.exp(x).sum(axis=(1, 2))))
    assert (value("z[b,i] = argmax[j](x[b,i,j])", x=x) == x.argmax(axis=2)).all()
    assert (value("z[b,j] = argmin[i](x[b,i,j])", x=x) == x.argmin(axis=1)).all()


def test_reductions_over_what_does_not_depend_on_the_axis() -> None:
    x = random.normal(size=3)
    np.testing.assert_allclose(value("axis i = 4\nz[b] = sum[i](x[b])", x=x), 4 * x)
    np.testing.assert_allclose(value("axis i = 4\nz[b] = logsumexp[i](x[b])", x=x), x + math.log(4))
    np.testing.assert_allclose(value("axis i = 4\nz[b] = max[i](x[b])", x=x), x)
    assert (value("axis i = 4\nz[b] = argmax[i](x[b])", x=x) == 0).all()


def test_ties_go_to_the_first() -> None:
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    assert value("z[b] = argmax[i](x[b,i])", x=x).tolist() == [1, 0]
    assert value("z[b] = argmin[i](x[b,i])", x=x).tolist() == [0, 0]


def test_logsumexp_does_not_overflow() -> None:
    x = np.array([1000.0, 1000.0, -1e30])
    assert value("z = logsumexp[i](x[i])", x=x) == pytest.approx(1000 + math.log(2))
    assert value("z = logsumexp[i](x[i])", x=np.array([-np.inf, -np.inf])) == -np.inf


def test_hidden_axes() -> None:
    """A sum may bind the name of an axis outside, which it then hides."""
    x, y = random.normal(size=4), random.normal(size=(4, 4))
    np.testing.assert_allclose(value("z[i] = x[i]*sum[i](x[i])", x=x), x * x.sum())
    np.testing.assert_allclose(value("z[i] = sum[i](x[i]*sum[i](x[i]))", x=x), np.full(4, x.sum() ** 2))
    found = value("z[i] = sum[i'](y[i,i']*sum[i](y[i',i]))", y=y)
    np.testing.assert_allclose(found, y @ y.sum(axis=1))


def test_hidden_axis_of_a_recurrence() -> None:
    x = random.normal(size=4)
    found = value("z[t] = z[t-1] + x[t]*sum[t](x[t])", x=x)
    np.testing.assert_allclose(found, np.cumsum(x) * x.sum())


def test_brackets() -> None:
    x, y = random.normal(size=5), random.normal(size=5)
    for sign, compare in (("<", np.less), ("<=", np.less_equal), (">", np.greater), (">=", np.greater_equal)):
        assert (value(f"z[b] = [x[b] {sign} y[b]]", x=x, y=y) == compare(x, y)).all()
    assert value("axis b = 4\nz[b] = [1 <= b < 3]").tolist() == [0, 1, 1, 0]
    assert value("axis b = 4\nz[b] = [b = 2] + [b != 2] + [b >= 1]").tolist() == [1, 2, 2, 2]
    assert value("axis b = 3\nz[b] = -[b = 1]").tolist() == [0, -1, 0]


def test_bracket_is_strongly_zero() -> None:
    """What a bracket of 0 multiplies need not be defined."""
    x = np.array([-1.0, 0.0, 4.0])
    assert value("z[b] = [x[b] > 0]*log(x[b])", x=x).tolist() == [0, 0, math.log(4)]
    assert value("z[b] = 2/x[b]*[x[b] != 0]", x=x).tolist() == [-2, 0, 0.5]
    assert value("z[b] = where([x[b] >= 0], sqrt(x[b]), 7)", x=x).tolist() == [7, 0, 2]


def test_integer_arithmetic_is_exact() -> None:
    found = value("integer n[b]\ndata x[b]\nz[b] = 2*n[b]*n[b] - 1 + 0*b", x=np.zeros(2), n=np.array([3, 2**30]))
    assert found.dtype == np.int64
    assert found.tolist() == [17, 2**61 - 1]


def test_whole_numbers_divide_as_reals() -> None:
    assert value("integer n\nz = n/2", n=3) == 1.5
    assert value("integer n\nz = n^(-1)", n=4) == 0.25
    assert value("integer n\nz = -7//2 + n", n=0) == -3


ONE_SIDED = {"log": 0.1, "sqrt": 0.1, "rsqrt": 0.1, "log1p": -0.9}
BY_HAND = {
    "exp": math.exp, "expm1": math.expm1, "log": math.log, "log1p": math.log1p, "sqrt": math.sqrt, "abs": abs,
    "rsqrt": lambda x: 1 / math.sqrt(x), "sign": lambda x: (x > 0) - (x < 0), "floor": math.floor, "sin": math.sin,
    "cos": math.cos, "tanh": math.tanh, "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "erf": math.erf,
    "softplus": lambda x: math.log(1 + math.exp(x)), "relu": lambda x: max(x, 0), "neg": lambda x: -x,
}  # fmt: skip
UNARY = [row.name for row in FUNCTIONS.values() if row.arity == 1]


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_argument(name: str) -> None:
    x = np.linspace(ONE_SIDED.get(name, -4), 4, 41)
    text = "z[b] = -x[b]" if name == "neg" else f"z[b] = {name}(x[b])"
    np.testing.assert_allclose(value(text, x=x), [BY_HAND[name](float(v)) for v in x], rtol=1e-13, atol=1e-15)


def test_functions_of_two_arguments() -> None:
    x, y = random.normal(size=20), random.normal(size=20)
    assert (value("z[b] = max(x[b], y[b])", x=x, y=y) == np.maximum(x, y)).all()
    assert (value("z[b] = min(x[b], y[b])", x=x, y=y) == np.minimum(x, y)).all()
    expected = np.log(np.exp(x) + np.exp(y))
    np.testing.assert_allclose(value("z[b] = logaddexp(x[b], y[b])", x=x, y=y), expected)
    assert value("z = logaddexp(x, y)", x=-1e30, y=-3.0) == -3.0
    np.testing.assert_allclose(value("z[b] = abs(x[b])^y[b]", x=x, y=y), np.abs(x) ** y)


def test_constants() -> None:
    assert CONSTANTS == ("π", "∞")
    assert value("z = π + 0*x", x=0.0) == math.pi
    assert value("z = max(x, -∞)", x=-5.0) == -5.0


def test_recurrence_forwards_and_backwards() -> None:
    x, U = random.normal(size=(2, 6, 3)), random.normal(size=(3, 3))
    forwards = value("z[b,t,k] = tanh(x[b,t,k] + sum[l](z[b,t-1,l]*U[l,k]))", x=x, U=U)
    backwards = value("z[b,t,k] = tanh(x[b,t,k] + sum[l](z[b,t+1,l]*U[l,k]))", x=x, U=U)
    for steps, found in ((range(6), forwards), (range(5, -1, -1), backwards)):
        h = np.zeros((2, 3))
        for t in steps:
            h = np.tanh(x[:, t] + h @ U)
            np.testing.assert_allclose(found[:, t], h, rtol=1e-14)


def test_recurrence_with_a_longer_memory() -> None:
    fibonacci = value("axis t = 10\nz[t] = z[t-1] + z[t-2] + [t = 0]")
    assert fibonacci.tolist() == [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]
    x = random.normal(size=7)
    found = value("axis d = 3\nz[t] = x[t] + sum[d](z[t-1-d])/2", x=x)
    z: list[float] = []
    for t in range(7):
        z.append(x[t] + sum(z[max(0, t - 3) : t]) / 2)
    np.testing.assert_allclose(found, z)


def test_lstm() -> None:
    """Equations that read each other, some in the step itself and some in the step before, in any order."""
    text = """
        h[t,k] = o[t,k]*tanh(c[t,k])
        c[t,k] = f[t,k]*c[t-1,k] + (1 - f[t,k])*x[t,k]
        o[t,k] = sigmoid(sum[l](h[t-1,l]*V[l,k]) + c[t,k])
        f[t,k] = sigmoid(sum[l](h[t-1,l]*U[l,k]))
    """
    x, U, V = random.normal(size=(5, 3)), random.normal(size=(3, 3)), random.normal(size=(3, 3))
    found = evaluate(parse(text), {"x": x, "U": U, "V": V})
    h = c = np.zeros(3)
    for t in range(5):
        f = 1 / (1 + np.exp(-h @ U))
        c = f * c + (1 - f) * x[t]
        o = 1 / (1 + np.exp(-(h @ V) - c))
        h = o * np.tanh(c)
        np.testing.assert_allclose(found["h"][t], h, rtol=1e-13)


def test_recurrence_of_integers() -> None:
    """A game of life in one dimension: reads beyond the ends are 0."""
    start = np.array([0, 0, 0, 1, 0, 0, 0])
    text = "axis t = 4\ninteger s[i]\nz[t,i] = where([t = 0], s[i], (z[t-1,i-1] + z[t-1,i+1])%2)"
    found = value(text, s=start)
    assert found.dtype == np.int64
    rows = [start]
    for _ in range(3):
        wide = np.pad(rows[-1], 1)
        rows.append((wide[:-2] + wide[2:]) % 2)
    assert (found == rows).all()


def test_edit_distance() -> None:
    """Levenshtein's table by diagonals, so that it is a recurrence along one axis."""
    text = """
        axis t = size(i) + size(j) + 1, r = size(i) + 1
        integer a[i], c[j]
        # d[t,r] is the distance between the first r letters of one and the first t - r of the other
        d[t,r] = where([r = 0], t, where([r = t], t,
                 min(min(d[t-1,r-1], d[t-1,r]) + 1, d[t-2,r-1] + [a[r-1] != c[t-r-1]])))
        z = d[size(t)-1,size(r)-1]
    """
    letters = {letter: number for number, letter in enumerate("kitensg")}
    a, c = ([letters[letter] for letter in word] for word in ("kitten", "sittesn"))
    table = np.zeros((7, 8), dtype=int)
    for r, s in np.ndindex(7, 8):
        table[r, s] = r + s if r == 0 or s == 0 else min(
            table[r - 1, s] + 1, table[r, s - 1] + 1, table[r - 1, s - 1] + (a[r - 1] != c[s - 1])
        )  # fmt: skip
    assert value(text, a=np.array(a), c=np.array(c)) == table[-1, -1]


def test_one_axis_of_a_tensor_read_twice() -> None:
    x = random.normal(size=(4, 4))
    np.testing.assert_allclose(value("data x[i,i']\nz[i] = x[i,i]", x=x), np.diag(x))
    np.testing.assert_allclose(value("data x[i,i']\nz[i,i'] = x[i',i]", x=x), x.T)


def test_inputs() -> None:
    system = parse("""
        data x[b]
        parameter W
        state m[b] = 0.5
        random r[b] ~ uniform
        z[b] = x[b]*W + m[b] + r[b]
    """)
    x = np.arange(3.0)
    found = evaluate(system, {"x": x, "W": 2}, seed=1, step=2)
    assert (found["m"] == 0.5).all()
    assert found["z"] == pytest.approx(2 * x + 0.5 + found["r"])
    assert (evaluate(system, {"x": x, "W": 2}, seed=1, step=2)["r"] == found["r"]).all()
    assert (evaluate(system, {"x": x, "W": 2}, seed=1, step=3)["r"] != found["r"]).all()
    assert (evaluate(system, {"x": x, "W": 2, "r": x, "m": x})["z"] == 4 * x).all()


def test_inputs_that_do_not_fit() -> None:
    system = parse("data x[b]\ninteger n[b]\nz[b] = x[n[b]]")
    with pytest.raises(ChainruleError, match=r"^no values given for data x\[b\]$"):
        evaluate(system, {"n": [1, 2]})
    with pytest.raises(ChainruleError, match=r"^n must be whole numbers, not float64$"):
        evaluate(system, {"x": [1.0], "n": [0.5]})
    with pytest.raises(ChainruleError, match=r"axis b has two sizes: axis b of x is 1, but axis b of n is 2"):
        evaluate(system, {"x": [1.0], "n": [0, 1]})


def test_no_examples() -> None:
    """A batch of none is a batch."""
    found = evaluate(parse("data x[b,i]\nz[b] = sum[i](x[b,i-1]*2)\nC = sum[b](z[b])"), {"x": np.zeros((0, 3))})
    assert found["z"].shape == (0,)
    assert found["C"] == 0


@pytest.mark.parametrize("p, q", list(itertools.product((-1, 0, 2), (-2, 0, 1))))
def test_shifts_inside_reductions(p: int, q: int) -> None:
    x = random.normal(size=(3, 4))
    found = value(f"data x[i,j]\nz[i] = sum[j](x[i + {p},j + {q}])", x=x)
    assert found == pytest.approx([sum(at(x, i + p, j + q) for j in range(4)) for i in range(3)])
