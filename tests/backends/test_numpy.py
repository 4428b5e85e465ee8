"""What is said of NumPy code alone: what stands in it, and that it computes in the type that is asked for."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from tests.backends.cases import CASES, agree, example, split

from chainrule.backends.numpy import compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse


@pytest.mark.parametrize("token", [[0, 3, 2], [-1, 5, 2]])
def test_positions_are_checked_where_some_are_outside(token: list[int]) -> None:
    system = parse("integer token[b]\nparameter E[v,d]\ne[b,d] = E[token[b],d]")
    values = {"token": np.array(token)}
    state = {"E": np.random.default_rng(1).normal(size=(4, 2))}
    program = compile(system, ("e",), "float64")
    agree(program.run(values, state)["e"], evaluate(system, {**values, **state})["e"], "float64")
    assert ("gather(" in program.source) == (min(token) < 0)


def test_source_before_a_run() -> None:
    program = compile(
        parse("data x[b,i]\nparameter W[i,j]\nz[b,j] = sum[i](x[b,i]*W[i,j])\naxis i = 3, j = 2"), ("z",), "float32"
    )
    assert "z = x @ W" in program.source
    assert "# z[b,j] = sum[i](x[b,i]*W[i,j])" in program.source


@pytest.mark.parametrize("name", CASES)
def test_float32_stays(name: str) -> None:
    """No intermediate array of a float32 program is float64."""
    text, shapes = CASES[name]
    system = parse(text)
    values, state = split(system, example(system, shapes))
    outputs = tuple(equation.name for equation in system.equations)
    program = compile(system, outputs, "float32")
    program.run(values, state)
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
