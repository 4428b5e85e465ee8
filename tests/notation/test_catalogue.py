"""Every function, every reduction and every case is written in all three forms, and each is well formed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from cases import CASES, Case
from chainrule.calculus.reverse import derive
from chainrule.equations.functions import FUNCTIONS
from chainrule.equations.node import REDUCTIONS, Apply, Number, Reduce, access
from chainrule.equations.parse import parse_expression
from chainrule.notation.latex import latex
from chainrule.notation.mathml import mathml
from chainrule.notation.story import names_of
from chainrule.notation.text import text


def check_latex(written: str) -> None:
    """Braces, delimiters and environments match; every sign that is not ASCII has become a command."""
    assert set(written) <= set(map(chr, range(128))), set(written)
    depth = 0
    for piece in re.findall(r"\\[{}]|[{}]", written):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        assert depth >= 0, written
    assert depth == 0, written
    for opening, closing in ((r"\left", r"\right"), (r"\begin{", r"\end{")):
        count = len(re.findall(re.escape(opening) + r"(?![a-z])", written))
        assert count == len(re.findall(re.escape(closing) + r"(?![a-z])", written)), written


def check_mathml(written: str) -> None:
    root = ElementTree.fromstring(written)
    arity = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2}
    for element in root.iter():
        assert element.tag not in arity or len(element) == arity[element.tag], written


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function(name: str) -> None:
    row = FUNCTIONS[name]
    arguments = [access(letter, "i") for letter in "xyw"][: 2 if row.arity is None else row.arity]
    for shape in (arguments, [argument + 1 for argument in arguments], [-argument for argument in arguments]):
        for node in (Apply(name, tuple(shape)), 2 * Apply(name, tuple(shape)), Apply(name, tuple(shape)) ** 2):
            check_latex(latex(node))
            check_mathml(mathml(node))
            assert text(node)


@pytest.mark.parametrize("operation", REDUCTIONS)
def test_every_reduction(operation: str) -> None:
    for body in (access("x", "ij"), access("x", "ij") + 1):
        node = Reduce(operation, ("i", "j"), body) * Number(2)
        check_latex(latex(node))
        check_mathml(mathml(node))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_case(case: Case) -> None:
    log = derive(case.system, "C", case.wrt)
    names = names_of(log)
    for equation in log.system.equations:
        check_latex(latex(equation, names))
        check_mathml(mathml(equation, names))
        assert "\n" not in text(equation, names)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sum[i](x[b,i]*W1[i,j]) + β1", r"\sum_{i}x_{bi}\,W_{ij}^{(1)} + \beta_{1}"),
        ("x[b,2*p+u-1]", "x_{b,2p + u - 1}"),
        ("E[t[b],d]", "E_{t_{b},d}"),
        ("x[k']*(y[k] - 1)", r"x_{k'}\,(y_{k} - 1)"),
        ("[0 <= h - 2*p < size(u)]", "[0 \\le h - 2p < n_{u}]"),
        ("where([x[i] > 0], x[i], 0)",
         r"\begin{cases} x_{i} & \text{if}\;x_{i} > 0 \\ 0 & \text{otherwise} \end{cases}"),
        ("(x[i] + 1)^2/(2*y[i])", r"\frac{(x_{i} + 1)^{2}}{2\,y_{i}}"),
        ("sum[i](x[i])/2", r"\frac{1}{2}\sum_{i}x_{i}"),
        ("tanh(x[i])^2", r"\tanh^{2}(x_{i})"),
        ("-(x[i] + y[i])*2", r"-(x_{i} + y_{i}) \cdot 2"),
        ("x[i] - (y[i] - w[i])", "x_{i} - (y_{i} - w_{i})"),
        ("x[i] + 1e-8", r"x_{i} + 10^{-8}"),
        ("exp(-x[i])", "e^{-x_{i}}"),
        ("exp(x[i] - logsumexp[j](x[j]))", r"\exp\left(x_{i} - \log\sum_{j}e^{x_{j}}\right)"),
        ("x_new[i]*encoder.norm.γ[i]", r"x_{\text{new},i}\,\gamma_{i}^{\text{encoder.norm}}"),
        ("max[i](x[i])*y[j]", r"\left(\max_{i}x_{i}\right)\,y_{j}"),
    ],
)  # fmt: skip
def test_written(source: str, expected: str) -> None:
    assert latex(parse_expression(source, ("β1",))) == expected
