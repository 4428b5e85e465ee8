"""Default settings on tables, beside scikit-learn's networks.

    python -m benchmarks.tables                     all eight sets
    python -m benchmarks.tables --sets iris wine    these
    python -m benchmarks.tables --repeats 3         three different 5-fold splits instead of one

Both are given the same folds.  scikit-learn's ``MLPClassifier`` and ``MLPRegressor`` stand at their defaults behind the
usual pipeline (median and most frequent value for gaps, one-hot categories, standard scaling); ``Classifier`` and
``Regressor`` get the table as it is.  Scores are accuracy and R², with the standard error over the folds.  The defaults
of chainrule were chosen on splits with the seeds 100 to 104; the table uses the seeds from 0 on.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.datasets import data_folder
from chainrule.estimators import Classifier, Regressor

FOLDS = 5
ADULT = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "country",
    "income",
)


@dataclass(frozen=True)
class Data:
    X: pd.DataFrame
    y: pd.Series
    classes: bool


def bundled(name: str) -> Data:
    """A set that comes with scikit-learn."""
    found = getattr(datasets, f"load_{name}")(as_frame=True)
    return Data(found.data, found.target, name != "diabetes")


def penguins() -> Data:
    table = pd.read_csv(data_folder("tabular") / "penguins.csv")
    return Data(table.drop(columns="species"), table["species"], True)


def adult() -> Data:
    """The training part of Adult, 32,561 rows."""
    path = data_folder("tabular") / "adult-train.csv"
    table = pd.read_csv(path, header=None, names=list(ADULT), skipinitialspace=True, na_values="?")
    return Data(table.drop(columns="income"), table["income"], True)


def california_housing() -> Data:
    table = pd.read_csv(data_folder("tabular") / "california_housing.csv")
    return Data(table.drop(columns="median_house_value"), table["median_house_value"], False)


SETS: dict[str, Callable[[], Data]] = {
    **{name: lambda name=name: bundled(name) for name in ("iris", "wine", "breast_cancer", "digits", "diabetes")},
    "penguins": penguins,
    "adult": adult,
    "california_housing": california_housing,
}


def peer(classes: bool) -> Any:
    """scikit-learn's network at its defaults, behind the usual pipeline."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, MLPClassifier(random_state=0) if classes else MLPRegressor(random_state=0))


def ours(classes: bool) -> Any:
    return Classifier(random_state=0) if classes else Regressor(random_state=0)


@dataclass(frozen=True)
class Result:
    """Scores of every fold and the seconds that all of them took."""

    scores: NDArray[np.float64]
    seconds: float

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return float(self.scores.std(ddof=1) / np.sqrt(len(self.scores)))

    def __str__(self) -> str:
        return f"{self.mean:8.4f} ± {self.error:.4f} {self.seconds:7.1f} s"


def measure(make: Callable[[bool], Any], data: Data, repeats: int) -> Result:
    """Scores on the folds of ``repeats`` different splits."""
    scores = []
    start = time.perf_counter()
    for seed in range(repeats):
        splitter = (StratifiedKFold if data.classes else KFold)(FOLDS, shuffle=True, random_state=seed)
        for kept, aside in splitter.split(data.X, data.y if data.classes else None):
            model = make(data.classes).fit(data.X.iloc[kept], data.y.iloc[kept])
            scores.append(model.score(data.X.iloc[aside], data.y.iloc[aside]))
    return Result(np.array(scores), time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--repeats", type=int, default=1)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # sklearn's networks say that they have not converged
    print(f"{'set':20}{'rows':>7}  {'chainrule':>28}  {'scikit-learn':>28}   difference")
    better = worse = 0
    for name in chosen.sets:
        data = SETS[name]()
        mine, theirs = measure(ours, data, chosen.repeats), measure(peer, data, chosen.repeats)
        better += mine.mean > theirs.mean
        worse += mine.mean < theirs.mean - theirs.error
        print(f"{name:20}{len(data.X):7,}  {mine}  {theirs}   {mine.mean - theirs.mean:+.4f}", flush=True)
    print(f"better on {better} of {len(chosen.sets)}; worse by more than one standard error on {worse}")


if __name__ == "__main__":
    main()
