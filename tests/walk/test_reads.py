"""What an element came from and what it feeds, against every read of every element gone through one by one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings

from cases import CASES, Case
from chainrule.calculus.derivation import Log
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate, values_at
from chainrule.equations.node import Access, base_axis
from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.equations.walk import free_axes, occurrences
from chainrule.walk import Walk, exact_value, magnitude
from chainrule.walk.reads import read_count
from strategies import Example, examples

Place = tuple[str, tuple[int, ...]]


def walk_of(system: System, values: dict[str, np.ndarray], log: Log | None = None) -> Walk:
    last = system.equations[-1].name
    return Walk(system, log or Log(system, last, {}, (), {}, ()), evaluate(system, values), last)


def all_reads(walk: Walk) -> dict[Place, set[Place]]:
    """Element → the elements of equations that read it, by trying every value of every axis of every read."""
    found: dict[Place, set[Place]] = defaultdict(set)
    for equation in walk.system.equations:
        for _, node, bound in occurrences(equation.expression):
            if not isinstance(node, Access):
                continue
            axes = tuple(dict.fromkeys([*(a for a in equation.axes if a not in bound), *sorted(free_axes(node))]))
            sizes = {axis: walk.sizes[axis] if axis in walk.sizes else walk.sizes[base_axis(axis)] for axis in axes}
            shape = walk.values[node.tensor].shape
            for point in itertools.product(*(range(sizes[axis]) for axis in axes)):
                at = dict(zip(axes, point, strict=True))
                place = tuple(int(values_at(i, (), at, walk.values, walk.sizes)) for i in node.indices)
                if all(0 <= p < n for p, n in zip(place, shape, strict=True)):
                    hidden = [axis for axis in equation.axes if axis in bound]
                    for others in itertools.product(*(range(walk.sizes[axis]) for axis in hidden)):
                        left = at | dict(zip(hidden, others, strict=True))
                        reader = (equation.name, tuple(left[axis] for axis in equation.axes))
                        found[node.tensor, place].add(reader)
    return found


def elements(walk: Walk, most: int) -> Iterator[Place]:
    """Some elements of every quantity, spread over it."""
    for quantity in walk.quantities:
        places = list(np.ndindex(quantity.shape))
        yield from ((quantity.name, place) for place in places[:: max(1, len(places) // most)])


def check(walk: Walk, most: int = 4) -> None:
    known = all_reads(walk)
    for name, place in elements(walk, most):
        element = walk.element(name, place)
        fed = known[name, place]
        counts = {feed.tensor: feed.count for feed in element.feeds}
        assert counts == {t: sum(1 for reader, _ in fed if reader == t) for t in {reader for reader, _ in fed}}, name
        for feed in element.feeds:
            assert {(p.tensor, p.position) for p in feed.places} <= fed
            assert len(set(feed.places)) == min(feed.count, 12)
            assert all(walk.values[p.tensor][p.position] == p.value for p in feed.places)
        for read in element.reads:
            assert (name, place) in known[read.tensor, read.position], (name, place, read)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_cases_and_their_derivatives(case: Case) -> None:
    log = derive(case.system, "C")
    check(walk_of(log.system, case.values, log), 3)


@settings(max_examples=40)
@given(examples())
def test_generated_systems(example: Example) -> None:
    check(walk_of(example.system, example.values))


@settings(max_examples=40)
@given(examples())
def test_printed_arithmetic_gives_the_value(example: Example) -> None:
    walk = walk_of(example.system, example.values)
    for name, place in elements(walk, 3):
        element = walk.element(name, place)
        text = element.exact()
        assert exact_value(text) == pytest.approx(element.value, rel=1e-9, abs=1e-9 * magnitude(text)), text


def test_one_tensor_read_in_two_ways() -> None:
    walk = walk_of(parse("data x[i]\ns[i,j] = x[i]*x[j]"), {"x": np.arange(1.0, 5.0)})  # j has the size of i
    (feed,) = walk.element("x", [1]).feeds
    assert feed.count == 7
    assert {place.position for place in feed.places} == {(1, j) for j in range(4)} | {(i, 1) for i in range(4)}


def test_all_that_is_summed_is_read() -> None:
    walk = walk_of(parse("data x[i], W[i,j]\nz[j] = sum[i](x[i]*W[i,j])"), {"x": np.ones(9), "W": np.ones((9, 2))})
    whole = walk.element("z", [1], terms=9)
    assert {(place.tensor, place.position) for place in whole.reads} == {
        *(("x", (i,)) for i in range(9)),
        *(("W", (i, 1)) for i in range(9)),
    }


def test_a_sum_within_a_sum_over_the_same_axis() -> None:
    walk = walk_of(parse("data x[t], y[t]\nC = sum[t](y[t] + sum[t](x[t]))"), {"x": np.ones(3), "y": np.ones(3)})
    assert walk.element("C", []).read_count == 6


def test_a_recurrence_reads_the_step_before_and_feeds_the_next() -> None:
    walk = walk_of(parse("data x[t]\nh[t] = tanh(x[t] + 0.5*h[t-1])"), {"x": np.ones(5)})
    element = walk.element("h", [2])
    assert element.recurs == "t"
    assert {(p.tensor, p.position) for p in element.reads} == {("x", (2,)), ("h", (1,))}
    assert [p.position for feed in element.feeds for p in feed.places] == [(3,)]
    assert {(p.tensor, p.position) for p in walk.element("h", [0]).reads} == {("x", (0,))}


def test_an_embedding_reads_what_says_where() -> None:
    walk = walk_of(
        parse("data E[v,d]\ninteger token[t]\ne[t,d] = E[token[t],d]"),
        {"E": np.arange(6.0).reshape(3, 2), "token": np.array([2, 0, 2])},
    )
    assert {(p.tensor, p.position) for p in walk.element("e", [0, 1]).reads} == {("E", (2, 1)), ("token", (0,))}
    (feed,) = walk.element("E", [2, 1]).feeds
    assert [place.position for place in feed.places] == [(0, 1), (2, 1)]
    assert walk.element("E", [1, 1]).feeds == ()


def test_a_window_with_a_stride_and_a_border() -> None:
    system = parse("axis p = 3\ndata x[h], W[u]\nz[p] = sum[u](x[2*p+u-1]*W[u])")
    walk = walk_of(system, {"x": np.arange(1.0, 6.0), "W": np.ones(3)})
    assert [o.values.tolist() for o in walk.element("z", [0]).operands] == [[0, 1, 2], [1, 1, 1]]
    assert {p.position for feed in walk.element("x", [1]).feeds for p in feed.places} == {(0,), (1,)}
    assert {p.position for feed in walk.element("x", [2]).feeds for p in feed.places} == {(1,)}


def test_how_many_elements_an_element_reads() -> None:
    system = parse(
        "data x[b,i], W[i,j], β[j], m[b,i]\nz[b,j] = sum[i](x[b,i]*W[i,j]) + β[j]\n"
        "s[b,i] = x[b,i-1] + x[b,i] + x[b,i+1]\n"
        "w[b] = sum[i](where(m[b,i] > 0, x[b,i], 0))\n"
        "C = sum[b,j](z[b,j]^2) + sum[b](w[b])"
    )
    generator = np.random.default_rng(0)
    arrays = {"x": generator.standard_normal((2, 60)), "W": generator.standard_normal((60, 3)), "β": np.zeros(3)}
    arrays["m"] = np.zeros((2, 60))
    arrays["m"][1, :7] = 1
    values = {**arrays, **evaluate(system, arrays)}
    sizes = {"b": 2, "i": 60, "j": 3}

    def count(name: str, *position: int) -> int:
        return read_count(system.by_name[name], position, values, sizes)

    assert count("z", 0, 1) == 60 + 60 + 1
    assert [count("s", 0, i) for i in (0, 5, 59)] == [2, 3, 2]  # what is outside is none
    assert (count("w", 0), count("w", 1)) == (60, 60 + 7)  # the condition, and what it lets through
    assert count("C") == 6 + 2
