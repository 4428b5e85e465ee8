"""Labels: classes that are missing or rare, and targets that have nothing to do with the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.diagnosis.finding import NO_DATA, Examined, Finding, skipped
from chainrule.diagnosis.subject import Given, Subject

Array = NDArray[Any]

# A class with a tenth of its even share, or with too few rows to be in training and validation both.
RARE, FEWEST_OF_A_CLASS = 0.1, 3
FEWEST_ROWS = 50
# Of the entropy of the labels, or the variance of the values: below it, a model knows no more than the shares.
GUESS = 0.02
NEIGHBOURS, ROWS, SHUFFLES = 5, 1500, 30
# Deviations above what shuffled labels give; a chance of 3 in 100,000.
SIGNAL = 4.0


def classes(subject: Subject) -> Examined:
    """How many rows each class has."""
    name = "classes"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if given.classes is None or not given.single_class:
        return skipped(name, "rows have values, or several labels")
    counts = np.bincount(given.targets, minlength=len(given.classes))
    said = f"{len(counts)} classes of {counts.min():,} to {counts.max():,} rows"
    findings = []
    for kind, number in zip(given.classes, counts.tolist(), strict=True):
        if number == 0:
            findings.append(_few("missing-class", kind, 0, len(given.targets)))
        elif len(given.targets) >= FEWEST_ROWS and (
            number < FEWEST_OF_A_CLASS or number < RARE * len(given.targets) / len(counts)
        ):
            findings.append(_few("rare-class", kind, number, len(given.targets)))
    return Examined(name, said, tuple(findings))


def _few(kind: str, which: str, number: int, rows: int) -> Finding:
    missing = kind == "missing-class"
    return Finding(
        kind,
        f"class {which}",
        "warning",
        f"{number:,} of {rows:,} rows are of class {which} ({number / rows:.2%}).",
        "Give rows of the class, or leave it out of the classes."
        if missing
        else "Collect more rows of it, weigh it (class_weight='balanced'), and look at its errors by themselves.",
        {"count": number, "share": number / rows},
    )


def signal(subject: Subject) -> Examined:
    """Whether the model knows more than the shares of the classes, and whether the rows say anything about them."""
    name = "targets"
    given = subject.given
    if given is None:
        return skipped(name, NO_DATA)
    if len(given.targets) < FEWEST_ROWS:
        return skipped(name, f"needs {FEWEST_ROWS} rows")
    if not subject.trained:
        return skipped(name, "the model is not trained yet")
    known = explained(given)
    if not np.isfinite(known):
        return skipped(name, "the targets do not vary")
    told = neighbours_tell(given)
    aside = _aside(subject, given)
    said = f"the model explains {max(0.0, known):.0%} of the targets"
    said += "" if told is None else f"; those of neighbouring rows agree, {told:.1f} deviations above chance"
    silent = told is not None and told < SIGNAL
    numbers = {"explained": known, **({} if told is None else {"deviations": told})}
    numbers |= {} if aside is None else {"validation": aside}
    finding = None
    if known < GUESS:
        finding = _no_signal(given, numbers) if silent else _not_learning(given, numbers)
    elif (silent and (aside is None or aside < GUESS)) or (told is None and aside is not None and aside < GUESS):
        finding = _memorised(numbers)
    return Examined(name, said, () if finding is None else (finding,))


def explained(given: Given) -> float:
    """How much of the entropy of the labels (McFadden's R², 1974), or of the variance, the predictions explain."""
    if given.single_class:
        shares = np.bincount(given.targets, minlength=given.predicted.shape[1]) / len(given.targets)
        present = shares[shares > 0]
        entropy = float(-(present * np.log(present)).sum())
        rows = np.arange(len(given.targets))
        probable = np.clip(given.predicted[rows, given.targets].astype(np.float64), 1e-12, 1)
        return float(1 + np.log(probable).mean() / entropy) if entropy else np.nan
    targets = given.targets.reshape(len(given.targets), -1).astype(np.float64)
    predicted = given.predicted.reshape(targets.shape).astype(np.float64)
    total = float(((targets - targets.mean(axis=0)) ** 2).sum())
    return float(1 - ((targets - predicted) ** 2).sum() / total) if total else np.nan


def neighbours_tell(given: Given) -> float | None:
    """By how many deviations the targets of neighbouring rows are more alike than shuffled ones; None where rows are
    no numbers of one shape.
    """
    if given.inputs is None:
        return None
    chosen = np.random.default_rng(0).permutation(len(given.targets))[:ROWS]
    x = given.inputs.reshape(len(given.inputs), -1)[chosen].astype(np.float64)
    if given.inputs.ndim == 2:
        x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    near = _nearest(x)
    targets = given.targets[chosen]
    if given.single_class:
        targets = np.eye(int(targets.max()) + 1)[targets]
    targets = targets.reshape(len(targets), -1).astype(np.float64)
    targets = targets - targets.mean(axis=0)
    generator = np.random.default_rng(0)

    def alike(values: Array) -> float:
        return float((values * values[near].mean(axis=1)).sum())

    shuffled = [alike(generator.permutation(targets)) for _ in range(SHUFFLES)]
    spread = float(np.std(shuffled))
    return (alike(targets) - float(np.mean(shuffled))) / spread if spread else None


def _nearest(x: Array) -> Array:
    """The nearest other rows of each row [b, neighbour]; of rows that are the same, no more is known than that."""
    squares = (x**2).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * (x @ x.T)
    np.fill_diagonal(apart, np.inf)
    return np.argpartition(apart, min(NEIGHBOURS, len(x) - 2), axis=1)[:, :NEIGHBOURS]


def _aside(subject: Subject, given: Given) -> float | None:
    """How much better than guessing the kept epoch is on validation rows, 0 to 1; None without such rows."""
    history, epoch = subject.history, subject.best_epoch - 1
    if "validation_r2" in history:
        return history["validation_r2"][epoch]
    if "validation_accuracy" not in history or not given.single_class:
        return None
    most = float(np.bincount(given.targets).max() / len(given.targets))
    return (history["validation_accuracy"][epoch] - most) / (1 - most) if most < 1 else None


def _said(numbers: dict[str, float]) -> str:
    near = numbers.get("deviations")
    said = "" if near is None else f"; targets of neighbouring rows are {abs(near):.1f} deviations "
    said += "" if near is None else f"{'more' if near > 0 else 'less'} alike than shuffled ones"
    aside = numbers.get("validation")
    return said + ("" if aside is None else f"; on validation rows it explains {max(aside, 0.0):.1%}")


def _no_signal(given: Given, numbers: dict[str, float]) -> Finding:
    what = "shares of the classes" if given.single_class else "mean of the targets"
    return Finding(
        "no-signal",
        "targets",
        "error",
        f"the model knows no more than the {what} (it explains {max(0.0, numbers['explained']):.1%}){_said(numbers)}.",
        "Check that rows and targets belong together: sorted or shuffled apart, they say nothing of each other.",
        numbers,
    )


def _not_learning(given: Given, numbers: dict[str, float]) -> Finding:
    what = "shares of the classes" if given.single_class else "mean of the targets"
    return Finding(
        "not-learning",
        "network",
        "error",
        f"the model knows no more than the {what} (it explains {max(0.0, numbers['explained']):.1%}){_said(numbers)}.",
        "Train for longer, raise the learning rate, or take a larger network; try without penalties and dropout first.",
        numbers,
    )


def _memorised(numbers: dict[str, float]) -> Finding:
    return Finding(
        "memorised-noise",
        "targets",
        "error",
        f"the model explains {numbers['explained']:.0%} of these targets, but the rows say nothing about them"
        f"{_said(numbers)}.",
        "Check that rows and targets belong together: sorted or shuffled apart, they can only be learnt by heart.",
        numbers,
    )
