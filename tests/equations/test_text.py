"""Text to nodes and back: spelling, precedence, layout, places."""

from __future__ import annotations

from typing import Any

import pytest

from cases import CASES, Case
from chainrule.equations.node import Apply, Equation, Index, Number, access, axis
from chainrule.equations.parse import parse, parse_expression
from chainrule.equations.system import Input
from chainrule.equations.walk import occurrences
from chainrule.equations.write import write_with_spans

HEAD = """
data x[b], y[b], u[b,i], v[i], w[b,b'], β1[b], μ[b], η, ε, ∂W[b], ∂²β[b], dense1.W[b], dense1.β[b]
integer n[b]
"""
x, y, η = access("x", "b"), access("y", "b"), access("η", "")


def right(text: str) -> Any:
    """The right-hand side of ``z[b] = text``."""
    return parse(f"{HEAD}z[b] = {text}").by_name["z"].expression


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_cases_round_trip(case: Case) -> None:
    assert parse(str(case.system)) == case.system


# Spellings of one node; the last is how it is written.
SAME = [
    ("x[b]+y[b]", "(x[b]) +  (y[b])", "x[b] + y[b]"),
    ("x[b]·y[b]", "x[b]×y[b]", "x[b]⋅y[b]", "x[b] * y[b]", "x[b]*y[b]"),
    ("x[b] − y[b]", "x[b]-y[b]", "x[b] - y[b]"),
    ("x[b]**2", "x[b] ^ 2", "x[b]²", "x[b]^2"),
    ("x[b]**-1", "x[b]^-1", "x[b]⁻¹", "x[b]^(-1)"),
    ("x[b]²*(x[b] + 1)³", "x[b]^2*(x[b] + 1)^3"),
    ("x[b]¹²*η²", "x[b]^12*η^2"),
    ("∂²beta[b]²", "∂²β[b]^2"),
    ("x[b]*-y[b]", "x[b]*(-y[b])"),
    ("x[b]/-y[b]^2*-2", "x[b]/(-y[b]^2)*(-2)"),
    ("x[b] + -0.5", "x[b] - 0.5"),
    ("x[2*n[b] + b + -size(b)]", "x[2*n[b] + b - size(b)]"),
    ("x[3 + -(b//2)]", "x[-b//2 + 3]", "x[-(b//2) + 3]"),
    ("-n[b]//2", "-(n[b]//2)"),
    ("-(b//2/η)", "-b//2/η", "-(b//2/η)"),
    ("-((b//2)/η)", "-(b//2)/η"),
    ("(2*b)/η", "(b*2)/η", "(2*b)/η"),
    ("(2*b)//n[b]", "(2*b)//n[b]"),
    ("2*b//n[b]", "2*b//n[b]"),
    ("[x[b] ≤ y[b]]", "[x[b]<=y[b]]", "[x[b] <= y[b]]"),
    ("[x[b] ≥ 0]", "[x[b]>=0]", "[x[b] >= 0]"),
    ("[x[b] ≠ 0]", "[x[b] != 0]"),
    ("[x[b] == 0]", "[x[b] = 0]"),
    ("[0 ≤ b < size(i)]*sum[i](v[i])", "[0 <= b < size(i)]*sum[i](v[i])"),
    ("Σ[i](u[b,i])", "∑[i](u[b,i])", "sum[i](u[b,i])"),
    ("sum[b′](w[b,b′])", "sum[b'](w[b,b'])"),
    ("where(x[b] > 0, y[b], 0)", "where([x[b]>0],y[b],0)", "where([x[b] > 0], y[b], 0)"),
    ("pi*x[b]", "π*x[b]"),
    ("x[b]*inf", "x[b]*infinity", "x[b]*∞"),
    ("1e-3*x[b]", "0.001*x[b]"),
    ("1.*x[b]", "1.0*x[b]"),
    (".5*x[b]", "0.5*x[b]"),
    ("1e30*x[b]", "1e+30*x[b]"),
    ("beta1[b]*eta", "β₁[b]*η", "β1[b]*η"),
    ("epsilon*x[b]", "ϵ*x[b]", "ε*x[b]"),
    ("µ[b]", "mu[b]", "μ[b]"),
    ("partial W[b]", "∂W[b]"),
    ("∂²beta[b]", "∂²β[b]"),
    ("dense1.W[b]*dense1.beta[b]", "dense1.W[b]*dense1.β[b]"),
    ("x[b + b - 1]", "x[2*b - 1]"),
    ("x[b + 2 - 3]", "x[b - 1]"),
    ("x[b//2*3]", "x[3*(b//2)]"),
    ("x[size(b) - 1 - b]", "x[size(b) - b - 1]"),
    ("x[2*n[b] + 1]", "x[2*n[b] + 1]"),
    ("2*(b + 1)", "2*b + 2"),
    ("x[b] # what it is", "x[b]"),
]


