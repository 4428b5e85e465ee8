"""How far predicted values are from the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.report.figure import ACCENT, SOFT, draw, histogram, plain
from chainrule.report.judged import Judged
from chainrule.report.page import Section, figure, heading, paragraph, side_by_side, table, written
from chainrule.report.scores import regression_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

MOST_POINTS = 1500  # of a scatter: what a page can hold as SVG
MOST_TARGETS = 6


def section(judged: Judged) -> Section:
    """Predicted against true, the residuals' distribution and their quantiles, for each value predicted."""
    true, predicted = (values.reshape(len(judged), -1) for values in (judged.y, judged.predicted))
    body = ""
    for k in range(min(true.shape[1], MOST_TARGETS)):
        name = judged.target if true.shape[1] == 1 else f"{judged.target} {k + 1}"
        body += heading(name) if true.shape[1] > 1 else ""
        body += _of_target(name, true[:, k], predicted[:, k])
    return Section("mistakes", "Residuals", body)


def _of_target(name: str, true: Array, predicted: Array) -> str:
    residuals = true - predicted
    r2, rmse, mae = regression_scores(true, predicted)
    said = (
        f"Root mean squared error {written(rmse.value)}, mean absolute error {written(mae.value)}, R² {r2.value:.3f}."
    )
    low, high = np.percentile(residuals, [5, 95])
    said += f" Nine of ten residuals (true minus predicted) lie between {written(low)} and {written(high)}."
    scatter = draw(
        4.6, 4.0, lambda made: _scatter(made, name, true, predicted), f"{name}: predicted against true", said
    )
    spread = draw(4.6, 4.0, lambda made: _spread(made, residuals), f"Residuals of {name}", said)
    points = (("lowest", 0), ("5 %", 5), ("25 %", 25), ("median", 50), ("75 %", 75), ("95 %", 95), ("highest", 100))
    values = np.percentile(residuals, [at for _, at in points])
    shown = (
        f"{min(len(true), MOST_POINTS):,} of {len(true):,} rows" if len(true) > MOST_POINTS else f"{len(true):,} rows"
    )
    return (
        paragraph(said)
        + side_by_side(
            figure(scatter, f"Predicted against true, {shown}; on the line both are equal."),
            figure(spread, "Residuals: true minus predicted. The line is at 0."),
        )
        + table(
            "Quantiles of the residuals.",
            ("", *(title for title, _ in points)),
            [(name, *map(written, values))],
            numbers=range(1, 8),
        )
    )


def _scatter(made: Figure, name: str, true: Array, predicted: Array) -> None:
    some = np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).astype(int)
    axes: Any = made.subplots()
    axes.plot(
        predicted[some], true[some], linestyle="", marker="o", markersize=3, color=ACCENT, alpha=0.45, markeredgewidth=0
    )
    both = np.concatenate([true[some], predicted[some]])
    ends = [float(both.min()), float(both.max())]
    axes.plot(ends, ends, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel(f"predicted {name}")
    axes.set_ylabel(f"true {name}")
    plain(axes)


def _spread(made: Figure, residuals: Array) -> None:
    axes: Any = made.subplots()
    low, high = np.percentile(residuals, [0.25, 99.75])
    counts, edges = np.histogram(residuals, 40, (low, high) if high > low else (low - 0.5, high + 0.5))
    histogram(axes, counts, edges)
    axes.axvline(0, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel("true − predicted")
    axes.set_ylabel("rows")
    plain(axes, across=False)
