"""The file that trains on its own gives the losses of the compiled program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.backends.test_training_steps import ADAM, NETWORKS, SGD, training_step

from chainrule.backends import compile
from chainrule.backends.numpy.standalone import Training, standalone
from chainrule.equations.parse import parse

ROWS, EPOCHS, SEED = 10, 2, 3


def epoch_batches(rows: int, batch_size: int, seed: int, epoch: int) -> tuple[Any, Any]:
    """The rows of an epoch in random order: full minibatches [s, b], and those left over."""
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    full = rows // batch_size
    return order[: full * batch_size].reshape(full, batch_size), order[full * batch_size :].reshape(
        -1, rows - full * batch_size or 1
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_losses(name: str, tmp_path: Path) -> None:
    system = training_step(NETWORKS[name], ADAM if name == "dropout" else SGD)
    random = np.random.default_rng(0)
    sizes = {axis: int(str(size)) for axis, size in system.sizes if str(size).isdigit()}
    lines = [f"axis {axis} = {size}" for axis, size in system.sizes if size is not None]
    lines += [f"random r_{t.name}[{','.join(t.axes)}] ~ normal" for t in system.parameters]
    lines += [f"{t.name}[{','.join(t.axes)}] = 0.3*r_{t.name}[{','.join(t.axes)}]" for t in system.parameters]
    initial = parse("\n".join(lines))
    rate = parse("axis t\nη[t] = 0.05*0.9^t")
    data: dict[str, Any] = {}
    for tensor in system.inputs:
        shape = tuple(sizes.get(axis, ROWS) for axis in tensor.axes)
        if tensor.name in ("X", "Y"):
            integers = tensor.role == "integer"
            data[tensor.name] = random.integers(0, 3, shape) if integers else random.normal(size=shape)
    training = Training(
        system, {key: value.shape for key, value in data.items()}, initial, rate, epoch_batches, 4, EPOCHS, SEED
    )
    text = standalone(training)

    # The compiled program.
    parameters = tuple(t.name for t in system.parameters)
    state: dict[str, Any] = dict(compile(initial, parameters).run({}, {}, seed=SEED))
    program = compile(system, ("C",))
    rates = {"η": 0.05 * 0.9 ** np.arange(6.0)}
    expected: list[float] = []
    for epoch in range(EPOCHS):
        for rows in epoch_batches(ROWS, 4, SEED, epoch):
            if not len(rows):
                continue
            n = len(expected)
            steps = {"rows": rows, "η": rates["η"][n : n + len(rows)]}
            expected += [float(c) for c in program.run(data, state, steps, seed=SEED, first_step=n)["C"]]

    # The file, in a process of its own that cannot import chainrule.
    (tmp_path / "training.py").write_text(text, encoding="utf-8")
    np.savez(tmp_path / "data.npz", **data)
    check = (
        "import sys, numpy; sys.modules['chainrule'] = None; import training\n"
        "with numpy.load('data.npz') as data: parameters, losses = training.train(*(data[k] for k in data))\n"
        "numpy.savez('found.npz', losses=losses, **parameters)"
    )
    subprocess.run([sys.executable, "-c", check], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "found.npz") as found:
        np.testing.assert_allclose(found["losses"], expected, rtol=1e-6)
        for key in parameters:
            np.testing.assert_allclose(found[key], state[key], rtol=1e-5, atol=1e-6)
