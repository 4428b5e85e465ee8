"""Which classes are taken for which, and how well each one is found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_fscore_support, roc_auc_score

from chainrule.report.judged import Judged
from chainrule.report.page import Cell, Section, heading, paragraph, percent, table
from chainrule.report.scores import accuracy

Array = NDArray[Any]

MOST_CLASSES = 20  # in a matrix
MOST_PAIRS = 15
DARKEST = 34  # per cent of the accent in a cell; text on it keeps its contrast


def section(judged: Judged) -> Section:
    """Accuracy, the confusion matrix, and precision and recall of each class."""
    score = accuracy(judged.y, judged.predicted)
    wrong = int((~judged.right).sum())
    said = (
        f"{len(judged) - wrong:,} of {len(judged):,} rows are predicted right: {percent(score.value, 2)}, 95 % "
        f"interval {percent(score.low, 2)} to {percent(score.high, 2)}."
    )
    body = paragraph(said)
    if not judged.several:
        known = range(len(judged.names))
        predicted = judged.model.target_.encode(judged.predicted)
        counts = confusion_matrix(judged.numbers, predicted, labels=list(known))
        body += matrix(counts, judged.names) if len(judged.names) <= MOST_CLASSES else ""
        body += _pairs(counts, judged.names) if len(judged.names) > 2 else ""
    return Section("mistakes", "Right and wrong", body + _of_classes(judged))


def matrix(counts: Array, names: tuple[str, ...]) -> str:
    """Rows: the true class, columns: the predicted one."""
    most = max(int(counts.max()), 1)
    rows = []
    for k, line in enumerate(counts):
        cells: list[Cell | str] = [names[k]]
        for j, count in enumerate(line):
            share = DARKEST * (count / most) ** 0.6
            kind = "right" if j == k else "wrong" if count else "none"
            style = f"background: color-mix(in srgb, var(--accent) {share:.0f}%, var(--paper))" if count else ""
            cells.append(Cell(f"{count:,}" if count else "·", kind, style))
        rows.append(cells)
    caption = "Confusion matrix: a row for each true class, a column for each predicted one. Mistakes are outlined."
    return table(caption, ("true \\ predicted", *names), rows, numbers=range(1, len(names) + 1), kind="counts")


def _pairs(counts: Array, names: tuple[str, ...]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(int(at) // len(names), int(at) % len(names)) for at in order]
    rows = [
        (names[k], names[j], int(wrong[k, j]), percent(wrong[k, j] / max(counts[k].sum(), 1)))
        for k, j in pairs
        if wrong[k, j]
    ]
    if not rows:
        return ""
    heads = ("true", "predicted", "rows", "share of the true class")
    return table(
        "The most frequent mistakes.", heads, rows[: MOST_PAIRS if len(names) > MOST_CLASSES else 6], numbers=(2, 3)
    )


def _of_classes(judged: Judged) -> str:
    known = np.arange(len(judged.names))
    if judged.several:
        true, predicted = judged.numbers.astype(int), np.asarray(judged.predicted).astype(int)
    else:
        true = (judged.numbers[:, None] == known).astype(int)
        predicted = (judged.model.target_.encode(judged.predicted)[:, None] == known).astype(int)
    precision, recall, f1, rows_of = precision_recall_fscore_support(true, predicted, zero_division=0.0)
    assert judged.scores is not None
    rows = []
    for k, name in enumerate(judged.names):
        both = 0 < true[:, k].sum() < len(true)
        area = f"{roc_auc_score(true[:, k], judged.scores[:, k]):.3f}" if both else "–"
        mean = f"{average_precision_score(true[:, k], judged.scores[:, k]):.3f}" if both else "–"
        rows.append((name, int(rows_of[k]), percent(precision[k]), percent(recall[k]), f"{f1[k]:.3f}", area, mean))
    caption = (
        "Each class against the others: of those predicted, how many are it (precision); of those that are it, how "
    )
    caption += (
        "many are found (recall); their harmonic mean; the areas under the curves of ROC and of precision over recall."
    )
    heads = ("class", "rows", "precision", "recall", "F₁", "ROC area", "average precision")
    return heading("Class by class") + table(caption, heads, rows, numbers=range(1, 7))
