"""How often prediction intervals hold the truth, on the UCI sets with their 20 splits and on California housing.

    python -m benchmarks.coverage                        # every set
    python -m benchmarks.coverage yacht boston --splits 5

Networks have one hidden layer of 50 rectifiers and fixed settings.  Of the training rows of each split a fifth is held
out: the others train an ensemble of five with a Gaussian head, whose own intervals are told as they are, those of its
first member beside them, and as they become by conformal prediction.  Conformalised quantile regression divides the
rows in the same way.  Cross-conformal intervals (CV+, five folds) of single networks use all training rows, on the sets
where that is cheap.  Told are the share of the test rows of all splits that is in its interval, and the mean width.

**What to expect.**  Let n rows be held out, k = ⌈(n + 1)·level⌉, and scores have no ties.  Given the scores of the rows
held out, the coverage of split conformal intervals is distributed as Beta(k, n + 1 − k): its mean is k/(n + 1), not the
level but the least of those that can be had that is not below it; and all test rows of a split share the n rows.  So
the number covered of m test rows is not binomial but beta-binomial (Vovk, "Conditional validity of inductive conformal
predictors", 2012; Angelopoulos and Bates, "Conformal prediction: a gentle introduction", 2023, §3.2), whose variance is
1 + (m − 1)/(n + 2) times as large.  In other words: where k falls when n + m rows are put in a random order.

That splits have rows in common changes nothing of it.  Given the rows of the set and those of the training of a split,
the others are divided at random into those held out and those tested on, and the number covered then has this law
whatever these rows and the network are.  Divisions are drawn independently, so the numbers of the splits are
independent, and their sum has the convolution of their laws.

Two tests, both two-sided, each corrected by Holm (1979) for all of its kind that are made:

- the binomial one of all test rows together, with the level itself: for a method whose chance of covering is the level
  in each row, independently.  That is asked of every method, and is stricter than what conformal prediction promises.
- that of the law above, for split conformal intervals; there is none for the others.

Ties, as of rows given twice, make intervals wider than the law says, never narrower.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import betabinom, binomtest

import chainrule as cr
from benchmarks.datasets import data_folder
from benchmarks.uci import FOLDERS, UNITS, read_set, read_split
from chainrule.probability.held_out import hold_out, take
from chainrule.probability.intervals import inside, sharpness
from chainrule.probability.nonconformity import conformal_rank

Array = NDArray[Any]

LEVELS = (0.5, 0.8, 0.9, 0.95)
QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)  # the ends at these levels
RATE, BATCH, DECAY, EPOCHS, MOST_STEPS = 0.01, 32, 0.1, 100, 6_000  # a set of many rows needs fewer epochs
HELD_OUT = 0.2  # of the training rows
CHEAP = 2_000  # rows: below that, a network for each of five folds
CALIFORNIA = "california"
SETS = (*FOLDERS, CALIFORNIA)
ERROR = 0.05  # the chance that one test or more of a kind speaks against what is true


# --- what is to be expected -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """Of one split: how many test rows there were, how many were covered, and the rows held out (None: no law)."""

    rows: int
    covered: int
    held_out: int | None = None


def exact_level(held_out: int, level: float) -> float:
    """What split conformal intervals cover on average, where scores have no ties: k/(n + 1)."""
    return conformal_rank(held_out, level) / (held_out + 1)


def law(splits: Sequence[Counted], level: float) -> Array:
    """The probability of each number covered of all test rows of these splits, from 0 to all of them."""
    found = np.ones(1)
    for split in splits:
        assert split.held_out is not None
        rank = conformal_rank(split.held_out, level)
        one = betabinom.pmf(np.arange(split.rows + 1), split.rows, rank, split.held_out + 1 - rank)
        found = np.convolve(found, one)
    return found


def conformal_p_value(splits: Sequence[Counted], level: float) -> float:
    """The chance of a number covered as far out as this one, on either side: twice the smaller tail."""
    probabilities, covered = law(splits, level), sum(split.covered for split in splits)
    return min(1.0, 2 * float(min(probabilities[: covered + 1].sum(), probabilities[covered:].sum())))


def binomial_p_value(splits: Sequence[Counted], level: float) -> float:
    """That of the binomial test of all test rows together."""
    rows, covered = sum(split.rows for split in splits), sum(split.covered for split in splits)
    return float(binomtest(covered, rows, level).pvalue)


def holm(p_values: Array) -> Array:
    """p-values [n] corrected for there being n of them.

    Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    return np.minimum(adjusted, 1)


