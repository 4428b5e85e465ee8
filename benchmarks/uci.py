"""Regression that knows how sure it is, on the UCI sets of Hernández-Lobato and Adams (2015) with their 20 splits.

    python -m benchmarks.uci                        # every set, every method
    python -m benchmarks.uci yacht boston --splits 5
    python -m benchmarks.uci --methods ensemble

One hidden layer of 50 rectifiers.  Within each split a fifth of the training rows chooses the settings of each method
(weight decay and epochs) by its negative log-likelihood; the network is then trained on all training rows.  The test
rows are looked at once.  Told are means over splits, with their standard errors, of the root mean squared error and of
the negative log-likelihood, in the target's own unit, beside the published ones.

``--peer`` trains the same five networks one after another in PyTorch (needs the environment of ``make peers``), on the
settings that were chosen, and tells how long each takes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from benchmarks.datasets import data_folder

Array = NDArray[Any]

UNITS, BATCH, RATE = 50, 32, 0.01
DECAYS, EPOCHS = (0.01, 0.1, 0.5), (40, 100, 400)
SHARE = 0.2  # of the training rows that choose the settings
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

    decay: float
    epochs: int


@dataclass(frozen=True)
class Result:
    """One split: errors on its test rows, what was chosen, and the seconds that all of it took."""

    rmse: float
    nll: float
    settings: Settings
    seconds: float


def _regressor(settings: Settings, seed: int, *layers: Any, loss: Any, ensemble: int | None = None) -> Any:
    optimizer = cr.AdamW(cr.CosineDecay(RATE), weight_decay=settings.decay)
    return cr.Regressor(
        cr.Network(*layers),
        loss,
        optimizer,
        epochs=settings.epochs,
        batch_size=BATCH,
        ensemble=ensemble,
        validation_fraction=0,
        n_jobs=1,
        random_state=seed,
    )


def _normal(settings: Settings, seed: int, X: Array, y: Array, ensemble: int | None = None) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dense((1, 2)))
    return _regressor(settings, seed, *layers, loss=cr.Gaussian(), ensemble=ensemble).fit(X, y)


def _dropout(settings: Settings, seed: int, X: Array, y: Array) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dropout(0.05), cr.Dense((1, 2)))
    return _regressor(settings, seed, *layers, loss=cr.Gaussian()).fit(X, y).dropout_ensemble(50)


def _laplace(settings: Settings, seed: int, X: Array, y: Array) -> Any:
    layers = (cr.Dense(UNITS), cr.ReLU(), cr.Dense(1))
    return cr.LaplaceRegressor(_regressor(settings, seed, *layers, loss=cr.SquaredError()), "full").fit(X, y)


Fit = Callable[[Settings, int, Array, Array], Any]
METHODS: Mapping[str, Fit] = {
    "normal": _normal,
    "dropout": _dropout,
    "ensemble": partial(_normal, ensemble=5),
    "laplace": _laplace,
}


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


def candidates(rows: int) -> list[Settings]:
    """The settings to choose from, for so many training rows."""
    most = max(EPOCHS[0] // 2, MOST_STEPS * BATCH // rows)
    epochs = sorted({min(count, most) for count in EPOCHS})
    return [Settings(decay, count) for decay, count in product(DECAYS, epochs)]


def errors(model: Any, X: Array, y: Array) -> tuple[float, float]:
    """Root mean squared error and negative log-likelihood."""
    found = model.predict_distribution(X)
    return float(np.sqrt(np.mean((found.mean - y) ** 2))), float(-np.mean(found.log_prob(y)))


def one_split(name: str, method: str, number: int) -> Result:
    """Choose on part of the training rows, train on all of them, look at the test rows."""
    warnings.simplefilter("ignore", UserWarning)
    start = time.perf_counter()
    X, y = read_set(name)
    train, test = read_split(name, number)
    shuffled = np.random.default_rng(number).permutation(train)
    chooses, rest = np.split(shuffled, [int(SHARE * len(train))])
    fit = METHODS[method]

    def judged(settings: Settings) -> float:
        return errors(fit(settings, number, X[rest], y[rest]), X[chooses], y[chooses])[1]

    chosen = min(candidates(len(train)), key=judged)
    rmse, nll = errors(fit(chosen, number, X[train], y[train]), X[test], y[test])
    return Result(rmse, nll, chosen, time.perf_counter() - start)


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
    torch.set_num_threads(1)  # the fastest for networks of this size
    start = time.perf_counter()
    for member in range(5):
        torch.manual_seed(member)
        network = torch.nn.Sequential(torch.nn.Linear(X.shape[1], UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 2))
        steps = settings.epochs * -(-len(X) // BATCH)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=settings.decay, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(settings.epochs):
            for rows in torch.randperm(len(X)).split(BATCH):
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
    model = _normal(settings, 0, X[train], y[train], ensemble=5)  # compiles
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
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--peer", action="store_true", help="beside the time that PyTorch takes")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        for name in arguments.sets or FOLDERS:
            print(f"{name:15}           RMSE            NLL   seconds a split", flush=True)
            for method in arguments.methods:
                found = list(pool.map(partial(one_split, name, method), range(arguments.splits)))
                rmse, nll = (np.array([getattr(one, kind) for one in found]) for kind in ("rmse", "nll"))
                seconds = np.mean([one.seconds for one in found])
                print(f"  {method:15}{told(rmse)}  {told(nll)}   {seconds:.1f}", flush=True)
            for source, figures in PUBLISHED.items():
                print(f"  {source:15}{figures[name][0]:6.2f}         {figures[name][1]:6.2f}          (published)")
            if arguments.peer:
                compare(name, found[0].settings)
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
