"""Regression that knows how sure it is, on the UCI sets of Hernández-Lobato and Adams (2015) with their 20 splits.

    python -m benchmarks.uci                        # every set, every family
    python -m benchmarks.uci yacht boston --splits 5
    python -m benchmarks.uci --families ensemble

One hidden layer of 50 rectifiers.  The settings of each method are chosen within each split: networks are trained on
four fifths of its training rows and judged by their negative log-likelihood of the others, several times over where
there are few; with the best settings one is then trained on all training rows.  The test rows are looked at once.
Told are means over splits, with their standard errors, of the root mean squared error and of the negative
log-likelihood, in the target's own unit, beside the published ones.  "scaled": deviations are multiplied by the factor
(``SpreadScaling``) under which the rows that chose the settings are most probable; those networks knew four fifths of
the training rows, and the one that it is applied to knows all.

What is the same for all sets (rate, sizes of minibatches, the settings to choose from, how many rows judge) was
changed twice with test figures of earlier runs in view, on the strength of validation rows.

``--peer`` trains the same five networks one after another in PyTorch (needs the environment of ``make peers``), on the
settings that were chosen for the first split, and tells how long that one training takes here and there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from benchmarks.datasets import data_folder
from chainrule.probability.distribution import Distribution
from chainrule.probability.spread import likeliest_spread, spread

Array = NDArray[Any]

UNITS = 50
RATE, DECAYS, EPOCHS = 0.02, (0.01, 0.1, 1.0), (40, 400)
DROPOUT = (0.01, 0.05, 0.2)
SHARE = 0.2  # of the training rows that judge settings
JUDGES = 600  # rows, at least, by dividing again where a fifth has fewer; at most MOST_DIVISIONS times
MOST_DIVISIONS = 3
MANY = 4_000  # training rows: from there on a minibatch has 128, below 32
MOST_STEPS = 20_000  # a set of many rows needs fewer epochs

FOLDERS = {"boston": "bostonHousing", "concrete": "concrete", "energy": "energy", "power": "power-plant"} | {
    "wine": "wine-quality-red",
    "yacht": "yacht",
}

# RMSE and NLL: Gal and Ghahramani 2016 (MC dropout), Lakshminarayanan, Pritzel, Blundell 2017 (deep ensembles),
# Mukhoti, Stenetorp, Gal 2018 (tuned dropout).
PUBLISHED = {
    "MC dropout": {"boston": (2.97, 2.46), "concrete": (5.23, 3.04), "energy": (1.66, 1.99)}
    | {"power": (4.02, 2.80), "wine": (0.62, 0.93), "yacht": (1.11, 1.55)},
    "deep ensembles": {"boston": (3.28, 2.41), "concrete": (6.03, 3.06), "energy": (2.09, 1.38)}
    | {"power": (4.11, 2.79), "wine": (0.64, 0.94), "yacht": (1.58, 1.18)},
    "tuned dropout": {"boston": (2.90, 2.40), "concrete": (4.82, 2.93), "energy": (0.54, 1.21)}
    | {"power": (4.01, 2.80), "wine": (0.62, 0.93), "yacht": (0.67, 1.25)},
}


@dataclass(frozen=True)
class Settings:
    """What is chosen within each split."""

    epochs: int
    decay: float = 0.0
    dropout: float = 0.0


@dataclass(frozen=True)
class Result:
    """One split: errors on its test rows, and what was chosen."""

    rmse: float
    nll: float
    settings: Settings


def batch_size(rows: int) -> int:
    """Of so many training rows."""
    return 32 if rows < MANY else 128


def _regressor(settings: Settings, seed: int, rows: int, *layers: Any, loss: Any, ensemble: int | None = None) -> Any:
    optimizer = cr.AdamW(cr.CosineDecay(RATE), weight_decay=settings.decay)
    return cr.Regressor(
        cr.Network(*layers),
        loss,
        optimizer,
        epochs=settings.epochs,
        batch_size=batch_size(rows),
        ensemble=ensemble,
        validation_fraction=0,
        n_jobs=1,
        random_state=seed,
    )


def _ensemble(settings: Settings, seed: int, X: Array, y: Array) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dense((1, 2)))
    return _regressor(settings, seed, len(y), *layers, loss=cr.Gaussian(), ensemble=5).fit(X, y)


def _dropout(settings: Settings, seed: int, X: Array, y: Array) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dropout(settings.dropout), cr.Dense((1, 2)))
    return _regressor(settings, seed, len(y), *layers, loss=cr.Gaussian()).fit(X, y).dropout_ensemble(50)


def _laplace(settings: Settings, seed: int, X: Array, y: Array) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dense(1))
    return cr.LaplaceRegressor(_regressor(settings, seed, len(y), *layers, loss=cr.SquaredError()), "full").fit(X, y)


@dataclass(frozen=True)
class Family:
    """Networks that are trained together: how, on which settings, and the methods that read predictions from them."""

    fit: Callable[[Settings, int, Array, Array], Any]
    methods: Mapping[str, Callable[[Any, Array], Distribution]]
    decays: tuple[float, ...] = (0.01,)
    dropout: tuple[float, ...] = (0.0,)

    def candidates(self, rows: int) -> list[Settings]:
        """The settings to choose from, for so many training rows."""
        most = MOST_STEPS * batch_size(rows) // rows
        epochs = sorted({min(count, most) for count in EPOCHS})
        return [Settings(*chosen) for chosen in product(epochs, self.decays, self.dropout)]


def _of_model(model: Any, X: Array) -> Distribution:
    found: Distribution = model.predict_distribution(X)
    return found


def _of_first_member(model: Any, X: Array) -> Distribution:
    """Of the network that has the seed of the ensemble: what it would be alone, to the bit."""
    return _of_model(model.member(0), X)


FAMILIES: Mapping[str, Family] = {
    "ensemble": Family(_ensemble, {"normal": _of_first_member, "ensemble": _of_model}, decays=DECAYS),
    "dropout": Family(_dropout, {"dropout": _of_model}, dropout=DROPOUT),
    "laplace": Family(_laplace, {"laplace": _of_model}),  # the prior precision takes the place of decay
}
SCALED = ", scaled"


def read_set(name: str) -> tuple[Array, Array]:
    """Rows [b, i] and targets [b]."""
    folder = data_folder("uci_regression") / FOLDERS[name]
    data = np.loadtxt(folder / "data.txt")
    columns = np.loadtxt(folder / "index_features.txt").astype(int)
    return data[:, columns], data[:, int(np.loadtxt(folder / "index_target.txt"))]


def read_split(name: str, number: int) -> tuple[Array, Array]:
    """The numbers of the training rows and of the test rows."""
    folder = data_folder("uci_regression") / FOLDERS[name]
    train, test = (np.loadtxt(folder / f"index_{part}_{number}.txt").astype(int) for part in ("train", "test"))
    return train, test


def divisions(rows: Array, seed: int) -> list[tuple[Array, Array]]:
    """Training rows in two, those to train on and those that judge, as often as there are enough of the latter."""
    judges = int(SHARE * len(rows))
    generator = np.random.default_rng(seed)
    shuffled = [generator.permutation(rows) for _ in range(min(MOST_DIVISIONS, -(-JUDGES // judges)))]
    return [(one[judges:], one[:judges]) for one in shuffled]


def error(distribution: Distribution, y: Array) -> float:
    """The root mean squared error."""
    return float(np.sqrt(np.mean((distribution.mean - y) ** 2)))


def surprise(distribution: Distribution, y: Array) -> float:
    """The negative log-likelihood, in nats a row."""
    return float(-np.mean(distribution.log_prob(y)))


def judged(found: Sequence[tuple[Distribution, Array]]) -> tuple[float, float, float]:
    """Of what was predicted for rows that judge, and the truth: the surprise, that once scaled, and the factor."""
    factor = float(np.exp(np.mean([np.log(likeliest_spread(distribution, y)) for distribution, y in found])))
    plain = np.mean([surprise(distribution, y) for distribution, y in found])
    scaled = np.mean([surprise(spread(distribution, factor), y) for distribution, y in found])
    return float(plain), float(scaled), factor


def one_split(name: str, family: Family, number: int) -> dict[str, Result]:
    """The result of each method: choose on the training rows, train on all of them, look at the test rows."""
    warnings.simplefilter("ignore", UserWarning)
    X, y = read_set(name)
    train, test = read_split(name, number)
    verdicts: dict[str, dict[Settings, tuple[float, float, float]]] = {method: {} for method in family.methods}
    for settings in family.candidates(len(train)):
        found: dict[str, list[tuple[Distribution, Array]]] = {method: [] for method in family.methods}
        for rows, judges in divisions(train, number):
            model = family.fit(settings, number, X[rows], y[rows])
            for method, read in family.methods.items():
                found[method].append((read(model, X[judges]), y[judges]))
        for method, predicted in found.items():
            verdicts[method][settings] = judged(predicted)

    last = cache(lambda settings: family.fit(settings, number, X[train], y[train]))
    results = {}
    for method, read in family.methods.items():
        verdict = verdicts[method]
        for kind, suffix in enumerate(("", SCALED)):
            best = min(verdict, key=lambda settings: verdict[settings][kind])
            predicted = read(last(best), X[test])
            if suffix:
                predicted = spread(predicted, verdict[best][2])
            results[method + suffix] = Result(error(predicted, y[test]), surprise(predicted, y[test]), best)
    return results


def told(values: Array) -> str:
    """The mean of the splits and its standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():6.2f} ± {error:.2f}"


