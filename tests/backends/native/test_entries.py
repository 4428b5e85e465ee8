"""A next value that differs at one position from the present one: only that position is computed where it can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.backends.forced import Way, forced

from chainrule.backends.native import NativeProgram, compile
from chainrule.equations.parse import parse

# Keys and values of attention, as generation keeps them; the position may be outside, and then nothing changes.
KEPT = parse("""
data x[b,d]
integer now
state k[b,t,d], v[b,t,d]
axis t = 12
k'[b,t,d] = where([t = now], x[b,d], k[b,t,d])
v'[b,t,d] = where([now = t], 2*x[b,d], v[b,t,d])
y[b,d] = sum[t](k'[b,t,d]*v'[b,t,d])
""")
# The whole of what is kept is needed after its next value is known, so that this has a place of its own.
READ_AFTER = parse("""
data x[d]
integer now
state k[t,d]
axis t = 12
k'[t,d] = where([t = now], x[d], k[t,d])
s[d] = sum[t](k'[t,d])
y[t,d] = k[t,d] + s[d]
""")
# Two positions: neither nest may be cut to one of them.
TWO = parse("""
data x[d]
integer now, later
state k[t,d], v[t,d]
axis t = 5
k'[t,d] = where([t = now], x[d], k[t,d])
v'[t,d] = where([t = later], x[d], v[t,d])
""")
NOW = np.array([3, 0, -1, 11, 12, 3])
WAYS = {
    "as it comes": None,
    "two threads": Way(threads=2, cores=2, block_bytes=1),
    "three threads": Way(threads=3, cores=5, packing=False),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    if request.param is None:
        yield
    else:
        with forced(request.param):
            yield


def kept(before: Any, new: Any, at: int) -> Any:
    after = np.array(before)
    if 0 <= at < after.shape[-2]:
        after[..., at, :] = new
    return after


@pytest.mark.usefixtures("way")
def test_positions_are_kept_one_after_the_other() -> None:
    random = np.random.default_rng(0)
    x, state = random.normal(size=(len(NOW), 2, 3)), {n: random.normal(size=(2, 12, 3)) for n in "kv"}
    k, v = state["k"], state["v"]
    found = compile(KEPT, ("y",), "float64").run({}, state, {"x": x, "now": NOW})["y"]
    for one, at, y in zip(x, NOW, found, strict=True):
        k, v = kept(k, one, at), kept(v, 2 * one, at)
        np.testing.assert_allclose(y, (k * v).sum(1), rtol=1e-14)
    np.testing.assert_array_equal(state["k"], k)
    np.testing.assert_array_equal(state["v"], v)


@pytest.mark.usefixtures("way")
def test_what_is_read_after_has_a_place_of_its_own() -> None:
    random = np.random.default_rng(0)
    x, state = random.normal(size=(len(NOW), 3)), {"k": random.normal(size=(12, 3))}
    k = state["k"]
    found = compile(READ_AFTER, ("y",), "float64").run({}, state, {"x": x, "now": NOW})["y"]
    for one, at, y in zip(x, NOW, found, strict=True):
        before, k = k, kept(k, one, at)
        np.testing.assert_allclose(y, before + k.sum(0), rtol=1e-14)
    np.testing.assert_array_equal(state["k"], k)


@pytest.mark.usefixtures("way")
def test_two_positions_in_one_nest() -> None:
    random = np.random.default_rng(0)
    x, state = random.normal(size=(len(NOW), 3)), {n: random.normal(size=(5, 3)) for n in "kv"}
    k, v = state["k"], state["v"]
    compile(TWO, (), "float64").run({}, state, {"x": x, "now": NOW, "later": NOW[::-1]})
    for one, now, later in zip(x, NOW, NOW[::-1], strict=True):
        k, v = kept(k, one, now), kept(v, one, later)
    np.testing.assert_array_equal(state["k"], k)
    np.testing.assert_array_equal(state["v"], v)


def test_only_the_position_is_computed() -> None:
    program = compile(KEPT, ("y",), "float64")
    assert isinstance(program, NativeProgram)
    values = {"x": np.ones((2, 3)), "now": 3}
    program.run(values, {})
    assert program._last is not None
    (name,) = {kernel for kernel, what in program._last.text.kernels if "k'[b,t,d] = where" in what}
    text = program.source
    head = text[text.index(f" @{name}(") :].partition("{")[0]
    assert head.count("i64") == 2  # the part of t
