"""Bound programs that read positions in data: the arguments are kept, and every position is checked in every call."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.backends.native import compile
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse

TEXT = """
integer token[b,t]
parameter E[v,d], W[d,k]
e[b,t,d] = E[token[b,t],d]
a[b,d] = tanh(sum[t](e[b,t,d]))
s[b,k] = sum[d](a[b,d]*W[d,k])
"""


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_positions_of_later_calls(kind: type) -> None:
    """Also those outside, which the first call did not have: there E is 0."""
    system = parse(TEXT)
    random = np.random.default_rng(0)
    state = {"E": random.normal(size=(5, 4)), "W": random.normal(size=(4, 3))}
    bound = compile(system, ("s",), "float64").bind(state)
    for low, high in ((0, 5), (0, 5), (0, 9), (3, 100)):
        token = random.integers(low, high, (2, 6)).astype(kind)
        expected = evaluate(system, {**state, "token": token.astype(np.int64)})["s"]
        np.testing.assert_allclose(bound({"token": token})["s"], expected, atol=1e-12)
    assert len(bound._latest) == 1, "the arguments are not kept"


def test_many_positions() -> None:
    """More than are copied: they are read where they lie, whatever integers they are."""
    system = parse("integer token[b]\nparameter E[v]\ne[b] = E[token[b]]")
    state = {"E": np.arange(7.0)}
    bound = compile(system, ("e",), "float64").bind(state)
    for kind in (np.int64, np.int64, np.int16, np.int16):
        token = np.random.default_rng(0).integers(-3, 9, 20_000).astype(kind)
        expected = np.where((token >= 0) & (token < 7), token, 0)
        np.testing.assert_array_equal(bound({"token": token})["e"], expected)
