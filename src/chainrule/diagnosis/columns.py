"""Columns of the data: how large they are when the network reads them, which say nothing, which only count rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, skipped
from chainrule.diagnosis.subject import Given, Subject

Array = NDArray[Any]

# Inputs should have means near 0 and deviations alike (LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998, §4.3): at
# ten times that, one column drowns the others and the curvature along its weights is a hundred times theirs.
LARGE, SMALL = 10.0, 0.01
FEWEST_ROWS = 30
NAMED = 5  # columns that a sentence lists


def scale(subject: Subject) -> Examined:
    """Means and deviations of the inputs as the network reads them."""
    name = "inputs"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if given.inputs is None:
        return skipped(name, "rows are symbols, or differ in length")
    values = given.inputs.reshape(len(given.inputs), -1).astype(np.float64)
    if given.inputs.ndim > 2:
        values = values.reshape(-1, 1)  # the numbers of an image or a series are of one kind
    means, deviations, most = values.mean(axis=0), values.std(axis=0), np.abs(values).max(axis=0)
    far = (np.abs(means) > LARGE) | (deviations > LARGE)
    tiny = (most < SMALL) & (deviations > 0)
    said = f"means {means.min():.2g} to {means.max():.2g}, deviations {deviations.min():.2g} to {deviations.max():.2g}"
    if not (far | tiny).any():
        return Examined(name, said)
    worst = int(np.argmax(np.maximum(np.abs(means), deviations))) if far.any() else int(np.argmax(tiny))
    return Examined(name, said, (_unscaled(given, means, deviations, far | tiny, worst),))


def _unscaled(given: Given, means: Array, deviations: Array, wrong: Array, worst: int) -> Finding:
    count = int(wrong.sum())
    where = "x" if len(wrong) == 1 else f"{count} of {len(wrong)} inputs"
    which = "the inputs have" if len(wrong) == 1 else f"x[{worst}] has"
    return Finding(
        "unscaled-inputs",
        where,
        "warning",
        f"as the network reads them, {which} mean {means[worst]:.3g} and deviation {deviations[worst]:.3g}.",
        "Scale the inputs to mean 0 and deviation 1, or begin with BatchNorm(); give rows in the units that the model "
        "was trained on.",
        {"mean": float(means[worst]), "deviation": float(deviations[worst]), "inputs": count},
    )


def columns(subject: Subject) -> Examined:
    """Columns that are the same in every row, and columns that number the rows."""
    name = "columns"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if not given.columns:
        return skipped(name, "rows are no table")
    if len(given.targets) < FEWEST_ROWS:
        return skipped(name, f"needs {FEWEST_ROWS} rows")
    # Positions of an array are often pixels, of which those at the border never change; a column with a name should.
    still = [one for one, values in given.columns.items() if given.named and is_constant(values)]
    counting = [one for one, values in given.columns.items() if numbers_rows(values)]
    findings = []
    if still:
        value = next(iter(given.columns[still[0]]))
        findings.append(
            Finding(
                "constant-column",
                listed(still),
                "note",
                f"{listed(still)}: the same value in all {len(given.targets):,} rows"
                f"{f' ({value})' if len(still) == 1 else ''}, so nothing can be learnt from it.",
                "Find out why it does not vary, and leave it out.",
                {"columns": len(still)},
            )
        )
    for one in counting:
        findings.append(
            Finding(
                "identifier-column",
                one,
                "warning",
                f"column {one} has another value in each of {len(given.targets):,} rows and counts or names them.",
                f"Leave the column out (--drop {one}): what is learnt from a row's number does not hold for new rows.",
                {"distinct": len(set(given.columns[one].tolist())), "rows": len(given.targets)},
            )
        )
    return Examined(name, f"{len(given.columns)} columns of {len(given.targets):,} rows", tuple(findings))


def is_constant(values: Array) -> bool:
    """Whether a column holds one value, or none at all."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return bool(np.isnan(values).all())
    return bool((values == values[0]).all())


def numbers_rows(values: Array) -> bool:
    """Whether a column numbers the rows (whole numbers, each once, with few left out), or names them."""
    if values.dtype.kind == "O":
        texts = values.tolist()
        return None not in texts and len(set(texts)) == len(texts) and not any(" " in text for text in texts)
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        return False
    distinct = np.unique(values)
    # Of a table of numbered rows at least half are here; measured whole numbers repeat, or leave wide gaps.
    return len(distinct) == len(values) and distinct[-1] - distinct[0] < 2 * len(values)


def listed(names: list[str]) -> str:
    """Names in a sentence, the first few of them."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
