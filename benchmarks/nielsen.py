"""The networks of Michael Nielsen's book on MNIST: the accuracies it prints and ours, and steps a second.

    python -m benchmarks.nielsen [--epochs 30] [--seeds 0 1 2 3 4]

As in the book, 50,000 images to train on and 10,000 to test on; minibatches of 10.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.datasets import mnist
from chainrule.initializers import Initializer, LeCunNormal, Normal
from chainrule.layers import Dense, Network, Sigmoid
from chainrule.losses import CrossEntropyCost, Loss, QuadraticCost
from chainrule.optimizers import SGD
from chainrule.regularizers import L2, PerExample, Regularizer
from chainrule.training.callbacks import Run, as_callbacks
from chainrule.training.loop import first_state, train
from chainrule.training.programs import program
from chainrule.training.source import steps_per_epoch
from chainrule.training.step import TrainingStep, assemble

Array = NDArray[np.float32]
BATCH = 10
TRAINING_ROWS = 50_000


@dataclass(frozen=True)
class Experiment:
    """A network of the book, and the accuracy that the book prints for it."""

    name: str
    place: str
    published: float
    hidden: int
    weights: Initializer
    loss: Loss
    rate: float
    regularizers: tuple[Regularizer, ...] = ()

    def network(self) -> Network:
        """Sigmoid neurons throughout; cross-entropy takes the weighted input of the last layer, its sigmoid inside."""
        layers = [Dense(self.hidden, self.weights, Normal()), Sigmoid(), Dense(10, self.weights, Normal())]
        return Network(*layers, *([] if isinstance(self.loss, CrossEntropyCost) else [Sigmoid()]))

    def step(self) -> TrainingStep:
        return assemble(self.network(), self.loss, SGD(self.rate), {"i": 784}, regularizers=self.regularizers)


EXPERIMENTS = (
    Experiment("784-30-10, quadratic cost, η 3", "chapter 1", 95.42, 30, Normal(), QuadraticCost(), 3.0),
    Experiment(
        "784-100-10, cross-entropy, η 0.5, λ 5",
        "chapter 3",
        97.92,
        100,
        LeCunNormal(),
        CrossEntropyCost(),
        0.5,
        (PerExample(L2(5.0)),),
    ),
)


def accuracy(step: TrainingStep, state: dict[str, Array], X: Array, t: NDArray[np.int64]) -> float:
    """Per cent of the images whose largest output is the right one."""
    names = tuple(tensor.name for tensor in step.parameters)
    made = program(step.prediction_system, (step.output.name,))
    output = made.run({"x": X}, {name: state[name] for name in names})[step.output.name]
    return 100 * float(np.mean(output.argmax(axis=1) == t))


def run_experiment(experiment: Experiment, epochs: int, seed: int) -> tuple[float, float, float]:
    """Train; the best and the last test accuracy over the epochs in per cent, and the median of steps a second."""
    X, t, X_test, t_test = mnist()
    X, t = X[:TRAINING_ROWS], t[:TRAINING_ROWS]
    step = experiment.step()
    run = Run(
        first_state(step, seed), tuple(p.name for p in step.parameters), epochs, steps_per_epoch(len(X), BATCH), seed
    )
    accuracies: list[float] = []

    def measure(state: dict[str, Array]) -> dict[str, float]:
        accuracies.append(accuracy(step, state, X_test, t_test))
        return {"accuracy": accuracies[-1]}

    data = {"X": X, "Y": np.eye(10, dtype=np.float32)[t]}
    data |= {name: np.array(value, dtype=np.float32) for name, value in step.constants.items()}
    seconds: list[float] = []

    def watch(run: Run) -> None:
        seconds.append(run.history.last["seconds"])

    train(
        step,
        data,
        run,
        batch_size=BATCH,
        rates=np.full(run.steps, experiment.rate),
        callbacks=as_callbacks(watch),
        measure=measure,
    )
    return max(accuracies), accuracies[-1], run.steps_per_epoch / statistics.median(seconds)


def steps_a_second(epochs: int, seed: int) -> tuple[float, float]:
    """Ours and scikit-learn's on 784-30-10 with minibatches of 10, epochs in turn; medians."""
    X, t, _, _ = mnist()
    X, t = X[:TRAINING_ROWS], t[:TRAINING_ROWS]
    step = EXPERIMENTS[0].step()
    data = {"X": X, "Y": np.eye(10, dtype=np.float32)[t]}
    state = first_state(step, seed)
    peer = MLPClassifier(
        (30,),
        activation="logistic",
        solver="sgd",
        momentum=0,
        learning_rate_init=0.5,
        alpha=0,
        batch_size=BATCH,
        max_iter=1,
        random_state=seed,
        warm_start=True,
    )
    ours, theirs = [], []
    steps = steps_per_epoch(len(X), BATCH)
    for epoch in range(epochs):
        start = time.perf_counter()
        run = Run(state, tuple(p.name for p in step.parameters), 1, steps, seed + epoch)
        train(step, data, run, batch_size=BATCH, rates=np.full(steps, 3.0))
        ours.append(steps / (time.perf_counter() - start))
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer.fit(X, t)
        theirs.append(steps / (time.perf_counter() - start))
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = options.parse_args()
    print(f"best test accuracy over {given.epochs} epochs, %; the book shows one run\n")
    print(f"{'network':<40} {'book':<10} {'book':>6} {'median':>7} {'best':>6}   seeds {given.seeds}")
    for experiment in EXPERIMENTS:
        found = [run_experiment(experiment, given.epochs, seed)[0] for seed in given.seeds]
        middle, top = statistics.median(found), max(found)
        each = "  ".join(f"{value:.2f}" for value in found)
        row = f"{experiment.name:<40} {experiment.place:<10} {experiment.published:>6.2f} {middle:>7.2f} {top:>6.2f}"
        print(f"{row}   {each}", flush=True)
    ours, theirs = steps_a_second(3, given.seeds[0])
    print(
        f"\n784-30-10, batch 10: {ours:,.0f} steps/s, scikit-learn's MLP {theirs:,.0f} steps/s: {ours / theirs:.1f} ×"
    )


if __name__ == "__main__":
    main()
