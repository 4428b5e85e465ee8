"""The contract of programs: what changes from step to step, what is replaced, what is refused."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from tests.backends.test_numpy import agree

from chainrule.backends import compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from strategies import Example, examples

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


def test_states_and_steps() -> None:
    """States start at their declared values; the arrays given stay as they are."""
    program = compile(parse(COUNTER), ("y", "old", "swap"), "float64")
    state: dict[str, Any] = {"s": np.ones(2)}
    given_array = state["s"]
    found = program.run({}, state, {"x": np.array([[1.0, 2.0], [3.0, 4.0]])})
    np.testing.assert_array_equal(found["old"], [[1, 1], [3, 4]])
    np.testing.assert_array_equal(found["swap"], [1, 12])
    np.testing.assert_array_equal(state["s"], [9, 12])
    np.testing.assert_array_equal(given_array, [1, 1])
    assert state["t"] == 2


def test_one_step_has_no_step_axis() -> None:
    program = compile(parse(COUNTER), ("old",), "float64")
    assert program.run({"x": np.ones(3)}, {})["old"].shape == (3,)


def test_randomness_goes_on() -> None:
    """Steps run together or one by one draw the same numbers; given numbers are used instead."""
    program = compile(parse(COUNTER), ("y",), "float32")
    x = np.ones((3, 4))
    together = program.run({}, {}, {"x": x}, seed=9, first_step=5)["y"]
    state: dict[str, Any] = {}
    for n in range(3):
        np.testing.assert_array_equal(program.run({"x": x[n]}, state, seed=9, first_step=5 + n)["y"], together[n])
    given_numbers = program.run({"x": x[0], "r": np.zeros(4)}, {})["y"]
    np.testing.assert_array_equal(given_numbers, np.ones(4))


def test_two_parameters_that_read_each_other() -> None:
    system = parse("parameter a[i], b[i]\na'[i] = b[i]\nb'[i] = a[i] + 1.0")
    state = {"a": np.array([1.0]), "b": np.array([2.0])}
    compile(system, (), "float64").run({}, state)
    assert (float(state["a"][0]), float(state["b"][0])) == (2.0, 2.0)


@pytest.mark.parametrize("token", [[0, 3, 2], [-1, 5, 2]])
def test_positions_outside_read_zero(token: list[int]) -> None:
    """Data that point outside get code that checks; data that do not get code that need not."""
    text = """
    integer token[b]
    parameter E[v,d]
    data g[b,d]
    e[b,d] = E[token[b],d]
    f[v,d] = sum[b](g[b,d]*[v = token[b]])
    """
    system = parse(text)
    for words in (4, 300):
        values = {"token": np.array(token), "g": np.random.default_rng(0).normal(size=(3, 2))}
        state = {"E": np.random.default_rng(1).normal(size=(words, 2))}
        if words == 300:
            values["token"] = np.array(token) * 299 // 5
        program = compile(system, ("e", "f"), "float64")
        found = program.run(values, state)
        expected = evaluate(system, {**values, **state})
        agree(found["e"], expected["e"], "float64")
        agree(found["f"], expected["f"], "float64")
        assert ("gather(" in program.source) == (min(values["token"]) < 0 or max(values["token"]) >= words)


def test_source_before_a_run() -> None:
    program = compile(parse("data x[b,i]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])\naxis i = 3, j = 2"), ("z",))
    assert "z = x @ W" in program.source
    assert "# z[b,j] = sum[i](x[b,i]*W[i,j])" in program.source


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: compile(parse(COUNTER), ("yy",)), "the system has no yy; did you mean y?"),
        (lambda: compile(parse(COUNTER), ("y",), "float16"), "dtype is float32 or float64"),
        (lambda: compile(parse(COUNTER), ("y",), backend="cuda"), "unknown backend cuda"),
        (lambda: compile(parse(COUNTER), ("y",)).run({}, {}), "no values given for data x"),
        (lambda: compile(parse(COUNTER), ("y",)).run({"x": [1.0, 2.0]}, {"s": [1.0]}), "axis i"),
        (
            lambda: compile(parse("integer n[b]\ny[b] = n[b]*2"), ("y",)).run({"n": [0.5]}, {}),
            "n must be whole numbers, not float64",
        ),
        (
            lambda: compile(parse("data x, y\nz = x + y"), ("z",)).run({}, {}, {"x": [1.0], "y": [1.0, 2.0]}),
            "different numbers of steps",
        ),
    ],
)
def test_refusals(change: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message.replace("?", r"\?")):
        change()


@settings(max_examples=60)
@given(examples())
def test_generated_systems_step_by_step(example: Example) -> None:
    """Inputs that change from step to step give what inputs that stay give."""
    inputs = {t.name: t.role for t in example.system.inputs}
    state = {name: value for name, value in example.values.items() if inputs[name] == "parameter"}
    steps = {name: value[None] for name, value in example.values.items() if name not in state}
    outputs = tuple(equation.name for equation in example.system.equations)
    found = compile(example.system, outputs, "float64").run({}, state, steps)
    expected = evaluate(example.system, example.values)
    for name in outputs:
        agree(found[name][0] if steps else found[name], expected[name], "float64")


@pytest.mark.parametrize("seed", range(60))
def test_next_values_in_any_order(seed: int) -> None:
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
    program = compile(system, ("x", "y"), "float64")
    for _ in range(2):
        found, values = program.run({}, state), evaluate(system, expected)
        expected = {name: values[name + "'"] for name in expected}
        for name in ("x", "y"):
            np.testing.assert_allclose(found[name], values[name], err_msg=program.source)
        for name, value in expected.items():
            np.testing.assert_allclose(state[name], value, err_msg=program.source)