@pytest.mark.parametrize("spellings", SAME, ids=[spellings[-1] for spellings in SAME])
def test_spelling(spellings: tuple[str, ...]) -> None:
    nodes = [right(text) for text in spellings]
    assert all(node is nodes[0] for node in nodes)
    assert str(nodes[0]) == spellings[-1]


def neg(node: Any) -> Apply:
    return Apply("neg", (node,))


# What binds how tightly: text, node, and the text that comes back if it is another.
PRECEDENCE = [
    ("x[b] + y[b]*η", Apply("+", (x, Apply("*", (y, η)))), None),
    ("x[b]*y[b]/η", Apply("/", (Apply("*", (x, y)), η)), None),
    ("x[b]/y[b]*η", Apply("*", (Apply("/", (x, y)), η)), None),
    ("x[b]/(y[b]*η)", Apply("/", (x, Apply("*", (y, η)))), None),
    ("x[b]/y[b]/η", Apply("/", (Apply("/", (x, y)), η)), None),
    ("x[b]*(y[b]/η)", Apply("*", (x, Apply("/", (y, η)))), None),
    ("(x[b]*y[b])*η", Apply("*", (Apply("*", (x, y)), η)), None),
    ("x[b]*y[b]*η", Apply("*", (x, y, η)), None),
    ("x[b] + y[b] + η", Apply("+", (x, y, η)), None),
    ("(x[b] + y[b]) + η", Apply("+", (Apply("+", (x, y)), η)), None),
    ("x[b] - y[b] - η", Apply("+", (x, neg(y), neg(η))), None),
    ("x[b] - (y[b] - η)", Apply("+", (x, neg(Apply("+", (y, neg(η)))))), None),
    ("x[b] + -y[b]", Apply("+", (x, neg(y))), "x[b] - y[b]"),
    ("-x[b]*y[b]", neg(Apply("*", (x, y))), None),
    ("(-x[b])*y[b]", Apply("*", (neg(x), y)), None),
    ("-x[b]^2", neg(Apply("^", (x, Number(2)))), None),
    ("(-x[b])^2", Apply("^", (neg(x), Number(2))), None),
    ("-(-x[b])", neg(neg(x)), None),
    ("-0.5*x[b]", neg(Apply("*", (Number(0.5), x))), None),
    ("(-0.5)*x[b]", Apply("*", (Number(-0.5), x)), None),
    ("-(0.5)", neg(Number(0.5)), None),
    ("-0.5", Number(-0.5), None),
    ("x[b] - 0.5", Apply("+", (x, neg(Number(0.5)))), None),
    ("x[b] + (-0.5)", Apply("+", (x, Number(-0.5))), None),
    ("x[b] + (-b)", Apply("+", (x, Index(((-1, "b"),), 0))), None),
    ("x[b] - (-0.5)", Apply("+", (x, neg(Number(-0.5)))), None),
    ("x[b]^(y[b] + 1)", Apply("^", (x, Apply("+", (y, Number(1))))), None),
    ("(x[b]^2)^3", Apply("^", (Apply("^", (x, Number(2))), Number(3))), None),
    ("x[b]^(2^3)", Apply("^", (x, Apply("^", (Number(2), Number(3))))), None),
    ("[[x[b] < y[b]] = η]", Apply("=", (Apply("<", (x, y)), η)), None),
    ("b", axis("b"), None),
    ("2*b - 1", Index(((2, "b"),), -1), None),
    ("x[b]*(2*b - 1)", Apply("*", (x, Index(((2, "b"),), -1))), None),
    ("x[b] - (b - 1)", Apply("+", (x, neg(Index(((1, "b"),), -1)))), None),
    ("b//2%3", Index(((1, Apply("%", (Index(((1, Apply("//", (axis("b"), Number(2)))),), 0), Number(3)))),), 0), None),
    ("n[b]//2", Apply("//", (access("n", "b"), Number(2))), None),
    ("size(b)*size(i)*sum[i](v[i])", None, None),
    ("2*size(b)", Apply("*", (Number(2), Number("b"))), None),
]


