"""How sure classifiers are beside how often they are right, for one network and for an ensemble of five.

    python -m benchmarks.confidence             # everything
    python -m benchmarks.confidence sst2        # or garments, foreign: any of them

``garments`` is Fashion-MNIST and ``sst2`` sentiment.  A tenth of the training rows, of each class in proportion, is
held out of the training and sets temperatures; test rows are looked at once, and told before and after that.  "One
network" is each member of the ensemble by itself, which starts from first values of its own.  Told of them are the
mean, and the lowest and highest of the five.

``foreign`` asks networks for digits (MNIST) how sure they are of garments, and the other way round: the area under the
curve that tells 10,000 test images of the other kind from 10,000 of the familiar one, by the entropy of the prediction
and by its epistemic part, the mutual information of class and member, which one network does not have.

Settings were chosen on training rows (docs/results.md says how).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from benchmarks.datasets import data_folder
from benchmarks.results.sequences import sentences
from chainrule.probability.calibration import class_numbers
from chainrule.probability.held_out import hold_out, take
from chainrule.probability.reliability import calibration_error
from chainrule.probability.score import Score
from chainrule.probability.scores import brier_scores, log_scores
from chainrule.probability.uncertainty import Decomposition, class_uncertainty, out_of_distribution_auroc

Array = NDArray[Any]

MEMBERS, SEED = 5, 0
HELD_OUT = 0.1  # of the training rows, for temperatures
ASKED = 0.98  # of the area under the curve: digits against garments, for the ensemble


@dataclass(frozen=True)
class Recipe:
    """What is trained: the filters of each convolution (none: the default network for texts), and for how long."""

    filters: tuple[int, ...]
    epochs: int

    def classifier(self) -> cr.Classifier:
        hidden = [layer for filters in self.filters for layer in convolution(filters)]
        network = cr.Network(*hidden, cr.Dense(64), cr.ReLU(), cr.Dropout(0.2), cr.Dense(10))
        return cr.Classifier(
            network if self.filters else None,
            cr.CrossEntropy(),
            cr.AdamW(cr.OneCycle(3e-3)) if self.filters else None,
            epochs=self.epochs,
            batch_size=64,
            ensemble=MEMBERS,
            validation_fraction=0,
            random_state=SEED,
        )


RECIPES = {"mnist": Recipe((8, 16), 5), "fashion_mnist": Recipe((16, 32), 8), "sst2": Recipe((), 8)}


def convolution(filters: int) -> tuple[cr.Layer, ...]:
    """Filters of 3×3, a rectifier, and pooling of 2×2."""
    return cr.Conv2D(filters, 3, padding="same", weights=cr.HeNormal()), cr.ReLU(), cr.MaxPool2D(2)


def read_part(name: str, part: str) -> tuple[Any, Array]:
    """The rows of a set and their labels; ``part``: "train" or "test"."""
    if name == "sst2":
        texts, labels = sentences(part)
        return texts, np.array(labels)
    images = cr.read_images(data_folder(name) / f"{'train' if part == 'train' else 't10k'}-images-idx3-ubyte.gz")
    return images, np.asarray(images.labels)


@dataclass(frozen=True, eq=False)
class Trained:
    """An ensemble, the rows held out of its training with their labels, and the minutes that it took."""

    model: cr.Classifier
    held_out: tuple[Any, Array]
    minutes: float


@lru_cache
def trained(name: str) -> Trained:
    """The ensemble for a set."""
    X, y = read_part(name, "train")
    kept, aside = hold_out(len(y), HELD_OUT, y, SEED)
    start = time.perf_counter()
    model = RECIPES[name].classifier().fit(take(X, kept), y[kept])
    return Trained(model, (take(X, aside), y[aside]), (time.perf_counter() - start) / 60)


# --- scores of probabilities ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scores:
    """Of probabilities on test rows."""

    accuracy: float
    nll: float
    brier: float
    ece: Score


def scores(probabilities: Array, t: Array) -> Scores:
    """The scores of p[b,k] for the classes t[b]."""
    return Scores(
        accuracy=float(np.mean(probabilities.argmax(axis=1) == t)),
        nll=float(np.mean(log_scores(t, probabilities))),
        brier=float(np.mean(brier_scores(t, probabilities))),
        ece=calibration_error(t, probabilities),
    )


@dataclass(frozen=True)
class Judged:
    """A model as it is, and with its temperature set by rows held out."""

    plain: Scores
    temperature: float
    scaled: Scores


def judged(model: Any, held_out: tuple[Any, Array], X: Any, t: Array) -> Judged:
    """The scores of a fitted classifier on test rows X of the classes t[b], before and after temperature scaling."""
    calibrated = cr.TemperatureScaling(model).calibrate(*held_out)
    return Judged(scores(model.predict_proba(X), t), calibrated.temperature_, scores(calibrated.predict_proba(X), t))


def spread(values: list[float], form: str) -> str:
    """The mean, the lowest and the highest of several."""
    mean, low, high = (format(value, form) for value in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} … {high})"


def told_of_several(each: list[Scores]) -> str:
    accuracy = spread([100 * one.accuracy for one in each], ".2f")
    errors = spread([100 * one.ece.value for one in each], ".2f")
    nll, brier = spread([one.nll for one in each], ".3f"), spread([one.brier for one in each], ".3f")
    return f"{accuracy:24}{nll:24}{brier:24}{errors}"


def told_of_one(one: Scores) -> str:
    error = f"{100 * one.ece.value:.2f} (band {100 * one.ece.low:.2f} … {100 * one.ece.high:.2f})"
    return f"{100 * one.accuracy:<24.2f}{one.nll:<24.3f}{one.brier:<24.3f}{error}"


def calibration(name: str) -> None:
    """Print the scores of one network and of the ensemble."""
    found = trained(name)
    X, labels = read_part(name, "test")
    t = class_numbers(labels, found.model.classes_)
    members = [judged(found.model.member(number), found.held_out, X, t) for number in range(MEMBERS)]
    together = judged(found.model, found.held_out, X, t)
    temperatures = spread([one.temperature for one in members], ".2f")
    rows = f"{found.model.training_.rows:,} rows, {RECIPES[name].epochs} epochs"
    print(f"{name}: {rows}, {found.minutes:.1f} minutes for {MEMBERS} networks; {len(t):,} test rows")
    print(f"  {'':28}{'accuracy, %':24}{'NLL':24}{'Brier':24}ECE, %")
    print(f"  {'one network':28}{told_of_several([one.plain for one in members])}")
    print(f"  {'  its temperature set':28}{told_of_several([one.scaled for one in members])}")
    print(f"  {'the first of them':28}{told_of_one(members[0].plain)}")
    print(f"  {'  its temperature set':28}{told_of_one(members[0].scaled)}")
    print(f"  {'ensemble of five':28}{told_of_one(together.plain)}")
    print(f"  {'  its temperature set':28}{told_of_one(together.scaled)}")
    print(f"  temperatures: one network {temperatures}; ensemble {together.temperature:.2f}")
    print(f"  asked for: an ensemble that is better than one network: {better(together.plain, members)}", flush=True)


def better(together: Scores, members: list[Judged]) -> str:
    """Whether the ensemble is better than its members are on average, and than each of them."""
    accuracy, nll = [one.plain.accuracy for one in members], [one.plain.nll for one in members]
    on_average = together.accuracy > np.mean(accuracy) and together.nll < np.mean(nll)
    than_each = f"accuracy than {sum(together.accuracy > one for one in accuracy)} of {len(members)}"
    than_each += f", NLL than {sum(together.nll < one for one in nll)}"
    return f"{'reached' if on_average else 'not reached'} (better {than_each})"


# --- rows of another kind ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Areas under the curve: by the entropy of each member's prediction; by that of the ensemble's; by its epistemic
    part.
    """

    members: tuple[float, ...]
    entropy: float
    epistemic: float


