"""What a test says, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from sklearn.metrics import confusion_matrix

MOST_CLASSES_SHOWN = 20


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
