"""The rows that are predicted worst and best, shown as what they are."""

from __future__ import annotations

from html import escape

import numpy as np

from chainrule.report.judged import Judged
from chainrule.report.page import Section, heading, note, percent, written
from chainrule.report.shown import kind_of, show

# How many of each, by what they are: what needs more room, fewer.
COUNTS = {"image": 12, "text": 5, "row": 3, "series": 6, "sound": 6, "numbers": 6}
LAYOUT = {"image": "", "text": " wide", "row": " middling", "series": " middling", "sound": " middling"}


def section(judged: Judged) -> Section:
    """Worst and best predictions."""
    kind = kind_of(judged)
    count = min(COUNTS[kind], len(judged) // 2)
    said = "probability of the true class" if judged.probable else "distance of the true class's score from the best"
    measure = f"by the {said}" if judged.classes else "by the distance between prediction and truth"
    body = heading("Predicted worst") + _listed(judged, kind, judged.order[:count])
    body += heading("Predicted best") + _listed(judged, kind, judged.order[::-1][:count])
    return Section("examples", "Best and worst examples", note(f"Of {len(judged):,} rows, {measure}.") + body)


def _listed(judged: Judged, kind: str, rows: np.ndarray) -> str:
    items = []
    for row in map(int, rows):
        truth, said = words_of(judged, row)
        label = f"row {row + 1}: {truth}, {said}"
        items.append(
            f'<li>{show(judged, row, label)}<span class="said"><b>{escape(truth)}</b> '
            f'<span class="soft">{escape(said)}, row {row + 1:,}</span></span></li>'
        )
    return f'<ul class="examples{LAYOUT.get(kind, "")}">{"".join(items)}</ul>'


def words_of(judged: Judged, row: int) -> tuple[str, str]:
    """What the row is, and what is predicted, in words."""
    if judged.scores is None:
        true, predicted = (np.atleast_1d(values[row]) for values in (judged.y, judged.predicted))
        return ", ".join(map(written, true)), "predicted " + ", ".join(map(written, predicted))
    if judged.several:
        return _labels(judged, judged.y[row]), "predicted " + _labels(judged, judged.predicted[row])
    truth, said = str(judged.y[row]), str(judged.predicted[row])
    if not judged.probable:
        return truth, f"predicted {said}"
    chance = percent(float(judged.scores[row].max()))
    if judged.right[row]:
        return truth, f"predicted with {chance}"
    own = percent(float(judged.scores[row, judged.numbers[row]]))
    return truth, f"predicted {said} with {chance}, {truth} with {own}"


def _labels(judged: Judged, row: np.ndarray) -> str:
    names = [name for name, has in zip(judged.names, row, strict=True) if has > 0.5]
    return ", ".join(names) or "no label"
