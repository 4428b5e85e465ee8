"""What a tab of the lab looks at, without a browser: which step is shown, when it is old, what is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.lab.looking import Looking
from chainrule.lab.registry import Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import Sets
from chainrule.lab.setup import Setup

SETUP = Setup(data="moons", network="Dense(4), Tanh(), Dense(2)", epochs=2, batch_size=50)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_BACKEND", "numpy")


@pytest.fixture
def runs() -> Iterator[Runs]:
    held = Runs()
    yield held
    held.close()


@pytest.fixture
def run(runs: Runs) -> LabRun:
    return runs.make(SETUP, Sets().get("moons"))


def tab(runs: Runs, run: LabRun, **more: str) -> Looking:
    return Looking(runs, {"run": run.id, **more})


def draw(looking: Looking) -> object:
    """What a page does before it draws; the key of what it then has drawn."""
    assert looking.run is not None
    seen, beside = looking.seen(looking.run)
    if looking.needs_step(seen):
        looking.walk_again(looking.run)
    return looking.key(seen, beside)


def test_the_update_applied_is_the_one_shown_after_a_value_was_put_in_another_tab(runs: Runs, run: LabRun) -> None:
    one, other = tab(runs, run), tab(runs, run, at="dense1.W[0,1]")
    draw(one), draw(other)
    one.advance(run, 2)
    other.set_value(run, 5.0)
    one.advance(run, 3)
    learnt = run.snapshot().parameters
    for name, value in learnt.items():
        np.testing.assert_allclose(one.walk.values[f"{name}'"], value, rtol=1e-4, atol=1e-6)
    assert one.done == 3
    assert abs(learnt["dense1.W"][0, 1] - 5) < 0.1


def test_every_step_and_every_value_makes_another_version(run: LabRun) -> None:
    versions = [run.snapshot().version]
    for change in (lambda: run.step(), lambda: run.set_value("dense2.β", [0], 1.0), lambda: run.step(), run.stop):
        change()
        versions.append(run.snapshot().version)
    assert versions == sorted(set(versions))


def test_a_step_done_elsewhere_is_drawn_anew_and_one_s_own_stays_shown(runs: Runs, run: LabRun) -> None:
    one, other = tab(runs, run), tab(runs, run)
    keys = [draw(one), draw(other)]
    other.advance(run, 3)
    before = other.walk
    assert [draw(one), draw(other)] != keys
    assert other.walk is before  # the update that was just done
    assert one.walk is not before
    assert (one.done, other.done) == (1, 3)
    one.advance(run, 2)
    assert one.done == 2


@pytest.mark.parametrize("over", [False, True], ids=["paused", "finished"])
def test_a_value_put_by_hand_is_shown_in_a_run_at_rest(runs: Runs, run: LabRun, over: bool) -> None:
    looking = tab(runs, run, at="dense2.β[1]")
    run.step()
    if over:
        run.stop()
    draw(looking)
    effect = looking.set_value(run, 2.5)
    assert effect.after == looking.opened().value == 2.5
    assert looking.done == (3 if over else 1)


def test_a_finished_run_shows_the_first_row_and_then_its_last_update_if_it_was_stepped(runs: Runs, run: LabRun) -> None:
    looking = tab(runs, run)
    total = run.snapshot().total
    for _ in range(total):
        looking.advance(run, 3)
    assert run.state == "finished"
    last = looking.walk
    draw(looking)
    assert looking.walk is last
    again = tab(runs, run)
    draw(again)
    assert again.walk["x"].shape[0] == 1


def test_what_is_compared_with_is_drawn_as_it_moves(runs: Runs, run: LabRun) -> None:
    other = runs.make(SETUP, run.data)
    looking = tab(runs, run, other=other.id, view="compare")
    key = draw(looking)
    assert draw(looking) == key
    other.step()
    assert draw(looking) != key
    looking.pane = "derivation"
    key = draw(looking)
    other.step()
    assert draw(looking) == key  # it is not seen


def test_the_run_that_was_trained_is_the_one_to_compare_with(runs: Runs, run: LabRun) -> None:
    looking = tab(runs, run)
    looking.open(fresh := runs.make(SETUP, run.data))
    assert looking.other is None  # nothing was done to it
    fresh.step()
    looking.open(runs.make(SETUP, run.data))
    assert looking.other is fresh
    assert looking.walk is None


def test_an_address_brings_back_what_was_looked_at(runs: Runs, run: LabRun) -> None:
    query = {"view": "compare", "at": "dense1.z[0,1]", "run": run.id, "other": run.id}
    assert Looking(runs, query).query() == query
    assert Looking(runs, {"view": "nothing", "run": "gone"}).query() == {}


def test_a_place_that_there_is_not_is_refused_and_the_one_before_stays(runs: Runs, run: LabRun) -> None:
    looking = tab(runs, run, at="dense1.z[0,1]")
    draw(looking)
    with pytest.raises(ChainruleError, match="dense9"):
        looking.choose({"at": "dense9.z[0]"})
    assert looking.place == "dense1.z[0,1]"
    looking.choose({"tensor": "dense1.W", "row": 1, "column": 2, "block": 1})
    assert looking.place == "dense1.W[1,2]"
