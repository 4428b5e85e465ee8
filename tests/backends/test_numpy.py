"""The NumPy backend computes what the reference evaluator computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.backends.cases import CASES

from chainrule.backends import compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}


def example(system: System, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Values for what a system reads."""
    random = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for tensor in system.inputs:
        if tensor.name in shapes:
            shape = shapes[tensor.name]
            if tensor.role == "integer":
                values[tensor.name] = random.integers(0, 4, shape)
            else:
                values[tensor.name] = random.normal(size=shape)
    if "y" in values and system.input_by_name["y"].role == "data":
        values["y"] = np.abs(values["y"]) + 0.1
    return values


def split(system: System, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    state = {t.name for t in system.inputs if t.role in ("parameter", "state")}
    return {n: v for n, v in values.items() if n not in state}, {n: v for n, v in values.items() if n in state}


def agree(found: Any, expected: Any, dtype: str) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    if expected.dtype.kind == "i" and found.dtype.kind == "i":
        assert (found == expected).all()
        return
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, dtype: str) -> None:
    text, shapes = CASES[name]
    system = parse(text)
    values, state = split(system, example(system, shapes))
    outputs = tuple(equation.name for equation in system.equations)
    program = compile(system, outputs, dtype)
    found = program.run(values, state)
    expected = evaluate(system, {**values, **state})
    for output in outputs:
        try:
            agree(found[output], expected[output], dtype)
            if expected[output].dtype.kind == "f":
                assert found[output].dtype == dtype
        except AssertionError as error:
            raise AssertionError(f"{output}: {error}\n{program.source}") from None


@pytest.mark.parametrize("name", CASES)
def test_float32_stays(name: str) -> None:
    """No intermediate array of a float32 program is float64."""
    text, shapes = CASES[name]
    system = parse(text)
    values, state = split(system, example(system, shapes))
    outputs = tuple(equation.name for equation in system.equations)
    program = compile(system, outputs, "float32")
    program.run(values, state)
    import sys

    wide: list[str] = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith("<chainrule"):
            return None
        for local, value in frame.f_locals.items():
            if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float64:
                wide.append(local)
        return trace

    sys.settrace(trace)
    try:
        program.run(values, state)
    finally:
        sys.settrace(None)
    assert not wide, f"{sorted(set(wide))}\n{program.source}"
