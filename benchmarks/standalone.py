"""The file of ``model.source()`` for a network on MNIST, run where there is NumPy and nothing else: the same losses?

python -m benchmarks.standalone [--rows 50000] [--epochs 2]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from benchmarks.datasets import mnist
from chainrule.training.loop import first_state
from chainrule.training.programs import program
from chainrule.training.source import epoch_batches

# Run beside the file: train with it, keep the loss of every step.
HARNESS = """
import numpy as np
import training
with np.load("data.npz") as data:
    parameters, losses = training.train(*(data[name] for name in data.files))
np.save("losses.npy", losses)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--epochs", type=int, default=2)
    given = options.parse_args()
    X, t, _, _ = mnist()
    X, t = X[: given.rows], t[: given.rows]
    network = cr.Network(cr.Dense(30), cr.Sigmoid(), cr.Dropout(0.1), cr.Dense(10))
    model = cr.Classifier(
        network, optimizer=cr.Adam(1e-3), epochs=given.epochs, batch_size=10, early_stopping=False,
        validation_fraction=0.0, random_state=0,
    )  # fmt: skip
    model.fit(X, t)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "environment", with_pip=True)
        python = str(folder / "environment" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", f"numpy=={np.__version__}"], check=True)
        installed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
        )
        (folder / "training.py").write_text(model.source(), encoding="utf-8")
        (folder / "harness.py").write_text(HARNESS)
        np.savez(folder / "data.npz", **model.training_arrays(X, t))
        subprocess.run([python, "harness.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        alone = np.load(folder / "losses.npy")
    here = compiled_losses(model, model.training_arrays(X, t))
    print(f"environment: {', '.join(installed.stdout.split())}; Python {sys.version.split()[0]}")
    print(f"784-30-10, {given.rows:,} rows, minibatches of 10, Adam, dropout: {alone.size:,} steps")
    for step in (0, 1, 2, len(here) // 2, len(here) - 1):
        print(f"  step {step:6d}: {here[step]:.9f} with chainrule, {alone[step]:.9f} alone")
    print(
        f"largest difference {np.abs(here - alone).max():.1e}; the history's loss of the last epoch "
        f"{model.history_.last['loss']:.9f}, alone {alone[-len(alone) // given.epochs :].mean():.9f}"
    )
    sys.exit(int(np.abs(here - alone).max() > 1e-5))


def compiled_losses(model: cr.Classifier, arrays: dict[str, Any]) -> NDArray[np.float32]:
    """The loss of every step of the run that ``fit`` made, by the compiled program."""
    step, run = model.specification_.step, model.training_
    state = first_state(step, run.seed)
    made = program(step.system, (step.loss,))
    rates = model.specification_.optimizer.rates(run.epochs * -(-run.rows // run.batch_size))
    losses: list[NDArray[np.float32]] = []
    done = 0
    for epoch in range(run.epochs):
        for rows in epoch_batches(run.rows, run.batch_size, run.seed, epoch):
            steps = {"rows": rows, "η": rates[done : done + len(rows)]}
            result = made.run(arrays, state, steps=steps, seed=run.seed, first_step=done)
            losses.append(np.asarray(result[step.loss]))
            done += len(rows)
    return np.concatenate(losses)


if __name__ == "__main__":
    main()
