"""Where tensors lie: little memory beside what is alive at once, and nothing on top of anything that is still read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.determinism import NETWORKS as LARGE
from benchmarks.determinism import step
from tests.backends.cases import CASES, example, split
from tests.backends.forced import both_ways
from tests.backends.native.test_ways import check
from tests.backends.test_training_steps import NETWORKS, SGD, training_step
from tests.backends.test_training_steps import example as training_example
from tests.cases import CASES as SYSTEMS
from tests.contracts.catalogue import items
from tests.contracts.test_backends import FAMILIES, data_for, step_with

from chainrule.backends.native import compile
from chainrule.backends.native.memory import LINE, OUTPUT, Memory
from chainrule.backends.native.program import Variant
from chainrule.calculus.reverse import derive
from chainrule.definition import Definition
from chainrule.equations.parse import parse
from chainrule.equations.system import System

# A plan may take a tenth more than what is alive at once; with a few tensors of a few bytes, some lines of the cache.
MARGIN, LINES = 1.1, 3


def plan(system: System, outputs: tuple[str, ...], values: dict[str, Any], **more: Any) -> Variant:
    program = compile(system, outputs, "float32")
    data, state = split(system, values)
    program.run(data, state, **more)
    assert program._last is not None
    return program._last


def is_tight(memory: Memory) -> bool:
    return memory.live_bytes <= memory.arena_bytes <= max(MARGIN * memory.live_bytes, memory.live_bytes + LINES * LINE)


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    text, shapes = CASES[name]
    system = parse(text)
    for _, way in both_ways(0):
        with way:
            outputs = tuple(equation.name for equation in system.equations[::2])
            assert is_tight(plan(system, outputs, example(system, shapes)).memory)


@pytest.mark.parametrize("name", SYSTEMS)
def test_derived_systems(name: str) -> None:
    case = SYSTEMS[name]
    log = derive(case.system, "C", case.wrt)
    for _, way in both_ways(1):
        with way:
            assert is_tight(plan(log.system, tuple(log.gradients.values()), dict(case.values)).memory)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps(name: str) -> None:
    system = training_step(NETWORKS[name], SGD)
    values, state, steps = training_example(system, 2, 64)
    for _, way in both_ways(2):
        with way:
            memory = plan(system, ("C",), {**values, **state}, steps=steps).memory
            assert memory.arena_bytes <= MARGIN * memory.live_bytes


@pytest.mark.parametrize(
    "item", [item for family in FAMILIES for item in items(family)], ids=lambda item: type(item).__name__
)
def test_vocabulary(item: Definition) -> None:
    made = step_with(item)
    program = compile(made.system, (made.cost,), "float32")
    state = compile(made.initialization, tuple(t.name for t in made.parameters), "float32").run({}, {}, seed=1)
    program.run({**data_for(made, item), "rows": np.arange(9), "η": 0.1}, dict(state))
    assert program._last is not None
    assert is_tight(program._last.memory)


@pytest.mark.parametrize("name", LARGE)
def test_large_networks(name: str) -> None:
    units, batch = LARGE[name]
    made = step(units)
    random = np.random.default_rng(0)
    data = {"X": random.normal(size=(batch, units[0])), "T": random.integers(0, units[-1], batch)}
    data |= {key: np.array(value) for key, value in made.constants.items()}
    state = compile(made.initialization, tuple(t.name for t in made.parameters), "float32").run({}, {}, seed=1)
    program = compile(made.system, (made.cost,), "float32")
    program.run({**data, "rows": np.arange(batch), "η": 0.1}, dict(state))
    assert program._last is not None
    memory = program._last.memory
    assert memory.arena_bytes <= MARGIN * memory.live_bytes
    whole = sum(program._last.space.elements(t.name) * 4 for t in made.parameters)
    activations = batch * sum(units) * 4
    assert memory.arena_bytes + memory.local_bytes <= 2 * (whole + 3 * activations)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_overlaps(name: str) -> None:
    """Tensors that are alive at the same time lie apart, as the schedule has it."""
    system = training_step(NETWORKS[name], SGD)
    values, state, steps = training_example(system, 2, 20)
    for _, way in both_ways(3):
        with way:
            variant = plan(system, ("C",), {**values, **state}, steps=steps)
        memory, space = variant.memory, variant.space
        spans: dict[str, tuple[int, int]] = {}
        for moment, level in enumerate(variant.schedule.levels):
            for region in level:
                for number, operation in enumerate(region.operations):
                    alone = len(level) == 1 and region.serial
                    now = 1000 * moment + (number if alone else 0)
                    last = now if alone else 1000 * moment + 999
                    for tensor in (*operation.reads, *operation.writes):
                        where = memory.place(tensor)
                        if where in memory.arena and tensor not in memory.registers:
                            first, until = spans.get(where, (now, last))
                            spans[where] = (min(first, now), max(until, last))
        assert spans.keys() == memory.arena.keys()
        bytes_of = {tensor: 0 for tensor in spans}
        for tensor in space.tensors:
            where = memory.place(tensor)
            if where in bytes_of:
                width = 8 if space.tensors[tensor].element == "i64" else 4
                bytes_of[where] = max(bytes_of[where], space.elements(tensor) * width)
        for one in spans:
            assert memory.arena[one] % LINE == 0
            assert memory.arena[one] + bytes_of[one] <= memory.arena_bytes
            for other in spans:
                if one < other and spans[one][0] <= spans[other][1] and spans[other][0] <= spans[one][1]:
                    apart = memory.arena[one] + bytes_of[one] <= memory.arena[other]
                    apart = apart or memory.arena[other] + bytes_of[other] <= memory.arena[one]
                    assert apart, f"{one} and {other}"


def test_a_step_in_place() -> None:
    """Plain gradient descent keeps no second copy of a large matrix."""
    system = parse("parameter W[i,j]\ndata η, x[i], d[j]\nW'[i,j] = W[i,j] - η*x[i]*d[j]")
    values = {"W": np.ones((300, 200)), "η": np.array(0.1), "x": np.ones(300), "d": np.ones(200)}
    memory = plan(system, (), values).memory
    assert memory.same["W'"] == "W"
    assert memory.arena_bytes == 0
    assert not memory.copies


def test_an_output_is_computed_where_it_is_returned() -> None:
    system = parse("data x[i,j]\ny[i,j] = 2*x[i,j]\nz[i,j] = y[i,j] + 1")
    memory = plan(system, ("y", "z"), {"x": np.ones((30, 30))}).memory
    assert memory.same["y"] == OUTPUT + "y"
    assert memory.arena_bytes == 0


def test_a_swap_is_not_done_in_place() -> None:
    """Where each next value reads the other's present one, at least one of them waits in a place of its own."""
    system = parse("parameter a[i,j], b[i,j]\na'[i,j] = b[j,i]\nb'[i,j] = a[j,i]")
    random = np.random.default_rng(0)
    check(system, {"a": random.normal(size=(20, 20)), "b": random.normal(size=(20, 20))})
    state: dict[str, Any] = {"a": random.normal(size=(5, 5)), "b": random.normal(size=(5, 5))}
    a, b = state["a"], state["b"]
    compile(system, (), "float64").run({}, state)
    np.testing.assert_array_equal(state["a"], b.T)
    np.testing.assert_array_equal(state["b"], a.T)