# --- networks and their intervals -------------------------------------------------------------------------------------


def read(name: str) -> tuple[Any, Array]:
    """Rows and targets [b]."""
    if name != CALIFORNIA:
        return read_set(name)
    table = pd.read_csv(data_folder("tabular") / "california_housing.csv")
    return table.drop(columns="median_house_value"), table["median_house_value"].to_numpy()


def division(name: str, number: int, rows: int) -> tuple[Array, Array]:
    """The numbers of the training rows and of the test rows of a split."""
    if name != CALIFORNIA:
        return read_split(name, number)
    shuffled = np.random.default_rng(number).permutation(rows)
    return shuffled[rows // 10 :], shuffled[: rows // 10]


def regressor(rows: int, seed: int, loss: cr.Loss, ensemble: int | None) -> cr.Regressor:
    outputs = len(QUANTILES) if isinstance(loss, cr.Quantiles) else 2
    return cr.Regressor(
        cr.Network(cr.Dense(UNITS), cr.ReLU(), cr.Dense((1, outputs))),
        loss,
        cr.AdamW(cr.CosineDecay(RATE), weight_decay=DECAY),
        epochs=max(1, min(EPOCHS, MOST_STEPS * BATCH // rows)),
        batch_size=BATCH,
        ensemble=ensemble,
        validation_fraction=0,
        n_jobs=1,
        random_state=seed,
    )


def with_intervals(X: Any, y: Array, seed: int) -> Iterator[tuple[str, Any, int | None]]:
    """Name, fitted model and number of rows held out (None where there is no law), of each method."""
    kept, aside = hold_out(len(y), HELD_OUT, None, seed)
    made = partial(regressor, len(kept), seed)
    ensemble = made(cr.Gaussian(), 5).fit(take(X, kept), y[kept])
    yield "Gaussian, one network", ensemble.member(0), None
    yield "Gaussian, ensemble", ensemble, None
    for nonconformity in ("absolute", "normalized"):
        conformal = cr.ConformalRegressor(ensemble, nonconformity).calibrate(take(X, aside), y[aside])
        yield f"conformal, {nonconformity}", conformal, len(aside)
    quantiles = made(cr.Quantiles(QUANTILES), None)
    conformal = cr.ConformalRegressor(quantiles, "quantile", levels=LEVELS, random_state=seed).fit(X, y)
    yield "conformal, quantile", conformal, len(aside)
    if len(y) < CHEAP:
        crossed = cr.CrossConformalRegressor(made(cr.Gaussian(), None), folds=5, random_state=seed)
        yield "cross-conformal", crossed.fit(X, y), None


@dataclass(frozen=True)
class Intervals:
    """Those of one method and level: what was found in each split, and the mean width in each.

    ``p_values``: of the binomial test and, where there is a law, of that.
    """

    set: str
    method: str
    level: float
    splits: tuple[Counted, ...]
    widths: tuple[float, ...]
    p_values: tuple[float, ...] = ()

    @property
    def coverage(self) -> float:
        return sum(split.covered for split in self.splits) / sum(split.rows for split in self.splits)

    @property
    def expected(self) -> tuple[float, ...]:
        """What each test compares with: the level and, where there is a law, k/(n + 1)."""
        held_out = self.splits[0].held_out
        return (self.level,) if held_out is None else (self.level, exact_level(held_out, self.level))

    @property
    def tests(self) -> int:
        """How many tests there are: one, or two where there is a law."""
        return len(self.expected)


def one_split(name: str, number: int) -> list[Intervals]:
    """Every method and level on one split."""
    warnings.simplefilter("ignore", UserWarning)
    X, y = read(name)
    train, test = division(name, number, len(y))
    found = []
    for (method, model, held_out), level in product(with_intervals(take(X, train), y[train], number), LEVELS):
        lower, upper = model.predict_interval(take(X, test), level)
        tested = Counted(len(test), int(inside(y[test], lower, upper).sum()), held_out)
        found.append(Intervals(name, method, level, (tested,), (sharpness(lower, upper),)))
    return found


def pooled(splits: Sequence[Sequence[Intervals]]) -> list[Intervals]:
    """Every method and level, with what was found in all splits and the p-values of that."""
    found = []
    for same in zip(*splits, strict=True):
        tested, widths = (tuple(getattr(one, part)[0] for one in same) for part in ("splits", "widths"))
        p_values = [binomial_p_value(tested, same[0].level)]
        if same[0].tests == 2:
            p_values.append(conformal_p_value(tested, same[0].level))
        found.append(replace(same[0], splits=tested, widths=widths, p_values=tuple(p_values)))
    return found


# --- what is told -----------------------------------------------------------------------------------------------------


def told(found: Sequence[Intervals]) -> str:
    """The table of one set: coverage in per cent, and mean width."""
    splits = found[0].splits
    law_of = next((one.splits[0].held_out for one in found if one.tests == 2), None)
    lines = [f"{found[0].set}: {len(splits)} splits, {splits[0].rows} test rows each, {law_of} rows held out"]
    lines.append(f"  {'':24}" + "".join(f"{100 * level:<4g}{'width':14}" for level in LEVELS))
    if law_of is not None:
        lines.append(f"  {'k/(n + 1)':24}" + "".join(f"{100 * exact_level(law_of, level):<18.1f}" for level in LEVELS))
    for method in dict.fromkeys(one.method for one in found):
        of_method = [one for one in found if one.method == method]
        cells = (f"{100 * one.coverage:5.1f}  {np.mean(one.widths):<9.4g}" for one in of_method)
        lines.append(f"  {method:24}" + "".join(f"{cell:18}" for cell in cells))
    return "\n".join(lines)


def verdicts(found: Sequence[Intervals]) -> str:
    """What both tests say of each method."""
    heading = f"{'within':>8}{'below':>7}{'above':>7}{'p < 0.05':>10}{'lowest':>9}"
    lines = [f"  {'':34}{'binomial, the level':43}its law, k/(n + 1)"]
    lines.append(f"  {'':24}{'coverages':>10}{heading}  {heading}")
    corrected = [holm(np.array([one.p_values[test] for one in found if one.tests > test])) for test in (0, 1)]
    for method in dict.fromkeys(one.method for one in found):
        of_method = [one for one in found if one.method == method]
        cells = []
        for test in range(of_method[0].tests):
            tested = [one for one in found if one.tests > test]
            p_values = [p for one, p in zip(tested, corrected[test], strict=True) if one.method == method]
            cells.append(verdict(of_method, test, p_values))
        lines.append(f"  {method:24}{len(of_method):>10}" + "  ".join(cells))
    lines.append(
        "  within, below, above: by p-values corrected for all tests of the kind; p < 0.05 and lowest: as they are"
    )
    return "\n".join(lines)


def verdict(found: Sequence[Intervals], test: int, corrected: Sequence[float]) -> str:
    """How many coverages are within sampling error, below and above, and the p-values before they were corrected."""
    off = [one.coverage < one.expected[test] for one, p in zip(found, corrected, strict=True) if p < ERROR]
    own = [one.p_values[test] for one in found]
    counts = f"{len(found) - len(off):>8}{sum(off):>7}{len(off) - sum(off):>7}"
    return f"{counts}{sum(p < ERROR for p in own):>10}{min(own):>9.1g}"


def main() -> None:
    parser = argparse.ArgumentParser(description="How often prediction intervals hold the truth.")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all without any")
    parser.add_argument("--splits", type=int, choices=range(1, 21), default=20, metavar="N", help="at most 20")
    arguments = parser.parse_args()
    if unknown := set(arguments.sets) - set(SETS):
        parser.error(f"no set {min(unknown)!r}; there are {', '.join(SETS)}")
    begun = time.perf_counter()
    found = []
    with ProcessPoolExecutor(2) as pool:
        for name in arguments.sets or SETS:
            of_set = pooled(list(pool.map(partial(one_split, name), range(arguments.splits))))
            print(told(of_set), flush=True)
            found += of_set
    print(verdicts(found))
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
