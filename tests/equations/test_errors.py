"""Everything that the language refuses: each text with the whole message that it gives."""

from __future__ import annotations

from textwrap import dedent

import pytest

from chainrule.equations.check import check
from chainrule.equations.node import Equation, Number, access
from chainrule.equations.parse import parse, parse_expression, parse_file
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError, EquationError

# Blocks of text and message, with a line of dashes between; what comes before ">" is the text.
REFUSED = """
z[b] = x[b,i]
> 1:12: unknown axis i: it is neither on the left, nor summed over, nor a tensor
>     z[b] = x[b,i]
>                ^
---
z[b] = sum[i](x[b,i]*W[i,j])
> 1:26: unknown axis j: it is neither on the left, nor summed over, nor a tensor
>     z[b] = sum[i](x[b,i]*W[i,j])
>                              ^
---
a[b] = sum[i](x[b,i]) + x[b,i]
> 1:29: unknown axis i: it is neither on the left, nor summed over, nor a tensor
>     a[b] = sum[i](x[b,i]) + x[b,i]
>                                 ^
---
data x[b]
z[b] = x[b]*b2
> 2:13: unknown name b2: it is neither on the left, nor summed over, nor a tensor; did you mean b?
>     z[b] = x[b]*b2
>                 ^^
---
data x[b,i]
parameter weight[i]
z[b] = sum[i](x[b,i]*wieght[i])
> 3:22: wieght is neither declared nor defined; did you mean weight?
>     z[b] = sum[i](x[b,i]*wieght[i])
>                          ^^^^^^^^^
---
data x[b,i]
z[b] = x[b]
> 2:8: x[b,i] has 2 axes, read here with 1
>     z[b] = x[b]
>            ^^^^
---
data x
z[b] = x[b]
> 2:8: x has no axes, read here with 1
>     z[b] = x[b]
>            ^^^^
---
data x[b]
data y[b], x[b]
z[b] = x[b]
> 2:12: x is already given in line 1
>     data y[b], x[b]
>                ^^^^
---
data x[b]
x[b] = 2
> 2:1: x is already given in line 1
>     x[b] = 2
>     ^^^^
---
z[b] = x[b]
z[b] = 2*x[b]
> 2:1: z is already given in line 1
>     z[b] = 2*x[b]
>     ^^^^
---
data x[b,b]
z[b] = x[b,b]
> 1:6: axis b stands twice on x; write b' for a second copy of it
>     data x[b,b]
>          ^^^^^^
---
z[b,b] = x[b]
> 1:1: axis b stands twice on z; write b' for a second copy of it
>     z[b,b] = x[b]
>     ^^^^^^
---
data t
data x[t]
z[t] = x[t]*t
> 3:13: t is both an axis here and a tensor without axes; rename one
>     z[t] = x[t]*t
>                 ^
---
data tanh[b]
z[b] = tanh[b]
> 1:6: tanh is the name of a function
>     data tanh[b]
>          ^^^^^^^
---
h[t] = h[t]
> 1:8: h refers to itself without a shift along one axis, such as t-1: h[t] is of the same t
>     h[t] = h[t]
>            ^^^^
---
h[t] = x[t] + h[2*t]
> 1:15: h refers to itself without a shift along one axis, such as t-1: h[2*t] is not read at t plus or minus steps
>     h[t] = x[t] + h[2*t]
>                   ^^^^^^
---
h[t] = h[t-1] + h[t+1]
> 1:17: h refers to itself without a shift along one axis, such as t-1: h[t - 1] and h[t + 1] go along t in opposite \
directions
>     h[t] = h[t-1] + h[t+1]
>                     ^^^^^^
---
h[t] = sum[d](h[t-d])
> 1:15: h refers to itself without a shift along one axis, such as t-1: h[t - d] is not read at t plus or minus steps
>     h[t] = sum[d](h[t-d])
>                   ^^^^^^
---
h[t] = sum[t](h[t-1])
> 1:15: h refers to itself without a shift along one axis, such as t-1: h[t - 1] is not read at t plus or minus steps
>     h[t] = sum[t](h[t-1])
>                   ^^^^^^
---
h[t,s] = h[t-1,s] + h[t,s-1]
> 1:21: h refers to itself: one axis must be shifted in every read; here t and s alternate
>     h[t,s] = h[t-1,s] + h[t,s-1]
>                         ^^^^^^^^
---
g[t] = h[t]
h[t] = g[t]
> 1:8: g and h refer to each other in a circle without a shift along one axis, such as t-1: h[t] is of the same t
>     g[t] = h[t]
>            ^^^^
---
g[t] = h[t-1]
h[s] = g[s]
> 1:8: g and h refer to each other in a circle without a shift along one axis, such as t-1: they have no axis in common
>     g[t] = h[t-1]
>            ^^^^^^
---
C = C + 1
> 1:5: C refers to itself without a shift along one axis, such as t-1: C has no axes
>     C = C + 1
>         ^
---
data x[b], r[b]
z[b] = x[r[b]]
> 2:10: r[b] is real; a position in x must be an integer
>     z[b] = x[r[b]]
>              ^^^^
---
data x[b]
z[b] = x[0.5*b]
> 2:10: 0.5*b is real; a position in x must be an integer
>     z[b] = x[0.5*b]
>              ^^^^^
---
data x[b]
z[b] = x[b]//2
> 2:8: x[b] is real; // is for integers
>     z[b] = x[b]//2
>            ^^^^
---
data x[b]
z[b] = x[b]*(b%2.5)
> 2:16: 2.5 is real; % is for integers
>     z[b] = x[b]*(b%2.5)
>                    ^^^
---
data x[b]
z[b] = x[b%0]
> 2:10: division by zero
>     z[b] = x[b%0]
>              ^^^
---
axis i = 3
axis j = 4
data x[i]
z[j] = x[j]
> 4:8: axes i and j must have one size: axis i is declared as 3, but axis j is declared as 4; x[j] reads i at j
>     z[j] = x[j]
>            ^^^^
---
axis i = 2, i = 3
z[i] = x[i]
> 1:13: axis i is declared twice
>     axis i = 2, i = 3
>                 ^
---
axis i' = 2
z[i] = x[i]
> 1:6: i' is a copy of i; declare i
>     axis i' = 2
>          ^^
---
axis i = 2.5
z[i] = x[i]
> 1:10: the size of an axis is a whole number or a relation between sizes, such as (size(h) - size(u))//2 + 1
>     axis i = 2.5
>              ^^^
---
axis i = h - 1
z[i] = x[i,h]
> 1:10: the size of axis h is written size(h)
>     axis i = h - 1
>              ^
---
axis p = size(q)
z[p] = x[p]
> 1:6: size(q) is the size of an axis that occurs nowhere else
>     axis p = size(q)
>          ^
---
z[b] = size(q)*x[b]
> 1:8: size(q) is the size of an axis that occurs nowhere else
>     z[b] = size(q)*x[b]
>            ^^^^^^^
---
axis p = size(h) - 5
axis h = 4
z[p] = sum[h](x[h,p])
> 1:6: axis p = size(h) - 5 would be -1 with size(h) = 4
>     axis p = size(h) - 5
>          ^
---
parameter W[i]
W'[j] = 2*W[j]
> 2:1: W' is the next value of W[i]; give it the same axes
>     W'[j] = 2*W[j]
>     ^^^^^
---
z[b] = x[2*b]
> 1:8: x is read only at computed positions; declare its axes: data x[…]
>     z[b] = x[2*b]
>            ^^^^^^
---
z[b] = tanh(x[b], 2)
> 1:8: tanh takes 1 argument, not 2
>     z[b] = tanh(x[b], 2)
>            ^^^^^^^^^^^^^
---
z[b] = tahn(x[b])
> 1:8: unknown function tahn; did you mean tanh?
>     z[b] = tahn(x[b])
>            ^^^^
---
z[b] = softmax(x[b])
> 1:8: unknown function softmax; write exp(s[k] - logsumexp[k'](s[k']))
>     z[b] = softmax(x[b])
>            ^^^^^^^
---
z[b] = sum(x[b,i])
> 1:8: unknown function sum; it reduces over axes: sum[axis](…)
>     z[b] = sum(x[b,i])
>            ^^^
---
z[b] = tanh
> 1:8: tanh is a function; it needs arguments
>     z[b] = tanh
>            ^^^^
---
z[b] = tanh[b]
> 1:8: tanh is a function; write tanh(…)
>     z[b] = tanh[b]
>            ^^^^^^^
---
z[b] = sum[i] x[b,i]
> 1:15: unexpected 'x'; sum[i] needs a body in parentheses: sum[i](…)
>     z[b] = sum[i] x[b,i]
>                   ^
---
z[b] = sum[i]
> 1:8: sum[…] needs a body in parentheses: sum[axis](expression)
>     z[b] = sum[i]
>            ^^^^^^
---
z[b] = sum[i+1](x[b,i])
> 1:12: sum[…] takes the names of the axes to go over
>     z[b] = sum[i+1](x[b,i])
>                ^^^
---
z[b] = sum[i,i](x[b,i])
> 1:8: sum names an axis twice
>     z[b] = sum[i,i](x[b,i])
>            ^^^^^^^^^^^^^^^^
---
z[b] = argmax[i,j](x[b,i,j])
> 1:8: argmax takes one axis
>     z[b] = argmax[i,j](x[b,i,j])
>            ^^^^^^^^^^^^^^^^^^^^^
---
z[b] = summ[i](x[b,i])
> 1:8: unknown reduction summ; did you mean sum?
>     z[b] = summ[i](x[b,i])
>            ^^^^
---
z[b] = (x[b] + 1
a[b] = z[b]
> 1:8: '(' is never closed
>     z[b] = (x[b] + 1
>            ^
---
z[b] = x[b]]
> 1:12: unexpected ']'
>     z[b] = x[b]]
>                ^
---
z[b] = x[b] +
> 1:14: the line ends; expected an expression
>     z[b] = x[b] +
>                  ^
---
z[b] = 2x[b]
> 1:9: unexpected 'x'; expected an operator (+ - * / ^); a product is written with *
>     z[b] = 2x[b]
>             ^
---
z[b]
> 1:5: an equation needs '=' and a right-hand side
>     z[b]
>         ^
---
= x[b]
> 1:1: unexpected '='; expected a name
>     = x[b]
>     ^
---
z b = 3
> 1:3: unexpected 'b'; expected '='
>     z b = 3
>       ^
---
z[b+1] = x[b]
> 1:4: unexpected '+'; on the left of '=' stand the names of axes
>     z[b+1] = x[b]
>        ^
---
z(b) = x[b]
> 1:2: unexpected '('; axes stand in square brackets
>     z(b) = x[b]
>      ^
---
z[b] = x[b] $ 2
> 1:13: unexpected character '$'
>     z[b] = x[b] $ 2
>                 ^
---
z[b] = x[b] < 2
> 1:13: unexpected '<'; a comparison stands in brackets: [x[b] < 2]
>     z[b] = x[b] < 2
>                 ^
---
z[b] = [x[b]]
> 1:13: unexpected ']'; square brackets around an expression make a comparison: [a < b]
>     z[b] = [x[b]]
>                 ^
---
z[b] = [1 <= x[b] <= 2]
> 1:9: a chained comparison is written [low <= value < high]; write [1 <= x[b]]*[x[b] <= 2]
>     z[b] = [1 <= x[b] <= 2]
>             ^^^^^^^^^^^^^^
---
z[b] = x[b]^2^3
> 1:14: unexpected '^'; which power comes first? Write (x[b]^2)^3 or x[b]^(2^3)
>     z[b] = x[b]^2^3
>                  ^
---
z = x^y^-(a + 1)
> 1:8: unexpected '^'; which power comes first? Write (x^y)^-(a + 1) or x^(y^-(a + 1))
>     z = x^y^-(a + 1)
>            ^
---
z = (x[t[b]] + 1)^2^3
> 1:20: unexpected '^'; which power comes first? Write ((x[t[b]] + 1)^2)^3 or (x[t[b]] + 1)^(2^3)
>     z = (x[t[b]] + 1)^2^3
>                        ^
---
z[b] = x²[b]
> 1:10: unexpected '['; a power stands last: x[b]^2, tanh(x)^2
>     z[b] = x²[b]
>              ^
---
z² = x
> 1:2: unexpected '²'; expected '='
>     z² = x
>      ^
---
size = x
> 1:1: size is the name of a function
>     size = x
>     ^^^^
---
z = 2*size
> 1:7: size is a function; it needs arguments
>     z = 2*size
>           ^^^^
---
parameter x[b]
data y[b]
C = sum[b](x*y[b])
> 3:12: x[b] has 1 axis; write x[…]
>     C = sum[b](x*y[b])
>                ^
---
z[b] = x[b]*1_000
> 1:14: unexpected '_000'; the digits of a number stand together
>     z[b] = x[b]*1_000
>                  ^^^^
---
C = sum_b x[b]
> 1:11: unexpected 'x'; a reduction is written sum[b](…)
>     C = sum_b x[b]
>               ^
---
z[b] = tanh(x[b] y[b])
> 1:18: unexpected 'y'; expected an operator (+ - * / ^); a product is written with *
>     z[b] = tanh(x[b] y[b])
>                      ^
---
z[b] = (x[b]]
> 1:13: unexpected ']'; expected ')'
>     z[b] = (x[b]]
>                 ^
---
z[i] = x[i] > 0 and 1
> 1:13: unexpected '>'; a comparison stands in brackets: [x[i] > 0]
>     z[i] = x[i] > 0 and 1
>                 ^
---
z[i] = y[i]*(2*x[i] ≥ max(y[i], 1))
> 1:21: unexpected '≥'; a comparison stands in brackets: [2*x[i] ≥ max(y[i], 1)]
>     z[i] = y[i]*(2*x[i] ≥ max(y[i], 1))
>                         ^
---
z[i] = [x[i] > 0 and x[i] < 1]
> 1:18: unexpected 'and'; both conditions are the product of their brackets: [a < b]*[c < d]
>     z[i] = [x[i] > 0 and x[i] < 1]
>                      ^^^
---
z[i] = [x[i] < 0 or x[i] > 1]
> 1:18: unexpected 'or'; either of two conditions is max([a < b], [c < d])
>     z[i] = [x[i] < 0 or x[i] > 1]
>                      ^^
---
data
z = x
> 1:5: data needs the name of a tensor
>     data
>         ^
---
axis
z = x
> 1:5: axis needs the name of an axis
>     axis
>         ^
---
data x y
z = x
> 1:8: unexpected 'y'; a comma is missing before it
>     data x y
>            ^
---
z[0] = 1
> 1:3: unexpected '0'; on the left of '=' stand the names of axes
>     z[0] = 1
>       ^
---
z[t] = x[t % s]*y[s]
> 1:14: axis s has no value here; its size is written size(s)
>     z[t] = x[t % s]*y[s]
>                  ^
---
data x[i]
z = x[3%0]
> 2:7: division by zero
>     z = x[3%0]
>           ^^^
---
z[i] = [0 < i < 3]
> 1:9: a chained comparison is written [low <= value < high]; write [1 <= i < 3]
>     z[i] = [0 < i < 3]
>             ^^^^^^^^^
---
z[i] = [i//2 <= i + 1 <= size(i)]
> 1:9: a chained comparison is written [low <= value < high]; write [i//2 <= i + 1 < size(i) + 1]
>     z[i] = [i//2 <= i + 1 <= size(i)]
>             ^^^^^^^^^^^^^^^^^^^^^^^^
---
z[i] = [3 > i >= 0]
> 1:9: a chained comparison is written [low <= value < high]; write [3 > i]*[i >= 0]
>     z[i] = [3 > i >= 0]
>             ^^^^^^^^^^
---
D[i,j] = c[i,j] + min(D[i-1,j], D[i,j-1])
> 1:33: D refers to itself: one axis must be shifted in every read; here i and j alternate
>     D[i,j] = c[i,j] + min(D[i-1,j], D[i,j-1])
>                                     ^^^^^^^^
---
z[b] = x[b] + 2*1e400
> 1:17: 1e400 is too large for a number; infinity is written ∞
>     z[b] = x[b] + 2*1e400
>                     ^^^^^
---
z[b] = size(2)
> 1:8: size takes the name of one axis
>     z[b] = size(2)
>            ^^^^^^^
---
state m[j] = x
m'[j] = m[j]
> 1:14: unexpected 'x'; expected a number
>     state m[j] = x
>                  ^
---
data x[b] = 3
z[b] = x[b]
> 1:6: only a state has a value to start from; x is data
>     data x[b] = 3
>          ^^^^
---
random r[b]
z[b] = r[b]
> 1:8: random r needs a distribution: random r ~ uniform
>     random r[b]
>            ^^^^
---
random r[b] ~ cauchy
z[b] = r[b]
> 1:15: unknown distribution cauchy; one of uniform, normal
>     random r[b] ~ cauchy
>                   ^^^^^^
---
data r[b] ~ uniform
z[b] = r[b]
> 1:6: only a random tensor has a distribution; r is data
>     data r[b] ~ uniform
>          ^^^^
---
axis b = 3    # a comment
data x[b]

# another comment
z[b] = sum[i](x[b]     # the statement goes on in the next lines
   *y[i]
   *q[j])
> 7:7: unknown axis j: it is neither on the left, nor summed over, nor a tensor
>        *q[j])
>           ^
---
__import__('os')
> 1:11: unexpected '('; axes stand in square brackets
>     __import__('os')
>               ^
"""


