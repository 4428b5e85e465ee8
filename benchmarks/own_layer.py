"""A layer that a user wrote as three equations in a text file, beside the built-in one: milliseconds a training step.

    python -m benchmarks.own_layer [--rounds 15]

Both are the first layer of a network for 28×28 images, 32 filters of 3×3 and a rectifier, trained by Adam on batches
of 64; the two are measured in turn, after a check that their first losses are the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chainrule.layers import Conv2D, Dense, Layer, MaxPool2D, Network, ReLU
from chainrule.losses import CrossEntropy
from chainrule.optimizers import Adam
from chainrule.training.loop import first_state
from chainrule.training.programs import program
from chainrule.training.step import assemble

FILE = Path(__file__).resolve().parents[1] / "examples" / "convolution.eq"
BATCH, STEPS, ROWS = 64, 20, 2048


def training(*layers: Layer | Path) -> Callable[[], float]:
    """Some steps more, the same for all; returns their mean loss."""
    step = assemble(Network(*layers, MaxPool2D(2), Dense(10)), CrossEntropy(), Adam(1e-3), {"h": 28, "w": 28})
    compiled = program(step.system, (step.cost,))
    generator = np.random.default_rng(0)
    data = {"X": generator.normal(size=(ROWS, 28, 28)).astype(np.float32), "T": generator.integers(10, size=ROWS)}
    rows = generator.integers(ROWS, size=(STEPS, BATCH))
    state = first_state(step, 0)
    for tensor in step.parameters:  # initializers draw by name
        state[tensor.name] = generator.normal(size=state[tensor.name].shape).astype(np.float32) / 10

    def run() -> float:
        found = compiled.run(data, state, {"rows": rows, "η": np.full(STEPS, 1e-3)})
        return float(np.mean(found[step.cost]))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    runs = {"Conv2D(32, 3), ReLU()": training(Conv2D(32, 3), ReLU()), f"{FILE.name}": training(FILE)}
    losses = {name: run() for name, run in runs.items()}
    assert len({round(loss, 5) for loss in losses.values()}) == 1, losses
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - begin) / STEPS)
    for name, taken in seconds.items():
        print(f"{name:24} {1e3 * statistics.median(taken):7.3f} ms a step")


if __name__ == "__main__":
    main()
