"""Where the networks of an ensemble come from, and what each way is worth: score, likelihood and time.

    python -m benchmarks.ensembles                    both sets, two divisions each
    python -m benchmarks.ensembles housing --splits 1
    python -m benchmarks.ensembles step               what a training step costs

The default network and optimizer, 100 epochs of 4,000 rows, none of them set aside; 4,000 others are predicted.
``housing``: a normal distribution for each row of California Housing; ``adult``: the two classes of Adult.  Told are
means over divisions of the score (R², accuracy) and of the negative log-likelihood (of the price in 100,000 dollars),
and the seconds of the fastest fit.

``step``: a training step of 784-30-10 with sigmoids and Adam on 10 images (noise), all rows of an epoch in one
chunk; the fastest of five rounds in which every way has its turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import log_loss

import chainrule as cr
from benchmarks.datasets import data_folder
from benchmarks.tables import adult
from chainrule.training.snapshots import OneRun

ROWS, TESTED, EPOCHS = 4_000, 4_000, 100
WAYS: dict[str, Any] = {
    "one network": None,
    "`ensemble=5`": 5,
    "`BatchEnsemble(5)`": cr.BatchEnsemble(5),
    "`TabM(8)`": cr.TabM(8),
    "`Snapshots(5)`": cr.Snapshots(5),
    "`SWA()`": cr.SWA(),
    "`SWAG(30)`": cr.SWAG(30),
}
SETS = ("housing", "adult")
KNOWN = (*SETS, "step")
SMALL = cr.Network(cr.Dense(30), cr.Sigmoid(), cr.Dense(10))
IMAGES, ROUNDS = 20_000, 5


def data(name: str) -> tuple[pd.DataFrame, NDArray[Any]]:
    if name == "adult":
        found = adult()
        return found.X, found.y.to_numpy()
    table = pd.read_csv(data_folder("tabular") / "california_housing.csv")
    price = "median_house_value"
    return table.drop(columns=price), table[price].to_numpy(np.float64) / 100_000


def measure(name: str, ensemble: Any, seed: int) -> tuple[float, float, float]:
    """The score, the negative log-likelihood, and the seconds."""
    X, y = data(name)
    rows = np.random.default_rng(seed).permutation(len(y))[: ROWS + TESTED]
    kept, tested = rows[:ROWS], rows[ROWS:]
    settings: dict[str, Any] = {"epochs": EPOCHS, "ensemble": ensemble, "validation_fraction": 0, "random_state": seed}
    start = time.perf_counter()
    if name == "adult":
        model: Any = cr.Classifier(loss=cr.CrossEntropy(), **settings).fit(X.iloc[kept], y[kept])
    else:
        model = cr.Regressor(loss=cr.Gaussian(), **settings).fit(X.iloc[kept], y[kept])
    seconds = time.perf_counter() - start
    asked, truth = X.iloc[tested], y[tested]
    if name == "adult":
        return model.score(asked, truth), log_loss(truth, model.predict_proba(asked)), seconds
    return model.score(asked, truth), -float(model.predict_distribution(asked).log_prob(truth).mean()), seconds


def steps() -> None:
    """Print the microseconds of a training step of each way, beside those of one network."""
    generator = np.random.default_rng(0)
    X, y = generator.random((IMAGES, 784), np.float32), np.arange(IMAGES) % 10
    ways = {way: ensemble for way, ensemble in WAYS.items() if not isinstance(ensemble, OneRun)}
    best = dict.fromkeys(ways, np.inf)
    for seed in range(ROUNDS + 1):  # the first compiles
        for way, ensemble in ways.items():
            settings: dict[str, Any] = {"epochs": 1, "batch_size": 10, "validation_fraction": 0, "random_state": seed}
            model = cr.Classifier(SMALL, optimizer=cr.Adam(), ensemble=ensemble, **settings).fit(X, y)
            best[way] = min(best[way], sum(model.history_["seconds"]) / sum(model.history_["steps"]))
    print("| 784-30-10 | µs a step | of one network |\n|---|---|---|")
    for way, seconds in best.items():
        print(f"| {way} | {1e6 * seconds:.0f} | {seconds / best['one network']:.2f} × |")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(KNOWN)}; both sets without any")
    parser.add_argument("--splits", type=int, default=2)
    given = parser.parse_args(arguments)
    if unknown := set(given.sets) - set(KNOWN):
        parser.error(f"no set {min(unknown)!r}; there are {', '.join(KNOWN)}")
    if "step" in given.sets:
        steps()
    for name in [name for name in given.sets or SETS if name != "step"]:
        score = "accuracy" if name == "adult" else "R²"
        print(f"\n| {name} | {score} | NLL | seconds |\n|---|---|---|---|", flush=True)
        for way, ensemble in WAYS.items():
            found = np.array([measure(name, ensemble, seed) for seed in range(given.splits)])
            means = found[:, :2].mean(axis=0)
            # The first fit of each way compiles its code.
            print(f"| {way} | {means[0]:.4f} | {means[1]:.3f} | {found[:, 2].min():.1f} |", flush=True)


if __name__ == "__main__":
    main()