def blocks() -> list[tuple[str, str]]:
    made = []
    for block in REFUSED.replace("\\\n", "").strip("\n").split("\n---\n"):
        lines = block.split("\n")
        text = [line for line in lines if not line.startswith("> ")]
        message = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
        made.append(("\n".join(text), "\n".join(message)))
    return made


@pytest.mark.parametrize("text, message", blocks(), ids=[text.split("\n")[-1] for text, _ in blocks()])
def test_refused(text: str, message: str) -> None:
    with pytest.raises(EquationError) as caught:
        parse(text, "my.eq")
    assert str(caught.value) == f"my.eq:{message}"
    line, column = message.split(":")[:2]
    assert (caught.value.line, caught.value.column) == (int(line), int(column))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment"])
def test_empty(text: str) -> None:
    with pytest.raises(EquationError, match=r"^my\.eq: no equations$"):
        parse(text, "my.eq")


def test_declarations_alone() -> None:
    with pytest.raises(EquationError, match=r"^my\.eq: no equations, only declarations$"):
        parse("data x[b]", "my.eq")


def test_error_in_what_code_made_quotes_the_equation() -> None:
    """An equation that nobody wrote is shown as it is written by ``str``."""
    equation = Equation("z", ("b",), access("x", "b") * access("y", "b"))
    with pytest.raises(EquationError) as caught:
        check(System((equation,)))
    assert str(caught.value) == dedent("""\
        <system>:1:8: x is neither declared nor defined
            z[b] = x[b]*y[b]
                   ^^^^""")


