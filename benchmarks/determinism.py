"""The same weights, bit for bit, after many steps: on 1, 2, 3 and 5 threads, and in another process.

python -m benchmarks.determinism [--steps 1000]

Two networks: one of 64-48-32-10 units with 96 rows, divided as finely as a large one is (``tests/backends/forced.py``),
and one of 784-512-256-10 units with 256 rows as it comes.  Prints a digest of all weights for each number of threads
and process; ends with status 1 if any two differ.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.backends.forced import Way, forced  # noqa: E402

from chainrule.backends.native import compile as native  # noqa: E402
from chainrule.backends.threads import at_most  # noqa: E402
from chainrule.layers import Dense, Dropout, Network, ReLU  # noqa: E402
from chainrule.losses import CrossEntropy  # noqa: E402
from chainrule.optimizers import Adam  # noqa: E402
from chainrule.training.step import TrainingStep, assemble  # noqa: E402

THREADS = (1, 2, 3, 5)
NETWORKS = {"divided": ((64, 48, 32, 10), 96), "large": ((784, 512, 256, 10), 256)}


def step(units: tuple[int, ...]) -> TrainingStep:
    """A training step of dense layers and dropout, by Adam."""
    layers = [layer for count in units[1:-1] for layer in (Dense(count), ReLU(), Dropout(0.1))]
    return assemble(Network(*layers, Dense(units[-1])), CrossEntropy(), Adam(1e-3), {"i": units[0]})


def weights(name: str, threads: int, steps: int) -> str:
    """A digest of the weights and of the states of the optimizer after so many steps."""
    units, batch = NETWORKS[name]
    made = step(units)
    with forced(Way(threads=threads, block_bytes=8192)) if name == "divided" else at_most(threads):
        random = np.random.default_rng(0)
        rows = 10 * batch
        data = {"X": random.normal(size=(rows, units[0])), "T": random.integers(0, units[-1], rows)}
        data |= {key: np.array(value) for key, value in made.constants.items()}
        names = [tensor.name for tensor in made.parameters]
        state = dict(native(made.initialization, tuple(names), "float32").run({}, {}, seed=1))
        program = native(made.system, (made.cost,), "float32")
        chosen = random.integers(0, rows, (steps, batch))
        program.run(data, state, {"rows": chosen, "η": np.full(steps, 1e-3)}, seed=2)
    assert program._last is not None
    if program._last.widest == 1:
        raise SystemExit(f"the network {name} is not divided: this measures nothing")
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(np.asarray(state[key]).tobytes())
    return digest.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "THREADS"), help="one digest, and nothing else")
    options = parser.parse_args()
    if options.one:
        print(weights(options.one[0], int(options.one[1]), options.steps))
        return
    different = False
    for name, (units, batch) in NETWORKS.items():
        print(f"{name}: {'-'.join(map(str, units))}, {batch} rows, {options.steps} steps")
        found = {}
        for threads in THREADS:
            begin = time.perf_counter()
            found[f"{threads} threads"] = weights(name, threads, options.steps)
            print(
                f"  {threads} threads        {found[f'{threads} threads']}  {time.perf_counter() - begin:.1f} s",
                flush=True,
            )
        for threads in THREADS[:2]:
            command = [sys.executable, "-m", "benchmarks.determinism", "--steps", str(options.steps)]
            command += ["--one", name, str(threads)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            found[f"{threads} threads, another process"] = done.stdout.strip()
            print(f"  {threads}, in a process  {done.stdout.strip()}", flush=True)
        same = len(set(found.values())) == 1
        different |= not same
        print("  equal" if same else "  DIFFERENT")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
