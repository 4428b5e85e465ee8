"""Every backend computes what the reference evaluator computes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.backends.cases import CASES, agree, example, split

from chainrule.backends import BACKENDS, compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, dtype: str, backend: str) -> None:
    text, shapes = CASES[name]
    system = parse(text)
    values, state = split(system, example(system, shapes))
    outputs = tuple(equation.name for equation in system.equations)
    program = compile(system, outputs, dtype, backend)
    found = program.run(values, state)
    expected = evaluate(system, {**values, **state})
    for output in outputs:
        try:
            agree(found[output], expected[output], dtype)
            if expected[output].dtype.kind == "f":
                assert found[output].dtype == np.dtype(dtype)
        except AssertionError as error:
            raise AssertionError(f"{output}: {error}\n{program.source}") from None