@pytest.mark.parametrize(
    "system, message",
    [
        (System((Equation("z", (), Number(1)),), (Input("x", ("b", "b"), "data"),)), "axis b stands twice on x"),
        (System((Equation("z", ("b", "b"), Number(1)),)), "axis b stands twice on z"),
        (System((Equation("z", (), Number(1)),), (Input("tanh", ("b",), "data"),)), "tanh is the name of a function"),
        (System((Equation("size", (), Number(1)),)), "size is the name of a function"),
        (System((Equation("z", (), Number(1)),), (Input("x", (), "data"),) * 2), "x is declared twice"),
    ],
)
def test_names_in_what_code_made(system: System, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        check(system)


def test_extending_a_system_by_what_it_has() -> None:
    system = parse("axis b = 2\ndata x[b]\nz[b] = 2*x[b]")
    for twice in (
        {"equations": [Equation("x", ("b",), Number(1))]},
        {"inputs": [Input("z", ("b",), "data")]},
        {"inputs": [Input("v", (), "data")] * 2},
    ):
        with pytest.raises(ChainruleError, match=r"^the system has a tensor [xzv] already; give the new one another"):
            system.extended(**twice)
    with pytest.raises(ChainruleError, match=r"^the size of axis b is declared already$"):
        system.extended(sizes=[("b", Number(3))])


@pytest.mark.parametrize(
    "expression", ["(" * 500 + "x" + ")" * 500, "tanh(" * 400 + "x" + ")" * 400, "x" + "/x*x" * 400]
)
def test_deep_nesting(expression: str) -> None:
    with pytest.raises(EquationError, match=r"^my.eq:2:1: an expression is nested too deeply; give parts of it names"):
        parse(f"y = x\nz = {expression}", "my.eq")


def test_deep_nesting_of_an_expression_alone() -> None:
    with pytest.raises(EquationError, match="nested too deeply"):
        parse_expression("(" * 500 + "x" + ")" * 500, ("x",))


def test_shapes_that_conflict() -> None:
    text = "data x[b,i]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])"
    with pytest.raises(EquationError) as caught:
        parse(text, "my.eq", shapes={"x": (5, 3), "W": (4, 2)})
    assert str(caught.value) == dedent("""\
        my.eq:2:11: axis i has two sizes: axis i of x is 3, but axis i of W is 4
            parameter W[i,j]
                      ^^^^^^""")


def test_shapes_that_conflict_through_a_read() -> None:
    text = "data x[b,h]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])"
    with pytest.raises(EquationError) as caught:
        parse(text, "my.eq", shapes={"x": (5, 3), "W": (4, 2)})
    assert str(caught.value) == dedent("""\
        my.eq:3:17: axes h and i must have one size: axis h of x is 3, but axis i of W is 4; x[b,i] reads h at i
            z[b,j] = sum[i](x[b,i]*W[i,j])
                            ^^^^^^""")


def test_shape_of_another_rank() -> None:
    with pytest.raises(ChainruleError, match=r"^x\[b,i\] has 2 axes, but its values have shape \(5,\)$"):
        parse("data x[b,i]\nz[b] = sum[i](x[b,i])", shapes={"x": (5,)})
    with pytest.raises(ChainruleError, match=r"^η has no axes, but its values have shape \(1,\)$"):
        parse("data x[b], η\nz[b] = η*x[b]", shapes={"η": (1,)})


def test_files(tmp_path) -> None:
    missing = tmp_path / "missing.eq"
    with pytest.raises(ChainruleError) as caught:
        parse_file(missing)
    assert str(caught.value) == f"{missing}: no such file or directory"
    binary = tmp_path / "binary.eq"
    binary.write_bytes(b"z[b] = x[b]\xff")
    with pytest.raises(ChainruleError) as caught:
        parse_file(binary)
    assert str(caught.value) == f"{binary}: not a text file (byte 11 is not UTF-8)"
    wrong = tmp_path / "wrong.eq"
    wrong.write_text("z[b] = x[i]\n", encoding="utf-8")
    with pytest.raises(EquationError, match="unknown axis i"):
        parse_file(wrong)


def test_tabs_stay_under_tabs() -> None:
    with pytest.raises(EquationError) as caught:
        parse("z[b] =\tx[b] *\ty[i]", "my.eq")
    assert str(caught.value).split("\n")[1:] == ["    z[b] =\tx[b] *\ty[i]", "          \t      \t  ^"]
