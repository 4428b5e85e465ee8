"""Reports of small models of every kind: what they hold, how they look to a reader, a keyboard and a screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import chainrule as cr
from browser import Opened, accessibility_violations
from chainrule.report import Origin, Report, report

ALL = ["data", "architecture", "training", "mistakes", "examples", "calibration", "attributions", "weights", "check"]
ALL += ["derivation", "walk", "settings"]

FROM_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

Given = tuple[Any, Any, Any]  # a fitted model, and rows with their targets


def of_digits() -> Given:
    data = load_digits()
    model = cr.Classifier(cr.Network(cr.Dense(16), cr.ReLU(), cr.Dense(10)), epochs=6, random_state=0)
    model.fit(data.data[:600], data.target[:600])
    return model, data.data[600:800], data.target[600:800]


def of_a_table() -> Given:
    generator = np.random.default_rng(0)
    size = generator.normal(100, 20, 150)
    table = pd.DataFrame(
        {"size": size, "town": generator.choice(["A&B", "<C>"], 150), "age": generator.integers(0, 9, 150)}
    )
    table.loc[::10, "age"] = np.nan
    model = cr.Regressor(cr.Network(cr.Dense(8), cr.Tanh(), cr.Dense(1)), epochs=10, random_state=0)
    model.fit(table, 3 * size + 50)
    return model, table, 3 * size + 50


def of_texts() -> Given:
    texts = ["a good film with heart", "a bad boring film <b>", "good & warm", "long and boring and bad"] * 8
    network = cr.Network(cr.Embedding(30, 4), cr.GlobalMaxPool(), cr.Dense(2))
    model = cr.Classifier(network, epochs=4, random_state=0, reading=cr.Words(fewest=1)).fit(texts, ["+", "-"] * 16)
    return model, texts, ["+", "-"] * 16


def of_series() -> Given:
    generator = np.random.default_rng(0)
    X = [generator.standard_normal((12, 2)) + k % 2 for k in range(40)]
    model = cr.Classifier(cr.Network(cr.GRU(4), cr.Dense(2)), epochs=3, random_state=0, reading=cr.Channels())
    return model.fit(X, [k % 2 for k in range(40)]), X, [k % 2 for k in range(40)]


def of_several_labels() -> Given:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((80, 4))
    y = (X[:, :3] > 0).astype(int)
    return cr.Classifier(cr.Network(cr.Dense(3)), epochs=5, random_state=0).fit(X, y), X, y


def of_several_values() -> Given:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((80, 4))
    return cr.Regressor(cr.Network(cr.Dense(2)), epochs=5, random_state=0).fit(X, X[:, :2]), X, X[:, :2]


def of_margins() -> Given:
    X = np.random.default_rng(0).standard_normal((80, 4))
    y = (X[:, 0] > 0).astype(int)
    return cr.Classifier(cr.Network(cr.Dense(1)), cr.Hinge(), epochs=5, random_state=0).fit(X, y), X, y


REPORTS: dict[str, Callable[[], Given]] = {
    "digits": of_digits,
    "table": of_a_table,
    "texts": of_texts,
    "series": of_series,
    "several labels": of_several_labels,
    "several values": of_several_values,
    "margins": of_margins,
}


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    made = {}
    for name, make in REPORTS.items():
        origin = Origin(image=(8, 8) if name == "digits" else None)
        made[name] = report(*make(), origin)
    return made


class Page(HTMLParser):
    """Tags in order, and whether each that opens is closed."""

    EMPTY = frozenset({"meta", "img", "br", "input", "path", "rect", "use", "line", "polyline", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", REPORTS)
def test_page_is_whole_and_needs_nothing(name: str, reports: dict[str, Report]) -> None:
    text = reports[name].html()
    page = Page(text)
    assert page.open == []
    assert not re.search(r"<script|@import|(?:src|href)=\"(?!data:|#)|url\((?!#)", text)
    ids = [found["id"] for _, found in page.seen if "id" in found]
    assert len(set(ids)) == len(ids)
    links = {found["href"] for tag, found in page.seen if tag in ("a", "use") and found.get("href")}
    assert {str(link)[1:] for link in links} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.seen if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(found.get("alt") for tag, found in page.seen if tag == "img")
    assert len(text.encode()) < 3e6


@pytest.mark.parametrize("name", REPORTS)
def test_sections(name: str, reports: dict[str, Report]) -> None:
    left_out = {"calibration"} if name == "margins" else set()
    expected = [part for part in ALL if part not in left_out]
    assert [section.name for section in reports[name].sections] == expected


def test_what_stands_in_it(reports: dict[str, Report]) -> None:
    digits = {section.name: section.body for section in reports["digits"].sections}
    assert "an image of 8 × 8 pixels" in digits["data"]
    assert digits["examples"].count("<img") == 24
    assert "Confusion matrix" in digits["mistakes"] and "Expected calibration error" in digits["calibration"]
    assert "Brier score" in digits["calibration"]
    powers = re.findall(r'<td class="number">−?[\d.]+·10⁻([⁰¹²³⁴-⁹]+)</td>', digits["attributions"])
    assert len(powers) == 3 and all(int(power.translate(FROM_RAISED)) >= 7 for power in powers)  # residuals
    table = {section.name: section.body for section in reports["table"].sections}
    assert "A&amp;B" in table["data"] and "&lt;C&gt;" in table["data"] and "<C>" not in reports["table"].html()
    assert "15 of 450 cells (3.33 %), in 1 column" in table["data"]
    assert "<b>boring" not in reports["texts"].html()


def test_without_rows_it_is_about_the_model() -> None:
    model = cr.Classifier(cr.Network(cr.Dense(2)), epochs=2, random_state=0)
    X = np.random.default_rng(0).standard_normal((40, 3))
    made = model.fit(X, X[:, 0] > 0).report()
    assert [part.name for part in made.sections] == [
        "architecture",
        "training",
        "weights",
        "check",
        "derivation",
        "settings",
    ]


def test_refused_in_words() -> None:
    X = np.random.default_rng(0).standard_normal((40, 3))
    model = cr.Classifier(cr.Network(cr.Dense(2)), epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    with pytest.raises(cr.ChainruleError, match="needs rows of 16 numbers; there is 3 columns"):
        model.report(X, X[:, 0] > 0, image=(4, 4))
    with pytest.raises(cr.ChainruleError, match="is not one of the classes"):
        model.report(X, np.arange(40))


def test_saved_whole_or_not_at_all(reports: dict[str, Report], tmp_path: Path) -> None:
    made = reports["margins"]
    assert made.save(tmp_path) == tmp_path / "report.html"
    assert made.save(tmp_path / "new" / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(cr.ChainruleError, match="cannot be written"):
        made.save(tmp_path / "report.html" / "inside.html")
    assert "srcdoc=" in made._repr_html_() and "<script" not in made._repr_html_()


def without_documents(report: Report) -> Report:
    """The report without derivation and walk, whose thousands of formulas take an audit long."""
    return replace(report, sections=tuple(one for one in report.sections if one.name not in ("derivation", "walk")))


@pytest.mark.parametrize(
    ("name", "dark"), [*((name, False) for name in REPORTS), ("digits", True), ("table", True), ("texts", True)]
)
def test_in_a_browser(
    name: str, dark: bool, reports: dict[str, Report], open_page: Callable[..., Opened], tmp_path: Path
) -> None:
    path = without_documents(reports[name]).save(tmp_path / "report.html")
    opened = open_page("tablet" if dark else "desktop", dark=dark, offline=True)
    page: Any = opened.page
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_violations(page) == []
    assert opened.problems == [] and opened.requests == [path.as_uri()]


def test_whole_in_a_browser(reports: dict[str, Report], open_page: Callable[..., Opened], tmp_path: Path) -> None:
    path = reports["margins"].save(tmp_path / "report.html")
    opened = open_page(offline=True)
    opened.page.goto(path.as_uri())
    opened.page.evaluate("document.querySelectorAll('details.part').forEach(one => one.open = true)")
    assert accessibility_violations(opened.page) == []
    assert opened.problems == []


def test_narrow_and_by_keyboard(reports: dict[str, Report], open_page: Callable[..., Opened], tmp_path: Path) -> None:
    path = reports["digits"].save(tmp_path / "report.html")
    page: Any = open_page("phone", offline=True).page
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