def told_apart(familiar: Array, foreign: Array) -> Told:
    """How well foreign rows are told from familiar ones by the members' probabilities of both kinds [e,b,k]."""

    def area(part: Callable[[Decomposition], Array], members: slice) -> float:
        kinds = (part(class_uncertainty(kind[members])) for kind in (familiar, foreign))
        return out_of_distribution_auroc(*kinds)

    return Told(
        tuple(area(lambda one: one.total, slice(e, e + 1)) for e in range(len(familiar))),
        area(lambda one: one.total, slice(None)),
        area(lambda one: one.epistemic, slice(None)),
    )


def foreign() -> None:
    """Print how well garments are told from digits by networks for digits, and the other way round."""
    for name, other in (("mnist", "fashion_mnist"), ("fashion_mnist", "mnist")):
        found = trained(name)
        (X, labels), (Z, _) = read_part(name, "test"), read_part(other, "test")
        members = [found.model.member(number) for number in range(MEMBERS)]
        of_familiar, of_foreign = (np.stack([one.predict_proba(rows) for one in members]) for rows in (X, Z))
        right = np.mean(found.model.classes_[of_familiar.mean(axis=0).argmax(axis=1)] == labels)
        areas = told_apart(of_familiar, of_foreign)
        print(
            f"{name} against {other}: {100 * right:.2f} % of the familiar test rows right, {found.minutes:.1f} minutes"
        )
        print(f"  one network, entropy    {spread(list(areas.members), '.4f')}")
        print(f"  ensemble, entropy       {areas.entropy:.4f}")
        print(f"  ensemble, epistemic     {areas.epistemic:.4f}", flush=True)
        if name == "mnist":
            print(f"  asked for: at least {ASKED}: {'reached' if areas.entropy >= ASKED else 'not reached'} by entropy")


PARTS: dict[str, Callable[[], None]] = {
    "garments": lambda: calibration("fashion_mnist"),
    "foreign": foreign,
    "sst2": lambda: calibration("sst2"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How sure classifiers are beside how often they are right.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without any")
    given = parser.parse_args().parts
    if unknown := set(given) - set(PARTS):
        parser.error(f"no part {min(unknown)!r}; there are {', '.join(PARTS)}")
    begun = time.perf_counter()
    for part in given or PARTS:
        PARTS[part]()
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
