"""What a model should not know: columns that give the answer away, and rows that it is tested on after training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, skipped
from chainrule.diagnosis.subject import Given, Subject

Array = NDArray[Any]

# A single column of an honest table rarely predicts more than nine tenths of what there is to predict (petals of irises
# 0.9, breast cancer 0.8); and where it does, others nearly do so too.
LEAK, OTHERS = 0.97, 0.5
FEWEST_ROWS, FEWEST_COLUMNS = 50, 3
ROWS = 2000  # looked at
# Tables of few different rows hold some twice; validation rows that are training rows are many more than those.
SHARED, TIMES = 0.05, 3.0


def leaks(subject: Subject) -> Examined:
    """How well each column alone predicts the target."""
    name = "leaks"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if len(given.columns) < FEWEST_COLUMNS:
        return skipped(name, f"needs a table of {FEWEST_COLUMNS} columns")
    if len(given.targets) < FEWEST_ROWS:
        return skipped(name, f"needs {FEWEST_ROWS} rows")
    known = told_by(given)
    middle = float(np.median(list(known.values())))
    best = max(known, key=lambda one: known[one])
    said = f"{best} alone predicts {known[best]:.0%} of the target, the column in the middle {middle:.0%}"
    leaking = [one for one in known if known[one] >= LEAK] if middle < OTHERS else []
    return Examined(name, said, tuple(_leak(one, known[one], middle) for one in leaking))


def told_by(given: Given) -> dict[str, float]:
    """For each column, how much of the target is known from it alone: 0 nothing, 1 all of it.

    A row's target is predicted from its two neighbours in the order of the column, rows with the same value in any.
    """
    chosen = np.random.default_rng(0).permutation(len(given.targets))[:ROWS]
    targets = given.targets[chosen]
    known = {}
    for name, values in given.columns.items():
        order = np.argsort(_ranks(values[chosen]), kind="stable")
        told = _of_classes(targets[order]) if given.single_class else _of_values(targets[order])
        known[name] = max(0.0, told)  # neighbours that are unlike by chance tell nothing
    return known


def _ranks(values: Array) -> Array:
    if values.dtype.kind == "O":
        return np.unique(np.array([str(value) for value in values]), return_inverse=True)[1]
    return np.nan_to_num(values.astype(np.float64), nan=-np.inf)


def _of_classes(labels: Array) -> float:
    """How often neighbours have the same label, 0 as often as any two rows."""
    shares: Array = np.bincount(labels) / len(labels)
    by_chance = float((shares**2).sum())
    least = int(np.count_nonzero(shares)) - 1  # changes of label, where each class lies together
    changes = int(np.count_nonzero(labels[1:] != labels[:-1]))
    same = 1 - max(0, changes - least) / (len(labels) - 1)
    return float((same - by_chance) / (1 - by_chance)) if by_chance < 1 else 0.0


def _of_values(values: Array) -> float:
    """The share of the variance that the mean of both neighbours predicts."""
    values = values.reshape(len(values), -1).astype(np.float64)
    inner, near = values[1:-1], (values[:-2] + values[2:]) * 0.5
    total = float(((inner - inner.mean(axis=0)) ** 2).sum())
    return float(1 - ((inner - near) ** 2).sum() / total) if total else 0.0


def _leak(name: str, known: float, middle: float) -> Finding:
    return Finding(
        "leaking-column",
        name,
        "warning",
        f"column {name} alone predicts {known:.1%} of the target; the column in the middle predicts {middle:.0%}.",
        f"Ask whether {name} is known when a prediction is wanted; if it was written down with the answer, leave it "
        f"out (--drop {name}).",
        {"known": known, "middle": middle},
    )


def shared_rows(subject: Subject) -> Examined:
    """Rows that are among the training rows and among those that the model is measured on."""
    name = "validation rows"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if given.aside is None:
        return skipped(name, "the model has no validation rows, or none of one shape")
    training, aside = (_as_texts(inputs) for inputs in given.aside)
    known = set(training)
    shared = sum(row in known for row in aside)
    twice, share = 1 - len(known) / len(training), shared / len(aside)
    said = f"{shared:,} of {len(aside):,} validation rows are among the {len(training):,} training rows"
    if share <= SHARED or share <= TIMES * twice:
        return Examined(name, said)
    finding = Finding(
        "shared-rows",
        "validation rows",
        "error",
        f"{said} ({share:.0%}); {twice:.0%} of the training rows are there twice.",
        "Take rows out of one of the two sets: what is measured on rows that were learnt says nothing about new ones.",
        {"shared": shared, "share": share, "twice": twice},
    )
    return Examined(name, said, (finding,))


def _as_texts(inputs: Array) -> list[bytes]:
    rows = np.ascontiguousarray(inputs, dtype=np.float32)
    return [row.tobytes() for row in rows]
