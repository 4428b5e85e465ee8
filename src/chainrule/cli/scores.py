"""What a test says, as scores and tables for a terminal, and as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from sklearn.metrics import confusion_matrix

from chainrule.cli.output import console
from chainrule.data.sets import Set
from chainrule.data.target import read_labels, read_values
from chainrule.probability.calibration import class_numbers
from chainrule.probability.evaluation import Covered, evaluate_classes, evaluate_values
from chainrule.probability.score import Score
from chainrule.report.scores import accuracy, regression_scores

MOST_CLASSES_SHOWN = 20


@dataclass(frozen=True)
class Judgement:
    """What a model's predictions of some rows are worth: scores, intervals or sets, and tables to look at."""

    scores: tuple[Score, ...]
    covered: tuple[Covered, ...]
    tables: tuple[Table, ...]

    def print(self) -> None:
        """To standard output."""
        for score in self.scores:
            console().print(f"  [bold]{score}[/bold]")
        for table in self.tables:
            console().print()
            console().print(table)

    def record(self) -> dict[str, Any]:
        """For a script: each score by its name, and ``covered``, where intervals or sets are predicted."""
        found: dict[str, Any] = {s.name: {"value": s.value, "low": s.low, "high": s.high} for s in self.scores}
        if self.covered:
            found["covered"] = [
                {
                    "level": one.level,
                    "coverage": one.coverage.value,
                    "low": one.coverage.low,
                    "high": one.coverage.high,
                    "size": one.size,
                }
                for one in self.covered
            ]
        return found


def judge(model: Any, rows: Set) -> Judgement:
    """Scores of what is predicted and of how sure it is; a confusion matrix or the spread of the residuals."""
    predicted = np.asarray(model.predict(rows.X))
    if rows.classes:
        y = read_labels(rows.y)
        y = y if y.dtype.kind == predicted.dtype.kind else y.astype(predicted.dtype)
        found = evaluate_classes(model, rows.X, class_numbers(y, model.classes_))
        tables = (covered_table(found.covered, "classes"), confusion_table(y, predicted, list(model.classes_)))
        scores = (accuracy(y, predicted), *found.scores)
    else:
        y = read_values(rows.y)
        found = evaluate_values(model, rows.X, y)
        tables = (covered_table(found.covered, "width"), residual_table(y, predicted))
        scores = (*regression_scores(y, predicted), *found.scores)
    return Judgement(scores, found.covered, tuple(table for table in tables if table is not None))


def covered_table(covered: Sequence[Covered], size: str) -> Table | None:
    """How often intervals or sets of each level hold the truth; ``size``: what their size is called."""
    if not covered:
        return None
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("level", "holds the truth", "95 % interval", f"mean {size}"):
        table.add_column(name, justify="right")
    for one in covered:
        held = one.coverage
        colour = "green" if held.low <= one.level <= held.high else "yellow"
        table.add_row(
            f"{one.level:.0%}", f"[{colour}]{held.value:.1%}[/]", f"{held.low:.1%} … {held.high:.1%}", f"{one.size:.4g}"
        )
    return table


def confusion_table(y: NDArray[Any], predicted: NDArray[Any], classes: Sequence[Any]) -> Table | None:
    """Rows: the true class, columns: the predicted one; None where there are too many classes to show."""
    if len(classes) > MOST_CLASSES_SHOWN:
        return None
    counts = confusion_matrix(y, predicted, labels=list(classes))
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("true \\ predicted", style="dim", justify="right")
    for name in classes:
        table.add_column(str(name), justify="right")
    for k, row in enumerate(counts):
        cells = [
            f"[bold green]{n}[/]" if j == k and n else f"[red]{n}[/]" if n else "[dim]·[/]" for j, n in enumerate(row)
        ]
        table.add_row(str(classes[k]), *cells)
    return table


def residual_table(y: NDArray[Any], predicted: NDArray[Any]) -> Table:
    """Quantiles of true value minus prediction."""
    residuals = np.asarray(y, dtype=np.float64) - predicted
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column("residual", style="dim")
    points = (("min", 0), ("5 %", 5), ("25 %", 25), ("median", 50), ("75 %", 75), ("95 %", 95), ("max", 100))
    for name, _ in points:
        table.add_column(name, justify="right")
    table.add_row("y − ŷ", *(f"{value:.4g}" for value in np.percentile(residuals, [q for _, q in points])))
    return table