def torch_seconds(name: str, number: int, settings: Settings) -> float:
    """The time of five networks one after another in PyTorch, on the training rows of a split."""
    import torch

    X, y = read_set(name)
    train, _ = read_split(name, number)
    X, y = X[train], y[train]
    inputs = torch.tensor((X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1), dtype=torch.float32)
    targets = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None]
    batch = batch_size(len(X))
    torch.set_num_threads(1)  # the fastest for networks of this size
    start = time.perf_counter()
    for member in range(5):
        torch.manual_seed(member)
        network = torch.nn.Sequential(torch.nn.Linear(X.shape[1], UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 2))
        steps = settings.epochs * -(-len(X) // batch)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=settings.decay, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(X)).split(batch):
                mean, log_variance = network(inputs[rows]).split(1, dim=1)
                loss = (log_variance + (targets[rows] - mean) ** 2 * torch.exp(-log_variance)).mean() / 2
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    return time.perf_counter() - start


def compare(name: str, settings: Settings) -> None:
    """The time of one ensemble here and in PyTorch, on the same settings and rows, both on their fastest threads."""
    X, y = read_set(name)
    train, _ = read_split(name, 0)
    model = _ensemble(settings, 0, X[train], y[train])  # compiles
    model.n_jobs = None
    start = time.perf_counter()
    model.fit(X[train], y[train])
    ours = time.perf_counter() - start
    theirs = torch_seconds(name, 0, settings)
    print(f"  five networks, {settings.epochs} epochs: {ours:.2f} s; in PyTorch {theirs:.1f} s, {theirs / ours:.0f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(description="Regression with uncertainty on the UCI sets.")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(FOLDERS)}; all without any")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--peer", action="store_true", help="beside the time that PyTorch takes")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        for name in arguments.sets or FOLDERS:
            print(f"{name:19}           RMSE            NLL", flush=True)
            for family in arguments.families:
                start = time.perf_counter()
                found = list(pool.map(partial(one_split, name, FAMILIES[family]), range(arguments.splits)))
                for method in found[0]:
                    rmse, nll = (np.array([getattr(one[method], kind) for one in found]) for kind in ("rmse", "nll"))
                    print(f"  {method:19}{told(rmse)}  {told(nll)}", flush=True)
                print(f"  ({family}: {(time.perf_counter() - start) / 60:.1f} minutes)", flush=True)
                if arguments.peer and family == "ensemble":
                    compare(name, found[0]["ensemble"].settings)
            for source, figures in PUBLISHED.items():
                print(f"  {source:19}{figures[name][0]:6.2f}         {figures[name][1]:6.2f}          (published)")
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
