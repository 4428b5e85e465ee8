"""The parts of a report: calibration, figures, numbers, the diagram."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

import chainrule as cr
from chainrule.probability.reliability import reliability
from chainrule.report import small
from chainrule.report.architecture import edges, section
from chainrule.report.figure import ACCENT, VARIABLES, draw
from chainrule.report.page import Cell, table, written
from chainrule.report.scores import accuracy, regression_scores


def test_expected_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.92, 0.55, 0.52])
    right = np.array([True, False, True, True])
    found = reliability(confidence, right, bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    # |1 - 0.535|·2/4 + |0.5 - 0.935|·2/4
    assert found.error == pytest.approx(0.45)


def test_right_as_often_as_said_is_no_error() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 200_000)
    assert reliability(confidence, generator.random(200_000) < confidence).error < 0.01


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.12345, "0.1235"), (-3, "−3"), (1402.4, "1,402"), (2.3e-9, "2.3·10⁻⁹"), (123456.7, "123,457"), (np.nan, "–")],
)
def test_numbers_as_they_are_read(number: float, text: str) -> None:
    assert written(number) == text


def test_figures_have_the_colours_of_the_page_and_names_of_their_own() -> None:
    def paint(figure: object) -> None:
        axes = figure.subplots()  # type: ignore[attr-defined]
        axes.plot([1, 2], [0.00123456, 0.00234567], color=ACCENT, label="<b>")
        axes.set_xlabel("a & b")

    first, second = (draw(3, 2, paint, "title <1>", "what it shows") for _ in range(2))
    assert "var(--accent)" in first
    assert not any(placeholder in first for placeholder in VARIABLES)
    assert "title &lt;1&gt;" in first and "a &amp; b" in first
    assert 'role="img"' in first
    assert "0.0012" in first or "0.0015" in first  # the labels of ticks keep their digits
    names = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert names[0] and not names[0] & names[1]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', first))
    assert used <= names[0]


def test_tables_have_captions_and_headings_and_escape_text() -> None:
    made = table("what <it> is", ("name", "n", ""), [("<a>", 1234, Cell("<i></i>"))], numbers=(1,))
    assert "<caption>what &lt;it&gt; is</caption>" in made
    assert '<th scope="row">&lt;a&gt;</th>' in made
    assert '<td class="number">1,234</td>' in made and "<td><i></i></td>" in made
    assert made.count('<th scope="col"') == 2  # a column without a name has no heading


def test_small_histograms_count_what_is_finite() -> None:
    counts, ends = small.counted(np.array([0.0, 1, 1, 3, np.nan]))
    assert counts.tolist() == [1, 2, 0, 1] and ends[0] == -0.5
    assert small.counted(np.full(3, np.nan))[0].tolist() == [0]
    assert small.counted(np.full(5, 2.5))[0].sum() == 5


def test_pictures_are_png_and_small_ones_stay_sharp() -> None:
    made = small.picture(np.zeros((8, 8), np.uint8), 'a "zero"')
    assert made.startswith('<img class="picture" src="data:image/png;base64,')
    assert 'alt="a &quot;zero&quot;"' in made
    large = small.picture(np.zeros((900, 600, 3), np.uint8), "large")
    assert len(large) < 5000


def test_accuracy_of_several_labels_wants_all_of_them() -> None:
    assert accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]])).value == 0.5


@pytest.mark.parametrize("shape", [(50,), (50, 2)])
def test_scores_of_values_are_those_of_scikit_learn(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    y, predicted = generator.standard_normal(shape), generator.standard_normal(shape)
    known = (r2_score, root_mean_squared_error, mean_absolute_error)
    for score, function in zip(regression_scores(y, predicted), known, strict=True):
        assert score.value == pytest.approx(function(y, predicted), rel=1e-12)
        assert score.low < score.value < score.high
    alike = np.ones(shape)
    assert regression_scores(alike, alike)[0].value == r2_score(alike, alike) == 1
    assert regression_scores(alike, predicted)[0].value == r2_score(alike, predicted) == 0


def test_beside_each_other_layers_say_what_they_learn_above_what_they_cost() -> None:
    X = np.random.default_rng(0).standard_normal((12, 4))
    branch = cr.Network(cr.Dense(3), cr.Tanh())
    model = cr.Classifier(cr.Network(cr.Sum(branch, branch), cr.Dense(2)), epochs=1, random_state=0, backend="numpy")
    drawn = section(model.fit(X, X[:, 0] > 0)).body
    learns, costs = (
        re.findall(rf'y="([\d.]+)"[^>]*>[\d,]+ {what}<', drawn) for what in ("parameters", "multiply-adds")
    )
    assert len(learns) == 3 and not set(learns) & set(costs)


def test_edges_show_what_passes_by() -> None:
    X = np.zeros((12, 4)) + np.arange(12)[:, None] % 3
    network = cr.Network(cr.Dense(4), cr.Residual(cr.Dense(4), cr.Tanh()), cr.Dense(3))
    model = cr.Classifier(network, epochs=1, random_state=0, backend="numpy").fit(X, np.arange(12) % 3)
    reads = edges(model.specification_.step.prediction_system)
    assert reads["dense1"] == {"x"}
    assert reads["residual1"] == {"dense1", "tanh1"}
