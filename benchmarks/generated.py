"""Random systems compiled by the native backend: every tensor compared with the reference evaluator.

python -m benchmarks.generated [COUNT] [--first SEED] [--only SEED]

Each system is compiled with its derivatives too, and each of the two in two ways: as it comes, which for a small system
is one thread and one operation after the other; and with lowered thresholds, so that the same system is divided among
threads, packed and computed in blocks (``tests/backends/forced.py``).  Half of the systems have axes longer than a
vector register.  Prints what differs and the memory that the worst plan takes, in terms of what is alive at once; ends
with status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.backends.forced import both_ways  # noqa: E402
from tests.properties.test_generated import differentiable  # noqa: E402

from chainrule.backends.native import compile as native  # noqa: E402
from chainrule.backends.native.memory import Memory  # noqa: E402
from chainrule.calculus.reverse import derive  # noqa: E402
from chainrule.equations.evaluate import evaluate  # noqa: E402
from chainrule.equations.system import System  # noqa: E402
from strategies import Example, example  # noqa: E402


def systems(found: Example) -> list[System]:
    """The system, and with it its derivatives."""
    names = differentiable(found.system)
    return [found.system, derive(found.system, "C", names).system] if names else [found.system]


def difference(system: System, values: dict[str, Any], expected: dict[str, Any]) -> tuple[str, Memory]:
    """The tensors that are not what the evaluator says, and the plan of memory."""
    names = tuple(equation.name for equation in system.equations)
    state: dict[str, Any] = {tensor.name: values[tensor.name] for tensor in system.parameters}
    data = {name: value for name, value in values.items() if name not in state}
    program = native(system, names, "float64")
    bound = program.bind(state)
    wrong = []
    for how, found in (("", program.run(data, state)), (" bound", bound(data)), (" bound again", bound(data))):
        for name in names:
            scale = np.abs(expected[name]).max(initial=0.0)
            if not np.allclose(found[name], expected[name], rtol=1e-9, atol=1e-10 * scale + 1e-12):
                wrong.append(name + how)
    assert program._last is not None
    return ", ".join(wrong), program._last.memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first system")
    parser.add_argument("--only", type=int, help="print one system and try it alone")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count) if options.only is None else [options.only]
    begin, programs, failures, worst = time.perf_counter(), 0, 0, 1.0
    for seed in seeds:
        made = example(seed, long=seed % 2 == 1)
        if options.only is not None:
            print(made)
        for number, system in enumerate(systems(made)):
            expected = evaluate(system, made.values)
            for name, way in both_ways(seed):
                with way:
                    try:
                        wrong, memory = difference(system, made.values, expected)
                    except Exception as error:
                        wrong, memory = f"{type(error).__name__}: {error}", Memory()
                programs += 1
                worst = max(worst, memory.arena_bytes / max(memory.live_bytes, 1))
                if wrong:
                    failures += 1
                    print(f"system {seed}{' derived' if number else ''}, {name}: {wrong}", flush=True)
    taken = time.perf_counter() - begin
    print(f"{len(seeds)} systems, {programs} programs, {failures} wrong; memory at most {worst:.2f} of what is alive")
    print(f"{taken:.0f} s, {1000 * taken / programs:.0f} ms each with the evaluator")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
