"""A derivation in its three forms: golden files, a page that stands alone, LaTeX without loose ends."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import chainrule as cr
from cases import CASES, Case
from chainrule.notation.matrix import matrix_form
from chainrule.notation.matrix_layout import matrix_box
from chainrule.notation.text import box_text, text
from notation.test_catalogue import check_latex

TWO_LAYER = Path(__file__).parents[2] / "examples" / "two_layer.eq"


@pytest.fixture(scope="module")
def two_layer() -> cr.Derivation:
    return cr.derive(cr.parse_file(TWO_LAYER), "C", ["W1", "b1", "W2", "b2"])


def test_golden_text(two_layer: cr.Derivation, golden) -> None:
    golden.check("notation/two_layer.txt", two_layer.text())


def test_golden_latex(two_layer: cr.Derivation, golden) -> None:
    golden.check("notation/two_layer.tex", two_layer.latex())


def test_golden_page(two_layer: cr.Derivation, golden) -> None:
    golden.check("notation/two_layer.html", two_layer.html())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_golden_equations(case: Case, golden) -> None:
    """Every equation of every case, in index form and, where it has one, in matrix form."""
    derivation = cr.derive(case.system, "C", case.wrt)
    lines = []
    for equation in derivation.system.equations:
        lines.append(text(equation, derivation.names))
        form = matrix_form(equation, derivation.system)
        if form is not None:
            lines.append(f"        {box_text(matrix_box(form, derivation.names))}")
    golden.check(f"notation/{case.name}.txt", "\n".join(lines) + "\n")


def test_the_four_equations(two_layer: cr.Derivation) -> None:
    shown = two_layer.text(160)
    for line, tag in (
        ("δ⁽²⁾ = ∂C/∂a⁽²⁾ ⊙ σ′(z⁽²⁾)", "BP1"),
        ("δ⁽¹⁾ = (δ⁽²⁾ W⁽²⁾ᵀ) ⊙ σ′(z⁽¹⁾)", "BP2"),
        ("∂C/∂b⁽¹⁾ = δ⁽¹⁾ᵀ 1", "BP3"),
        ("∂C/∂W⁽²⁾ = a⁽¹⁾ᵀ δ⁽²⁾", "BP4"),
    ):
        assert any(line in printed and tag in printed for printed in shown.splitlines()), line


class Page(HTMLParser):
    """Collects the tags of a page and checks that they match."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_page_stands_alone(case: Case) -> None:
    derivation = cr.derive(case.system, "C", case.wrt)
    page = Page()
    page.feed(derivation.html())
    assert not page.open
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not any(name in ("src", "href") or name.startswith("on") for name, _ in page.attributes)
    assert not re.search(r"url\(|@import|https?:", derivation.html())
    assert page.tags.count("details") == len(derivation.adjoints) + 1


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_paper(case: Case) -> None:
    derivation = cr.derive(case.system, "C", case.wrt)
    check_latex(derivation.latex())
    check_latex(derivation.latex_fragment())
    assert derivation.latex().startswith(r"\documentclass")
    assert "documentclass" not in derivation.latex_fragment()


def test_terminal_and_notebook(two_layer: cr.Derivation) -> None:
    out = StringIO()
    Console(file=out, width=100, force_terminal=True, color_system="standard", _environ={}).print(two_layer.rich())
    assert "\x1b[" in out.getvalue()
    assert "\x1b[" not in two_layer.text()
    assert max(map(len, two_layer.text(100).splitlines())) <= 100
    fragment = two_layer._repr_html_()
    assert "<html" not in fragment and "<math" in fragment
    assert str(two_layer).splitlines()[0].startswith("∂a2[m,k] = ")


def test_second_derivatives_are_written() -> None:
    first = cr.derive(cr.parse("data v[i]\nparameter x[i]\nC = sum[i](x[i]^3)"), "C")
    twice = first.system.extended(cr.parse("data v[i], g[i]\nq = sum[i](v[i]*g[i])").equations)
    system = cr.parse(str(twice).replace("g[i]", "∂x[i]"))
    again = cr.derive(system, "q", ["x"])
    assert "∂xᵢ" in again.text() and "∂q/∂x" in again.text()


def test_how_ties_are_decided() -> None:
    """The legend says so for the functions that occur, and only for them."""
    text = "parameter x[i,j], w[i]\nm[i] = max[j](x[i,j])\nC = sum[i](relu(m[i]) + max(m[i], w[i]))"
    shown = cr.derive(cr.parse(text), "C").text(200)
    legend = [" ".join(line.split()) for line in shown.split("How to read it")[1].splitlines()]
    assert "argmax where the maximum is; the first of those that reach it gets the whole derivative" in legend
    assert "ReLU(x) its derivative is [x > 0]; at 0 the derivative is 0" in legend
    assert "max(x, y) its derivatives are [x ≥ y] and [x < y]; where both are equal the first counts" in legend
    smooth = cr.derive(cr.parse("parameter x[i]\nC = sum[i](tanh(x[i]))"), "C").text(200)
    assert "its derivative" not in smooth and "argm" not in smooth
