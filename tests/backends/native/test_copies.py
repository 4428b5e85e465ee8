"""Systems that are many: each member is, to the bit, the system alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.backends import compile
from chainrule.backends.native import copies
from chainrule.backends.native.copies import Copies, Part, shared_out
from chainrule.backends.threads import at_most
from chainrule.equations.lift import lift
from chainrule.errors import ChainruleError
from chainrule.training.loop import first_state
from chainrule.training.step import assemble

ROWS, STEPS, MEMBERS = 40, 13, 5


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 6))
def test_work_is_shared_out(members: int, steps: int, workers: int) -> None:
    workers = min(workers, members)
    plan = shared_out(members, steps, workers)
    done = sorted((part.member, at) for parts in plan for part in parts for at in range(part.first, part.last))
    assert done == [(member, at) for member in range(members) for at in range(steps)]
    most = max(sum(part.last - part.first for part in parts) for parts in plan)
    assert most == -(-members * steps // workers)
    # Where all workers are as fast, nobody waits: a part begins when the one before it of its member has ended.
    ended: dict[tuple[int, int], int] = {}
    begun: dict[Part, int] = {}
    for parts in plan:
        now = 0
        for part in parts:
            begun[part] = now
            now += part.last - part.first
            ended[part.member, part.last] = now
    assert all(ended[part.member, part.first] <= at for part, at in begun.items() if part.first)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_members_are_networks_alone(threads: int) -> None:
    network = cr.Network(cr.Dense(7), cr.Tanh(), cr.Dense(3))
    step = assemble(network, cr.CrossEntropy(), cr.Adam(0.01), {"i": 4}, clipping=cr.ClipGlobalNorm(0.1))
    learnt = [t.name for t in step.system.inputs if t.role in ("parameter", "state")]
    outputs = (step.cost, step.gradient_norm)
    lifted = compile(lift(step.system, "e", MEMBERS, [*learnt, "rows"]), outputs, backend="native")
    assert isinstance(lifted, Copies)
    single = compile(step.system, outputs, backend="native")
    generator = np.random.default_rng(0)
    data = {"X": generator.normal(size=(ROWS, 4)), "T": generator.integers(0, 3, ROWS)}
    states = [first_state(step, seed) for seed in range(MEMBERS)]
    state = {name: np.stack([one[name] for one in states]) for name in learnt}
    rows, rates = generator.integers(0, ROWS, (STEPS, MEMBERS, 6)), np.linspace(0.01, 0.001, STEPS)
    with at_most(threads):
        found = lifted.run(data, state, {"rows": rows, "η": rates}, seed=3, first_step=5)
    for member, alone in enumerate(states):
        expected = single.run(data, alone, {"rows": rows[:, member], "η": rates}, seed=3, first_step=5)
        assert all(np.array_equal(state[name][member], alone[name]) for name in learnt)
        assert all(np.array_equal(found[name][:, member], expected[name]) for name in outputs)


def test_calls_of_one_step_and_of_several_give_the_same_bits() -> None:
    network = cr.Network(cr.Dense(128), cr.ReLU(), cr.Dense(128), cr.ReLU(), cr.Dense(2))
    step = assemble(network, cr.CrossEntropy(), cr.AdamW(0.01), {"i": 6})
    learnt = [t.name for t in step.system.inputs if t.role in ("parameter", "state")]
    program = compile(lift(step.system, "e", 2, [*learnt, "rows"]), (step.cost,), backend="native")
    generator = np.random.default_rng(0)
    data = {"X": generator.normal(size=(ROWS, 6)), "T": generator.integers(0, 2, ROWS)}
    rows, rates = generator.integers(0, ROWS, (STEPS, 2, 16)), np.full(STEPS, 0.01)
    first = {name: np.stack([first_state(step, seed)[name] for seed in range(2)]) for name in learnt}
    made = []
    for sizes in ([STEPS], [1] * STEPS, [1, STEPS - 1]):
        state, costs, at = dict(first), [], 0
        for size in sizes:
            some = slice(at, at + size)
            costs.append(program.run(data, state, {"rows": rows[some], "η": rates[some]}, first_step=at)[step.cost])
            at += size
        made.append((np.concatenate(costs), state))
    for costs, state in made[1:]:
        assert np.array_equal(costs, made[0][0])
        assert all(np.array_equal(state[name], made[0][1][name]) for name in learnt)
    state = dict(first)
    alone = program.run({**data, "rows": rows[0], "η": 0.01}, state)  # one step, without an axis of steps
    assert np.array_equal(alone[step.cost], made[0][0][0])


def test_an_error_in_one_member_is_raised_and_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    system = lift(cr.parse("parameter a\ndata x\na' = a + x"), "e", MEMBERS, ["a", "x"])
    made = compile(system, ("a'",), backend="native")
    asked = []

    def launch(self: object, variant: object, words: object, *more: object) -> None:
        asked.append(words)
        raise RuntimeError("of a member")

    monkeypatch.setattr(copies.NativeProgram, "_launch", launch)
    with pytest.raises(RuntimeError, match="of a member"), at_most(2):
        made.run({}, {"a": np.zeros(MEMBERS)}, {"x": np.ones((STEPS, MEMBERS))})
    assert len(asked) <= 2


def test_values_for_another_number_of_members_are_named() -> None:
    system = lift(cr.parse("parameter a\ndata x\na' = a + x"), "e", MEMBERS, ["a", "x"])
    made = compile(system, ("a'",), backend="native")
    with pytest.raises(ChainruleError, match=rf"a has the shape \(9,\); its first axis is of {MEMBERS} members"):
        made.run({}, {"a": np.zeros(9)}, {"x": np.ones((STEPS, MEMBERS))})


def test_states_of_rows_are_no_members() -> None:
    made = compile(cr.parse("state a[b] = 0\ndata x[b]\na'[b] = a[b] + x[b]"), ("a'",), backend="native")
    assert not isinstance(made, Copies)
    assert np.array_equal(made.run({}, {}, {"x": np.ones((3, 2))})["a'"], [[1, 1], [2, 2], [3, 3]])


def test_a_member_of_the_default_network_is_that_network_alone() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 6))
    several = cr.Regressor(epochs=2, batch_size=16, ensemble=2, random_state=0, backend="native").fit(X, X[:, 0])
    alone = cr.Regressor(epochs=2, batch_size=16, random_state=0, backend="native").fit(X, X[:, 0])
    first = several.member(0).parameters_
    assert all(np.array_equal(value, first[name]) for name, value in alone.parameters_.items())


def test_an_error_of_one_member_ends_what_others_have_under_way() -> None:
    begun, ended = threading.Event(), threading.Event()

    def do(part: Part) -> None:
        if part.member:
            begun.set()
            assert ended.wait(60)
        else:
            begun.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copies._side_by_side([[Part(0, 0, 3)], [Part(1, 0, 3)]], do, ended.set, 1)
    assert ended.is_set()
