"""Code for other machines: what this one can run of it is run, the rest is emitted.

``CHAINRULE_TARGET=portable pytest tests/backends tests/contracts/test_backends.py`` runs everything there is for the
smallest of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.backends.cases import CASES, example, split
from tests.backends.forced import Way, forced
from tests.backends.test_training_steps import ADAM, NETWORKS, SGD, training_step
from tests.backends.test_training_steps import example as training_example

from chainrule.backends.native import jit, memory, program_text, routines
from chainrule.backends.native.schedule import schedule
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import statements
from chainrule.backends.native.target import Target, foreign, host
from chainrule.backends.passes import prepared
from chainrule.equations.parse import parse
from chainrule.equations.sizes import axis_classes, solve_sizes
from chainrule.equations.system import System

ROOT = Path(__file__).resolve().parents[3]
MACHINES = {"aarch64": 183, "x86-64-v2": 62}  # and how an ELF object says so
FEATURES = {"avx512": "avx512f", "avx2": "avx2", "portable": "sse2"}


def machine_of(code: bytes) -> int:
    assert code[:4] == b"\x7fELF"
    return int.from_bytes(code[18:20], "little")


def program_for(
    target: Target, element: str, system: System, outputs: tuple[str, ...], shapes: dict[str, Any], stepped: set[str]
) -> str:
    """The text of a program for another machine."""
    system = prepared(system, outputs)
    sizes = dict(solve_sizes(system, {name: shape for name, shape in shapes.items() if name in system.input_by_name}))
    for axis, representative in axis_classes(system).items():
        if axis in sizes:
            sizes.setdefault(representative, sizes[axis])
    space = Space(system, sizes, element, target, {})
    wanted = {*outputs, *system.updates.values()}
    plan = schedule(space, statements(space, wanted), wanted)
    places = memory.plan(space, plan, outputs, system.updates)
    return program_text.write(space, plan, places, frozenset(stepped)).text


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    "routine", ["barrier", *(f"{name}_{size}" for name in routines._MAKERS for size in ("f32", "f64"))]
)
def test_routines(routine: str, machine: str) -> None:
    target = foreign(machine)
    name, _, size = routine.rpartition("_")
    made = routines._MAKERS[name](target, routines._ELEMENTS[size]) if name else routines.barrier.module(target)
    code = jit.emit_object(made.text, target)
    assert machine_of(code) == MACHINES[machine]
    assert routine.encode() in code


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("element", ["float", "double"])
@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps(name: str, element: str, machine: str) -> None:
    system = training_step(NETWORKS[name], ADAM if name == "dropout" else SGD)
    values, state, steps = training_example(system, 1, 20)
    shapes = {key: value.shape for key, value in (values | state).items()}
    shapes |= {key: value.shape[1:] for key, value in steps.items()}
    shapes |= {t.name: shapes[t.name[2:]] for t in system.inputs if t.role == "state" and t.name[2:] in shapes}
    target = foreign(machine)
    for way in (None, Way(threads=1)):
        if way is None:
            text = program_for(target, element, system, ("C",), shapes, set(steps))
        else:
            with forced(way):
                text = program_for(target, element, system, ("C",), shapes, set(steps))
        code = jit.emit_object(text, target)
        assert machine_of(code) == MACHINES[machine]
        assert b"run" in code


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", CASES)
def test_cases(name: str, machine: str) -> None:
    text, shapes = CASES[name]
    system = parse(text)
    data, state = split(system, example(system, shapes))
    known = {key: value.shape for key, value in (data | state).items()}
    outputs = tuple(equation.name for equation in system.equations)
    target = foreign(machine)
    code = jit.emit_object(program_for(target, "double", system, outputs, known, set()), target)
    assert machine_of(code) == MACHINES[machine]


def restricted() -> list[str]:
    """What this machine can be restricted to, other than what it is anyway."""
    from llvmlite import binding

    found = dict(binding.get_host_cpu_features())
    names = list(FEATURES) if binding.get_process_triple().startswith("x86_64") else []
    return [name for name in names if found.get(FEATURES[name]) and name != host().name]


@pytest.mark.parametrize("name", restricted())
def test_restricted(name: str) -> None:
    """The cases, some generated systems and some steps of training, without the instructions that it does not allow."""
    environment = {**os.environ, "CHAINRULE_TARGET": name}
    chosen = [
        "tests/backends/test_cases.py",
        "tests/backends/test_training_steps.py",
        "tests/backends/native/test_ways.py::test_the_ways_differ",
        *(f"tests/backends/native/test_ways.py::test_generated_systems[{seed}]" for seed in range(4)),
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *chosen]
    command += ["-k", "native"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    asked = [
        sys.executable,
        "-c",
        "from chainrule.backends.native.target import host; print(host().name, host().width)",
    ]
    said = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert said == [name, {"avx512": "64", "avx2": "32", "portable": "16"}[name]]
