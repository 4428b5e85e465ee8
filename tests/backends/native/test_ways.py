"""The same system in every way in which it can be divided, packed and blocked, against the evaluator.

Thresholds are lowered so that small systems are treated as large ones are; ``python -m benchmarks.generated`` tries
many more.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tests.backends.cases import CASES, DENSE, agree, split
from tests.backends.cases import example as values_for
from tests.backends.forced import Way, both_ways, forced
from tests.backends.test_training_steps import ADAM, NETWORKS, SGD, check_training
from tests.cases import CASES as SYSTEMS
from tests.properties.test_generated import differentiable

from chainrule.backends.native import NativeProgram, compile
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from strategies import example

WAYS = {
    "one thread": Way(threads=1),
    "two threads": Way(threads=2, cores=2, block_bytes=1),
    "three threads": Way(threads=3, cores=5, shared=0, packing=False),
    "large blocks": Way(threads=2, cores=1, block_bytes=1 << 20, grain=True),
}
EACH_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def check(
    system: System, values: dict[str, Any], tolerance: float = 1e-9, seed: int = 0, bound: bool = False
) -> NativeProgram:
    """Every tensor of the system, compiled here, is what the evaluator says; ``bound``: called so, too."""
    names = tuple(equation.name for equation in system.equations)
    data, state = split(system, values)
    program = compile(system, names, "float64")
    expected = evaluate(system, values, seed=seed)
    found = program.run(data, state, seed=seed)
    if bound:
        call = program.bind(state)
        calls = [found, call(data), call(data)]
    else:
        calls = [found]
    for results in calls:
        for name in names:
            try:
                agree(results[name], expected[name], "float64", tolerance)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}\n{system}") from None
    return program


@pytest.mark.parametrize("seed", range(100))
def test_generated_systems(seed: int) -> None:
    found = example(seed, long=seed % 2 == 1)
    names = differentiable(found.system)
    systems = [found.system, derive(found.system, "C", names).system] if names else [found.system]
    for system in systems:
        for _, way in both_ways(seed):
            with way:
                check(system, found.values, bound=True)


@EACH_WAY
@pytest.mark.parametrize("name", CASES)
def test_cases(name: str, way: Way) -> None:
    text, shapes = CASES[name]
    system = parse(text)
    with forced(way):
        check(system, values_for(system, shapes), 1e-11)


@EACH_WAY
@pytest.mark.parametrize("name", SYSTEMS)
def test_derived_systems(name: str, way: Way) -> None:
    case = SYSTEMS[name]
    system = derive(case.system, "C", case.wrt).system
    with forced(way):
        check(system, dict(case.values), seed=3)


@EACH_WAY
@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps(name: str, way: Way) -> None:
    with forced(way):
        check_training(name, ADAM if name in ("dense", "dropout") else SGD, "float64", "native", batch=7)


def test_the_ways_differ() -> None:
    """What these tests stand on: the same step is serial by itself, and in these ways has everything there is."""
    system, values = _network()
    program = check(system, values)
    assert program._last is not None
    assert program._last.widest == 1
    assert all(region.serial for level in program._last.schedule.levels for region in level)
    seen: set[str] = set()
    for way in WAYS.values():
        with forced(way):
            program = compile(system, ("C", "∂W1"), "float64")
            program.run(*split(system, values))
        found = program._last
        assert found is not None
        for region, operation in found.schedule.operations():
            seen |= {"serial"} if region.serial else {"divided"}
            seen |= {"shards"} if region.shards > 1 else set()
            seen |= {"blocks"} if 0 < region.block < region.rows else set()
            seen |= {"share"} if operation.share else set()
            seen |= {operation.product.packing} if operation.product else set()
            seen |= {"packs"} if operation.packs else set()
        seen |= {"scratch"} if found.memory.local else set()
        seen |= {"registers"} if found.memory.registers else set()
    assert seen >= {
        "serial",
        "divided",
        "shards",
        "blocks",
        "share",
        "direct",
        "ahead",
        "packs",
        "scratch",
        "registers",
    }


def _network() -> tuple[System, dict[str, Any]]:
    system = derive(parse(DENSE), "C").system
    random = np.random.default_rng(0)
    sizes = {"i": 6, "j": 5, "k": 3, "b": 40}
    values: dict[str, Any] = {}
    for tensor in system.inputs:
        shape = tuple(sizes[axis] for axis in tensor.axes)
        values[tensor.name] = random.normal(size=shape)
    return system, values


@EACH_WAY
def test_no_way_depends_on_the_number_of_threads(way: Way) -> None:
    """Bit for bit."""
    system, values = _network()
    names = tuple(equation.name for equation in system.equations)
    data, state = split(system, values)
    results = []
    for threads in (1, 2, 3, 5):
        with forced(Way(**{**vars(way), "threads": threads})):
            results.append(compile(system, names, "float32").run(data, dict(state)))
    for one, other in pairwise(results):
        for name in names:
            np.testing.assert_array_equal(one[name], other[name])


# What was found in generated systems and is wrong no more.


def test_a_part_of_merged_axes() -> None:
    """A sum over three axes, the middle one divided: each shard adds its own positions only."""
    system = parse("data y[t,i,b]\nz[t,i,b] = 2*y[t,i,b]\nC = sum[t,i,b](z[t,i,b])")
    with forced(Way(threads=1)):
        found = compile(system, ("C",), "float64").run({"y": np.ones((2, 3, 2))}, {})
    assert found["C"] == 24


def test_a_recurrence_is_not_divided_along_its_own_axis() -> None:
    system = parse("data x[t]\na[t] = 2*x[t]\nh[t] = tanh(a[t] + h[t + 1])")
    with forced(Way(threads=1)):
        check(system, {"x": np.linspace(-1, 1, 4)})


def test_guards_of_merged_axes() -> None:
    """Where neighbouring axes are computed as one, the others are still checked against their own sizes."""
    check(parse("data x[b,j,t]\ny[b,j,t] = x[b,j,t + 1]"), {"x": np.arange(24.0).reshape(3, 4, 2)})
    system = parse("integer n[b,j]\ndata x[v,d]\ny[b,j,d] = x[n[b,j] + 1,d]")
    check(system, {"n": np.array([[0, 1, 2, 3], [4, 3, -1, 0]]), "x": np.arange(15.0).reshape(5, 3)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_are_divided_at_panels(dtype: str) -> None:
    """A packed matrix is read from the beginning of a panel, also in a region that something else has divided."""
    text = """
    data x[b,i]
    parameter W[i,j]
    u[j] = sum[i](W[i,j]^2)
    n = sum[j](u[j])
    v[j,i] = W[i,j]*n
    z[b,j] = sum[i](x[b,i]*W[i,j])
    """
    random = np.random.default_rng(0)
    x, W = random.normal(size=(256, 64)), random.normal(size=(64, 1000))
    found = compile(parse(text), ("v", "z"), dtype).run({"x": x}, {"W": W})
    np.testing.assert_allclose(found["z"], x @ W, atol=1e-9 if dtype == "float64" else 1e-4)


def test_one_matrix_read_two_ways() -> None:
    """W and its transpose are packed apart, though the axes have the same letters."""
    text = """
    data x[b,h]
    parameter W[h',h]
    z[b,h] = sum[h'](x[b,h']*W[h',h])
    y[b,h] = sum[h'](z[b,h']*W[h,h'])
    """
    random = np.random.default_rng(0)
    x, W = random.normal(size=(64, 128)), random.normal(size=(128, 128))
    found = compile(parse(text), ("y",), "float64").run({"x": x}, {"W": W})
    np.testing.assert_allclose(found["y"], x @ W @ W.T, atol=1e-9)


@pytest.mark.parametrize("columns", [31, 64, 150])
@pytest.mark.parametrize("way", ["one thread", "two threads"])
def test_sums_over_rows(columns: int, way: str) -> None:
    """Several vectors of columns at once, and what is left over; in shares, also along the second axis of memory."""
    text = """
    data x[t,b,k]
    integer n[t,b,k]
    s[k] = sum[b,t](x[t,b,k]*x[t,b,0])
    u[b,k] = sum[t](x[t,b,k])
    m[k] = max[t,b](x[t,b,k])
    l[k] = min[t,b](n[t,b,k])
    c[k] = sum[b](u[b,k])
    """
    random = np.random.default_rng(0)
    x, n = random.normal(size=(5, 6, columns)), random.integers(-9, 9, (5, 6, columns))
    with forced(WAYS[way]):
        check(parse(text), {"x": x, "n": n})


@pytest.mark.parametrize("way", WAYS)
def test_axes_written_out(way: str) -> None:
    """Statements of one axis more or less are one nest, in a recurrence as well; what is read a step later is kept."""
    text = """
    axis g = 3
    data x[t,b,g,k], y[b,k]
    z[t,b,g,k] = x[t,b,g,k]*2 + h[t-1,b,k]
    i[t,b,k] = sigmoid(z[t,b,0,k])
    h[t,b,k] = i[t,b,k]*z[t,b,2,k] + tanh(z[t,b,1,k])
    u[b,k] = y[b,k]^2
    v[b,g,k] = u[b,k]*[g = 1] + y[b,k]*(1 - [g = 0])*[2 = g] - y[b,k]*[g = 0]*u[b,k]
    w[b,k] = v[b,2,k] + u[b,k]
    C = sum[t,b,k](h[t,b,k]) + sum[b,k](w[b,k])
    """
    system = parse(text)
    random = np.random.default_rng(0)
    values = {"x": random.normal(size=(4, 5, 3, 11)), "y": random.normal(size=(5, 11))}
    with forced(WAYS[way]):
        check(system, values)
        found = compile(system, ("C",), "float64").run(values, {})
    np.testing.assert_allclose(found["C"], evaluate(system, values)["C"], rtol=1e-12)
