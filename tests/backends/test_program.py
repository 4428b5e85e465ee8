"""The contract of programs: what changes from step to step, what is replaced, what is refused."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from tests.backends.cases import agree

from chainrule.backends import BACKENDS, compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from strategies import Example, examples

EACH = pytest.mark.parametrize("backend", BACKENDS)

COUNTER = """
data x[i]
state s[i] = 1, t = 0
random r[i] ~ uniform
y[i] = s[i] + x[i]*r[i]
s'[i] = 2*s[i] + x[i]
t' = t + 1
old[i] = s[i]
swap = t*10 + t'
"""


@EACH
def test_states_and_steps(backend: str) -> None:
    """States start at their declared values; the arrays given stay as they are."""
    program = compile(parse(COUNTER), ("y", "old", "swap"), "float64", backend)
    state: dict[str, Any] = {"s": np.ones(2)}
    given_array = state["s"]
    found = program.run({}, state, {"x": np.array([[1.0, 2.0], [3.0, 4.0]])})
    np.testing.assert_array_equal(found["old"], [[1, 1], [3, 4]])
    np.testing.assert_array_equal(found["swap"], [1, 12])
    np.testing.assert_array_equal(state["s"], [9, 12])
    np.testing.assert_array_equal(given_array, [1, 1])
    assert state["t"] == 2


@EACH
def test_one_step_has_no_step_axis(backend: str) -> None:
    program = compile(parse(COUNTER), ("old",), "float64", backend)
    assert program.run({"x": np.ones(3)}, {})["old"].shape == (3,)


@EACH
def test_randomness_goes_on(backend: str) -> None:
    """Steps run together or one by one draw the same numbers; given numbers are used instead."""
    program = compile(parse(COUNTER), ("y",), "float32", backend)
    x = np.ones((3, 4))
    together = program.run({}, {}, {"x": x}, seed=9, first_step=5)["y"]
    state: dict[str, Any] = {}
    for n in range(3):
        np.testing.assert_array_equal(program.run({"x": x[n]}, state, seed=9, first_step=5 + n)["y"], together[n])
    given_numbers = program.run({"x": x[0], "r": np.zeros(4)}, {})["y"]
    np.testing.assert_array_equal(given_numbers, np.ones(4))


@EACH
def test_two_parameters_that_read_each_other(backend: str) -> None:
    system = parse("parameter a[i], b[i]\na'[i] = b[i]\nb'[i] = a[i] + 1.0")
    state = {"a": np.array([1.0]), "b": np.array([2.0])}
    compile(system, (), "float64", backend).run({}, state)
    assert (float(state["a"][0]), float(state["b"][0])) == (2.0, 2.0)


@pytest.mark.parametrize("token", [[0, 3, 2], [-1, 5, 2]])
@pytest.mark.parametrize("words", [4, 300])
@EACH
def test_positions_outside_read_zero(backend: str, words: int, token: list[int]) -> None:
    """Data that point outside get code that checks; data that do not get code that need not."""
    text = """
    integer token[b]
    parameter E[v,d]
    data g[b,d]
    e[b,d] = E[token[b],d]
    f[v,d] = sum[b](g[b,d]*[v = token[b]])
    """
    system = parse(text)
    generator = np.random.default_rng(0)
    positions = np.array(token) if words == 4 else np.array(token) * 299 // 5
    values = {"token": positions, "g": generator.normal(size=(3, 2))}
    state = {"E": generator.normal(size=(words, 2))}
    found = compile(system, ("e", "f"), "float64", backend).run(values, state)
    expected = evaluate(system, {**values, **state})
    agree(found["e"], expected["e"], "float64")
    agree(found["f"], expected["f"], "float64")


@pytest.mark.parametrize("words", [4, 300])
@EACH
def test_one_program_for_positions_inside_and_outside(backend: str, words: int) -> None:
    """Code made for positions that are all inside is not used where some are not."""
    system = parse("integer token[b]\nparameter E[v,d]\ne[b,d] = E[token[b],d]")
    program = compile(system, ("e",), "float64", backend)
    state = {"E": np.random.default_rng(0).normal(size=(words, 2))}
    for token in ([0, 1, 2], [0, words - 1, -1], [words, 0, 1], [2, 1, 0]):
        values = {"token": np.array(token)}
        agree(program.run(values, state)["e"], evaluate(system, {**values, **state})["e"], "float64")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda backend: compile(parse(COUNTER), ("yy",), backend=backend), "the system has no yy; did you mean y?"),
        (lambda backend: compile(parse(COUNTER), ("y",), "float16", backend), "dtype is float32 or float64"),
        (lambda backend: compile(parse(COUNTER), ("y",), backend=backend + "s"), "unknown backend"),
        (lambda backend: compile(parse(COUNTER), ("y",), backend=backend).run({}, {}), "no values given for data x"),
        (
            lambda backend: compile(parse(COUNTER), ("y",), backend=backend).run({"x": [1.0, 2.0]}, {"s": [1.0]}),
            "axis i",
        ),
        (
            lambda backend: compile(parse("integer n[b]\ny[b] = n[b]*2"), ("y",), backend=backend).run(
                {"n": [0.5]}, {}
            ),
            "n must be whole numbers, not float64",
        ),
        (
            lambda backend: compile(parse("data x, y\nz = x + y"), ("z",), backend=backend).run(
                {}, {}, {"x": [1.0], "y": [1.0, 2.0]}
            ),
            "different numbers of steps",
        ),
    ],
)
@EACH
def test_refusals(backend: str, change: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message.replace("?", r"\?")):
        change(backend)


@EACH
@settings(max_examples=60)
@given(example=examples())
def test_generated_systems_step_by_step(backend: str, example: Example) -> None:
    """Inputs that change from step to step give what inputs that stay give."""
    inputs = {t.name: t.role for t in example.system.inputs}
    state = {name: value for name, value in example.values.items() if inputs[name] == "parameter"}
    steps = {name: value[None] for name, value in example.values.items() if name not in state}
    outputs = tuple(equation.name for equation in example.system.equations)
    found = compile(example.system, outputs, "float64", backend).run({}, state, steps)
    expected = evaluate(example.system, example.values)
    for name in outputs:
        agree(found[name][0] if steps else found[name], expected[name], "float64")


@pytest.mark.parametrize("seed", range(60))
@EACH
def test_next_values_in_any_order(backend: str, seed: int) -> None:
    """Next values may stand anywhere and read each other, old and new, in whatever order they are written."""
    random = Random(seed)
    reads = [f"{name}[i]" for name in "abcd"]
    lines = ["parameter a[i], b[i], c[i], d[i]"]
    for target in random.sample(["a'", "b'", "c'", "d'", "x", "y"], 6):
        some = random.choices(reads, k=random.randint(1, 3))
        form = random.choice((" + ", "*", " - 0.5*", ""))
        lines.append(f"{target}[i] = {form.join(some) if form else some[0]}")
        reads.append(f"{target}[i]")
    system = parse("\n".join(lines))
    state: dict[str, Any] = {name: np.random.default_rng(ord(name)).normal(size=3) / 2 for name in "abcd"}
    expected: dict[str, Any] = dict(state)
    program = compile(system, ("x", "y"), "float64", backend)
    for _ in range(2):
        found, values = program.run({}, state), evaluate(system, expected)
        expected = {name: values[name + "'"] for name in expected}
        for name in ("x", "y"):
            np.testing.assert_allclose(found[name], values[name], err_msg=program.source)
        for name, value in expected.items():
            np.testing.assert_allclose(state[name], value, err_msg=program.source)