@pytest.mark.parametrize("text, node, written", PRECEDENCE, ids=[text for text, _, _ in PRECEDENCE])
def test_precedence(text: str, node: Any, written: str | None) -> None:
    found = right(text)
    assert node is None or found is node
    assert str(found) == (written or text)


def test_whole_and_real_numbers_stay_apart() -> None:
    assert right("2") is Number(2)
    assert right("2.0") is Number(2.0)
    assert Number(2) is not Number(2.0)
    assert right("99999999999999999999") is Number(1e20)


def test_declarations() -> None:
    system = parse("""
        axis b, i = 784, p = (size(i) - size(u))//2 + 1
        data x[b,i], η
        integer t[b]
        parameter W[u]
        state m[u] = -0.5, k
        random r[b] ~ normal
        z[b,p] = sum[u](x[b,2*p + u]*W[u])
    """)
    assert system.inputs == (
        Input("x", ("b", "i"), "data"),
        Input("η", (), "data"),
        Input("t", ("b",), "integer"),
        Input("W", ("u",), "parameter"),
        Input("m", ("u",), "state", -0.5),
        Input("k", (), "state", 0),
        Input("r", ("b",), "random", None, "normal"),
    )
    assert str(system).splitlines()[:3] == ["axis b", "axis i = 784", "axis p = (size(i) - size(u))//2 + 1"]
    assert parse(str(system)) == system


def test_text_without_declarations() -> None:
    system = parse("z[b,j] = sum[i](x[b,i]*W[i,j]) + c*beta[j]\ns = sum[b](z[b,t[b]])")
    assert [str(tensor) for tensor in system.inputs] == [
        "data x[b,i]",
        "data W[i,j]",
        "data c",
        "data β[j]",
        "integer t[b]",
    ]


def test_layout() -> None:
    """Statements go on while a bracket is open; comments, blank lines and spaces do not matter."""
    text = "z[b] = sum[i](\n    u[b,i]  # the input\n    * v[i]\n)\n\n\n# the end\nc[b]=z[b]"
    assert str(parse(text)).splitlines()[-2:] == ["z[b] = sum[i](u[b,i]*v[i])", "c[b] = z[b]"]


def test_windows_line_ends_and_tabs() -> None:
    assert parse("z[b] =\tx[b]\r\ny[b] = z[b]\r\n") == parse("z[b] = x[b]\ny[b] = z[b]")


def test_reserved_words_inside_names() -> None:
    system = parse("axisx[b] = data1[b] + sums[b] + state_of[b]")
    assert [tensor.name for tensor in system.inputs] == ["data1", "sums", "state_of"]


def test_next_values() -> None:
    system = parse("parameter W[i]\ndata g[i]\nW'[i] = W[i] - 0.1*g[i]")
    assert system.updates == {"W": "W'"}


def test_written_places() -> None:
    """``write_with_spans`` says where each part stands."""
    equation = Equation("z", ("b",), right("-x[b - 1]*(y[b] + 2) - where([x[b] < 1], sum[i](u[b,i]), 3)"))
    text, spans = write_with_spans(equation)
    for path, node, _ in occurrences(equation.expression):
        if path in spans:
            piece = text[slice(*spans[path])]
            assert piece.strip("()-") in (str(node), str(node).strip("()-"))
    assert text[slice(*spans[("left",)])] == "z[b]"


def test_read_places() -> None:
    """The parser remembers where each part of an equation was written, over several lines."""
    text = "data x[b], y[b], u[b,i]\nz[b] = x[b]*(\n   y[b]+1)/2 +\tsum[i](\n u[b,i])"
    system = parse(text)
    source = system.sources["z"]
    pieces = {path: source.text[slice(*span)] for path, span in source.spans.items()}
    written = {path: str(node) for path, node, _ in occurrences(system.by_name["z"].expression)}
    assert pieces["left",] == "z[b]"
    for path, piece in pieces.items():
        if path != ("left",):
            squeezed = piece.translate({ord(space): None for space in " \n\t"})
            assert squeezed.strip("()") == written[path].replace(" ", "").strip("()"), path
    assert source.place(source.spans[0, 0, 1, 0][0]) == (3, 4)
    assert source.place(source.spans[1,][0]) == (3, 16)


def test_expression_alone() -> None:
    assert parse_expression("1 - tanh(x)^2", ("x",)) is 1 - Apply("tanh", (access("x", ""),)) ** 2
    assert parse_expression("x[b]*k") is access("x", "b") * axis("k")
