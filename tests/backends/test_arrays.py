"""Whatever arrays come in, in whatever order and number: what comes out is new, and what came in stays as it was."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import numpy as np
import pytest
from tests.backends.test_training_steps import ADAM, NETWORKS, SGD, training_step
from tests.backends.test_training_steps import example as example_of

from chainrule.backends import BACKENDS, compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse

EACH = pytest.mark.parametrize("backend", BACKENDS)
LAYER = """
data x[b,i]
parameter W[i,j], β[j]
z[b,j] = sum[i](x[b,i]*W[i,j]) + β[j]
a[b,j] = relu(z[b,j])
C = sum[b,j](a[b,j]^2)
"""


def layer(rows: int, inputs: int = 5, units: int = 3) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(rows)
    return random.normal(size=(rows, inputs)), random.normal(size=(inputs, units)), random.normal(size=units)


def expected_of(x: Any, W: Any, β: Any) -> Any:
    return np.maximum(np.asarray(x, float) @ np.asarray(W, float) + np.asarray(β, float), 0)


KINDS: dict[str, Any] = {
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "float64": lambda x: x,
    "other byte order": lambda x: x.astype(">f8"),
    "int64": lambda x: np.round(3 * x).astype(np.int64),
    "uint8": lambda x: np.round(3 * abs(x)).astype(np.uint8),
    "bool": lambda x: x > 0,
    "list": lambda x: x.tolist(),
    "fortran": np.asfortranarray,
    "turned": lambda x: x.T.copy().T,
    "strided": lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "between others": lambda x: np.pad(x, 2)[(slice(2, -2),) * x.ndim],
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "unaligned": lambda x: np.frombuffer(b"-" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(x.shape),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@EACH
def test_kinds_of_arrays(backend: str, dtype: str, kind: str) -> None:
    """As data, as parameters, and step by step; read-only, too."""
    x, W, β = (KINDS[kind](array) for array in layer(7))
    for array in (x, W, β):
        if isinstance(array, np.ndarray) and array.base is None:
            array.flags.writeable = False
    program = compile(parse(LAYER), ("a",), dtype, backend)
    tolerance = 1e-11 if dtype == "float64" else 3e-5
    expected = expected_of(x, W, β)
    found = program.run({"x": x}, {"W": W, "β": β})["a"]
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=10 * tolerance)
    steps = {"x": [x, x] if kind == "list" else np.stack([x, x])}
    found = program.run({}, {"W": W, "β": β}, steps)["a"]
    np.testing.assert_allclose(found, [expected, expected], rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("list",)])
@EACH
def test_kinds_of_states(backend: str, kind: str) -> None:
    """The next value is a new array; the one given stays, whatever it looks like in memory."""
    system = parse("parameter W[i,j]\ndata x[i]\nW'[i,j] = W[i,j] + x[i]")
    start = KINDS[kind](layer(1)[1])
    before = np.array(start, copy=True)
    state: dict[str, Any] = {"W": start}
    compile(system, (), "float64", backend).run({"x": np.ones(5)}, state)
    np.testing.assert_allclose(state["W"], before.astype(float) + 1)
    np.testing.assert_array_equal(start, before)
    assert not np.shares_memory(state["W"], start)
    state["W"][0, 0] = 7  # it belongs to the caller


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", "bool", "strided", "backwards"])
@EACH
def test_kinds_of_integers(backend: str, kind: str) -> None:
    n = np.array([1, 0, 1, 1, 0, 1, 0])
    given = {"strided": np.repeat(n, 2)[::2], "backwards": n[::-1].copy()[::-1]}.get(kind)
    given = n.astype(kind) if given is None else given
    system = parse("integer n[b]\ndata x[v]\ny[b] = x[n[b]]\nm[b] = n[b] - 2")
    found = compile(system, ("y", "m"), "float64", backend).run({"n": given, "x": np.array([5.0, 6.0])}, {})
    np.testing.assert_array_equal(found["y"], n + 5)
    np.testing.assert_array_equal(found["m"], n - 2)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 13, 14, 15, 17, 31, 33, 100, 257])
@pytest.mark.parametrize("sizes", [(1, 1), (5, 3), (17, 9), (33, 31)])
@EACH
def test_numbers_of_rows(backend: str, sizes: tuple[int, int], rows: int) -> None:
    x, W, β = layer(rows, *sizes)
    found = compile(parse(LAYER), ("a", "C"), "float64", backend).run({"x": x}, {"W": W, "β": β})
    expected = expected_of(x, W, β)
    np.testing.assert_allclose(found["a"], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["C"], (expected**2).sum(), rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
@EACH
def test_one_program_for_many_numbers_of_rows(backend: str, name: str) -> None:
    system = training_step(NETWORKS[name], SGD)
    values, state, _ = example_of(system, 1, 4)
    program = compile(system, ("C",), "float64", backend)
    for rows in (5, 1, 12, 0, 5):
        data = {**values, "rows": np.arange(rows), "η": 0.1}
        found = program.run(data, dict(state))["C"]
        with np.errstate(all="ignore"):
            expected = evaluate(system, {**data, **state})["C"]
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@EACH
def test_no_steps(backend: str) -> None:
    """Nothing is done in no steps."""
    system = parse("data x[i]\nstate s[i] = 1\ny[i] = x[i] + s[i]\ns'[i] = y[i]")
    state: dict[str, Any] = {"s": np.full(3, 2.0)}
    found = compile(system, ("y",), "float64", backend).run({}, state, {"x": np.empty((0, 3))})
    assert found["y"].shape == (0, 3)
    np.testing.assert_array_equal(state["s"], [2, 2, 2])


@EACH
def test_one_array_given_twice(backend: str) -> None:
    system = parse("data x[i], y[i]\nparameter a[i], b[i]\nz[i] = x[i]*y[i]\na'[i] = a[i] + x[i]\nb'[i] = b[i] - a[i]")
    same = np.array([1.0, 2.0, 3.0])
    state: dict[str, Any] = {"a": same, "b": same}
    found = compile(system, ("z",), "float64", backend).run({"x": same, "y": same}, state)
    np.testing.assert_array_equal(found["z"], same * same)
    np.testing.assert_array_equal(state["a"], [2, 4, 6])
    np.testing.assert_array_equal(state["b"], [0, 0, 0])
    np.testing.assert_array_equal(same, [1, 2, 3])


@EACH
def test_outputs_that_are_inputs_and_next_values(backend: str) -> None:
    """A value before it is replaced, the one that replaces it, and what reads both."""
    text = """
    data x[i]
    parameter a[i]
    state t = 3
    early[i] = a[i]*10
    a'[i] = a[i] + x[i]
    late[i] = a[i] + 100*a'[i]
    t' = t + 1
    """
    outputs = ("x", "a", "a'", "early", "late", "t", "t'", "a")
    program = compile(parse(text), outputs, "float64", backend)
    x, a = np.arange(20.0), np.linspace(1, 2, 20)
    state: dict[str, Any] = {"a": a}
    for steps in (None, {"x": np.stack([x, -x, 2 * x])}):
        state = {"a": a}
        found = program.run({} if steps else {"x": x}, state, steps)
        now, t = a, 3.0
        for n, moved in enumerate(steps["x"] if steps else [x]):
            at = (lambda value, n=n: value[n]) if steps else (lambda value: value)
            np.testing.assert_array_equal(at(found["x"]), moved)
            np.testing.assert_array_equal(at(found["a"]), now)
            np.testing.assert_array_equal(at(found["a'"]), now + moved)
            np.testing.assert_array_equal(at(found["early"]), now * 10)
            np.testing.assert_allclose(at(found["late"]), now + 100 * (now + moved))
            assert (at(found["t"]), at(found["t'"])) == (t, t + 1)
            now, t = now + moved, t + 1
        np.testing.assert_array_equal(state["a"], now)
        for name in outputs:
            assert not np.shares_memory(found[name], state["a"])
            assert not np.shares_memory(found[name], x)


@EACH
def test_results_belong_to_the_caller(backend: str) -> None:
    """Later runs do not change what earlier ones gave."""
    x, W, β = layer(6)
    program = compile(parse(LAYER), ("z", "a"), "float64", backend)
    one = program.run({"x": x}, {"W": W, "β": β})
    kept = {name: value.copy() for name, value in one.items()}
    two = program.run({"x": -x}, {"W": W, "β": β})
    for name in kept:
        np.testing.assert_array_equal(one[name], kept[name])
        assert not np.shares_memory(one[name], two[name])
        one[name][...] = 0


@EACH
def test_sizes_of_what_is_not_read(backend: str) -> None:
    """An axis has its size from an input that the outputs do not read."""
    text = "integer token[b]\nparameter E[v,d]\ndata g[b]\ne[b,d] = E[token[b],d]\na[v] = sum[b](g[b]*[token[b] = v])"
    program = compile(parse(text), ("a",), "float64", backend)
    for words in (3, 7):
        found = program.run({"token": [0, 2, 2], "g": np.ones(3)}, {"E": np.ones((words, 2))})["a"]
        np.testing.assert_array_equal(found, [1, 0, 2] + [0] * (words - 3))


@EACH
def test_what_the_system_does_not_have_is_ignored(backend: str) -> None:
    x, W, β = layer(4)
    state: dict[str, Any] = {"W": W, "β": β, "other": np.ones(2)}
    found = compile(parse(LAYER), ("a",), "float64", backend).run({"x": x, "unknown": np.ones((9, 9))}, state)
    np.testing.assert_allclose(found["a"], expected_of(x, W, β), atol=1e-12)
    assert state["other"].tolist() == [1, 1]


@pytest.mark.parametrize("rule", [SGD, ADAM], ids=["sgd", "adam"])
@EACH
def test_one_program_in_several_threads(backend: str, rule: str) -> None:
    """Runs at the same time do not disturb each other."""
    system = training_step(NETWORKS["dropout"], rule)
    program = compile(system, ("C",), "float64", backend)
    values, state, steps = example_of(system, 200, 5)

    def run(seed: int) -> tuple[Any, dict[str, Any]]:
        own = {name: value * (1 + seed / 10) for name, value in state.items()}
        return program.run(values, own, steps, seed=seed)["C"], own

    expected = [run(seed) for seed in range(4)]
    found: list[Any] = [None] * 4
    begin = threading.Barrier(4)

    def work(seed: int) -> None:
        begin.wait()
        for _ in range(5):
            found[seed] = run(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for (costs, own), (now, then) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(costs, now)
        for name in own:
            np.testing.assert_array_equal(own[name], then[name])


@EACH
def test_a_run_within_a_run(backend: str) -> None:
    """What stands for an array may run the same program when it is asked for its numbers."""
    x, W, β = layer(4)
    program = compile(parse(LAYER), ("a",), "float64", backend)

    class Late:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            inner = program.run({"x": -x}, {"W": W, "β": β})["a"]
            np.testing.assert_allclose(inner, expected_of(-x, W, β), atol=1e-12)
            return x

    for _ in range(2):
        found = program.run({"x": Late()}, {"W": W, "β": β})["a"]
        np.testing.assert_allclose(found, expected_of(x, W, β), atol=1e-12)


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timer there")
@EACH
def test_interrupted(backend: str) -> None:
    """Ctrl-C in the middle of a run: the state is what it was, and the program can be run again."""
    system = training_step(NETWORKS["dense"], SGD)
    values, state, steps = example_of(system, 2, 5)
    program = compile(system, ("C",), "float64", backend)
    before = {name: (value, value.copy()) for name, value in state.items()}
    program.run(values, dict(state), steps)
    many = {name: np.repeat(value, 200_000, axis=0) for name, value in steps.items()}
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.15, 1.0)  # again, where a finalizer has swallowed it
            program.run(values, state, many)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert state.keys() == before.keys()
    for name, (array, numbers) in before.items():
        assert state[name] is array
        np.testing.assert_array_equal(array, numbers)
    one, other = dict(state), dict(state)
    np.testing.assert_array_equal(
        program.run(values, one, steps)["C"], compile(system, ("C",), "float64", backend).run(values, other, steps)["C"]
    )
