"""Runs of the lab: the training of ``fit`` however it is paused and stepped; what is shown is what is done."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.lab import evaluation
from chainrule.lab.dropped import Dropped
from chainrule.lab.registry import Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.sets import LabSet, Sets
from chainrule.lab.setup import Setup
from chainrule.lab.snapshot import MOST_POINTS, Curves
from chainrule.lab.views.step import Shown, step

NETWORK = "Dense(8), Dropout(0.2), Tanh(), Dense(2)"


@pytest.fixture(scope="module")
def sets():
    made = Sets()
    yield made
    made.close()


@pytest.fixture
def make(sets: Sets):
    made: list[LabRun] = []

    def run(setup: Setup) -> LabRun:
        made.append(LabRun(setup, sets.get(setup.data, setup.target)))
        return made[-1]

    yield run
    for one in made:
        one.close()


def wait(run: LabRun) -> None:
    assert run.wait(30) != "running", "the run does not come to its end"


def fitted(setup: Setup, data: LabSet) -> cr.Classifier:
    model = setup.estimator(data.classes)
    rows, aside = data.training, data.validation
    return model.fit(rows.X, rows.y, validation=(aside.X, aside.y))


def test_however_it_is_stepped_it_is_the_training_of_fit(make) -> None:
    setup = Setup(data="moons", network=NETWORK, epochs=30, batch_size=9)
    run = make(setup)
    for _ in range(3):
        run.walk()
        run.step()
    run.pace = 2000
    run.start()
    while run.snapshot().step < 100:
        time.sleep(0.001)
    run.pause()
    assert run.state == "paused"
    run.pace = None
    run.step()
    run.walk_row(5)
    run.resume()
    wait(run)
    assert run.state == "finished"
    ours, theirs = run.model(), fitted(setup, run.data)
    for name, value in theirs.parameters_.items():
        assert np.array_equal(ours.parameters_[name], value), name
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in m.history_.rows()] for m in (ours, theirs)]
    assert rows[0] == rows[1]
    assert ours.best_epoch_ == theirs.best_epoch_ and ours.training_ == theirs.training_
    X = run.data.validation.X
    assert np.array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize(
    "setup",
    [
        Setup(data="moons", network=NETWORK, optimizer="Adam(0.01)", regularizer="L2(0.01)", batch_size=16),
        Setup(data="diabetes", network="Dense(5), ReLU(), Dense(1)", optimizer="Momentum(0.05)"),
        Setup(data="digits", network="Conv2D(3, 3), BatchNorm(), ReLU(), Dense(10)", optimizer="SGD(0.1)"),
        Setup(data="iris", network="Dense(3)", equations="data x[b,i]\naxis j = 4\nparameter W[i,j]\n"
              "a[b,j] = tanh(sum[i](x[b,i]*W[i,j]))", optimizer="RMSprop(0.01)"),
    ],
    ids=["adam", "momentum", "convolution", "equations"],
)  # fmt: skip
def test_a_step_does_what_the_walk_shows(make, setup: Setup) -> None:
    run = make(setup)
    for number in range(3):
        shown = run.walk()
        assert run.snapshot().step == number
        after = run.step()
        assert after.step == number + 1 and after.state == "paused"
        state, _, _ = run._ask(run._standing)
        for name, updated in shown.system.updates.items():
            value = shown[updated].value
            assert np.allclose(state[name], value, rtol=2e-5, atol=2e-6), (name, np.abs(state[name] - value).max())
        assert set(shown.system.updates) == set(state)
        assert after.curves["loss"][-1] == pytest.approx(float(shown[run.step_equations.loss].value), rel=1e-4)
        norm = float(shown["gradient_norm"].value)
        layers = [v[-1] for k, v in after.curves.items() if k.startswith("gradient_norm ")]
        assert after.curves["gradient_norm"][-1] == pytest.approx(norm, rel=1e-4)
        assert np.sqrt(np.sum(np.square(layers))) == pytest.approx(norm, rel=1e-4)


def test_a_row_by_its_number(make) -> None:
    run = make(Setup(data="iris", network="Dense(3)"))
    walk = run.walk_row(77)
    model = run.model()
    row = run.data.everything.take(np.array([77]))
    again = model.walk(row.X, row.y)
    for name in ("dense1.z", "C", "∂dense1.W"):
        assert np.allclose(walk[name].value, again[name].value, atol=1e-6), name
    assert walk.said == again.said and "; the row is " in walk.said.predicted[0]
    assert walk.said.predicted[0] in step(walk, Shown(done=3))
    with pytest.raises(ChainruleError, match="there is no row 150; iris has rows 0 to 149"):
        run.walk_row(150)


def test_texts_of_different_length(sets: Sets, tmp_path: Path) -> None:
    words = ("a fine one", "no plot at all", "great")
    rows = "".join(f"{text} number {n} of the film,{text == 'no plot at all'}\n" for n in range(20) for text in words)
    file = tmp_path / "file"
    file.write_text("opinion,bad\n" + rows)
    data = sets.get(sets.add([Dropped("opinions.csv", file)]))
    run = LabRun(Setup(data=data.key, network="Embedding(60, 4), GlobalMaxPool(), Dense(2)", epochs=1), data)
    shown = run.walk()
    after = run.step()
    assert np.allclose(after.parameters["embedding1.E"], shown["embedding1.E'"].value, atol=1e-6)
    assert run.walk_row(4)["embedding1.e"].shape[2] == 4
    assert run.predictions(after.parameters).shape[0] == len(data.validation)
    run.close()


def test_a_value_changed_by_hand(make) -> None:
    run = make(Setup(data="moons", network="Dense(4), Tanh(), Dense(2)"))
    before = run.snapshot().parameters
    effect = run.set_value("dense2.W", [1, 0], 3.5)
    after = run.snapshot().parameters
    assert effect.before == before["dense2.W"][1, 0] and effect.after == after["dense2.W"][1, 0] == 3.5
    assert np.count_nonzero(after["dense2.W"] != before["dense2.W"]) == 1
    assert np.array_equal(effect.prediction_before, run.predictions(before))
    assert np.array_equal(effect.prediction_after, run.predictions(after))
    assert effect.loss_before != effect.loss_after
    assert run.walk()["dense2.W"].value[1, 0] == 3.5
    back = run.set_value("dense2.W", [1, 0], effect.before)
    assert back.loss_after == effect.loss_before
    for wrong in (("dense3.W", [0, 0]), ("dense2.W", [4, 0]), ("dense2.W", [0]), ("dense2.W", [-1, 0])):
        with pytest.raises(ChainruleError, match=r"no parameter dense3.W|has no place"):
            run.set_value(*wrong, 1.0)
    for wrong in (float("nan"), float("inf"), 1e300):
        with pytest.raises(ChainruleError, match="no finite number"):
            run.set_value("dense2.W", [0, 0], wrong)


def test_rows_are_measured_in_pieces_that_fit_into_memory(make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(Setup(data="moons", network="Dense(4), Tanh(), Dense(2)"))
    parameters = run.snapshot().parameters
    at_once, whole = run._evaluation.measured(parameters)
    monkeypatch.setattr(evaluation, "rows_at_once", lambda system: 32)  # the last piece is smaller
    piecewise, parts = run._evaluation.measured(parameters)
    assert piecewise == pytest.approx(at_once, rel=1e-6)
    assert np.allclose(parts, whole, atol=1e-6) and len(parts) == len(run.data.validation)


def test_a_snapshot_does_not_change(make) -> None:
    run = make(Setup(data="moons", network="Dense(2)"))
    seen = run.snapshot()
    kept = {name: value.copy() for name, value in seen.parameters.items()}
    run.step()
    assert all(np.array_equal(seen.parameters[name], value) for name, value in kept.items())
    assert not np.array_equal(run.snapshot().parameters["dense1.W"], kept["dense1.W"])
    assert (seen.state, seen.step, run.snapshot().step) == ("ready", 0, 1)


def test_watching_while_it_trains(make) -> None:
    run = make(Setup(data="moons", network=NETWORK, epochs=2000, batch_size=16))
    run.pace = 4000
    run.start()
    steps = []
    while len(steps) < 4:
        seen = run.snapshot()
        if seen.step and (not steps or seen.step > steps[-1]):
            assert seen.state == "running" and seen.steps[-1] == seen.step
            assert all(len(curve) == len(seen.steps) for curve in seen.curves.values())
            made = run.activations(seen.parameters, run.data.validation.X[:3])
            assert made["dense1.z"].shape == (3, 8)
            assert run.predictions(seen.parameters).shape == (len(run.data.validation), 2)
            steps.append(seen.step)
        time.sleep(0.01)
    run.stop()
    assert run.state == "finished" and run.snapshot().stopped == "stopped"
    for ended in (run.start, run.step, run.walk):
        with pytest.raises(ChainruleError, match="finished"):
            ended()


def test_a_run_that_fails_says_why_and_is_alone_with_it(make) -> None:
    good = make(Setup(data="moons", network=NETWORK, epochs=300))
    good.pace = 2000
    good.start()
    bad = make(Setup(data="diabetes", network="Dense(4), ReLU(), Dense(1)", optimizer="SGD(1e20)"))
    bad.start()
    wait(bad)
    assert bad.state == "failed" and "the loss is not finite in step" in bad.snapshot().error
    with pytest.raises(ChainruleError, match="not finite"):
        bad.step()
    before = good.snapshot().step
    time.sleep(0.3)
    good.snapshot()
    time.sleep(0.1)
    assert good.state == "running" and good.snapshot().step > before


def test_an_error_of_another_kind_is_the_runs_own(make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(Setup(data="moons", network=NETWORK))

    def broken(most: int | None = None) -> bool:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(run._trainer, "advance", broken)
    run.start()
    wait(run)
    assert run.state == "failed" and "the disk is full" in run.snapshot().error
    assert run.model().parameters_  # what was learnt can still be had


def test_nothing_is_asked_of_a_closed_run(make) -> None:
    run = make(Setup(data="moons", network=NETWORK))
    run.close()
    run.close()
    for asked in (run.start, run.walk, run.model):
        with pytest.raises(ChainruleError, match="has ended"):
            asked()
    assert run.snapshot().state == "ready"


def test_curves_keep_their_mean_and_stay_short() -> None:
    curves, values = Curves(), np.random.default_rng(0).random(10 * MOST_POINTS)
    for number, value in enumerate(values, 1):
        curves.add(3 * number, 3, {"loss": value})
    assert len(curves.steps) == len(curves.values["loss"]) <= MOST_POINTS
    assert curves.steps[-1] == 3 * len(values) and curves.steps == sorted(curves.steps)
    assert np.average(curves.values["loss"], weights=curves.counts) == pytest.approx(values.mean())


def test_what_was_trained_is_not_dropped_for_another_run(sets: Sets) -> None:
    runs = Runs(most=3)
    setup, data = Setup(data="moons", network=NETWORK, epochs=5000), sets.get("moons")
    first, second, third = (runs.make(setup, data) for _ in range(3))
    first.step()
    second.set_value("dense1.W", [0, 0], 1.0)
    fourth = runs.make(setup, data)  # in the place of the one to which nothing was done
    assert set(runs.all()) == {first, second, fourth}
    assert "never been trained" in runs.why_ended(third.id)
    fourth.pace = 100
    fourth.start()
    with pytest.raises(ChainruleError, match=r"the lab keeps 3 runs, .* end one first"):
        runs.make(setup, data)
    runs.end(second.id)
    assert runs.make(setup, data) in runs.all() and "by hand" in runs.why_ended(second.id)
    runs.close()
    assert runs.all() == ()


def test_runs_that_no_tab_has_open_end_but_for_those_that_train(sets: Sets) -> None:
    runs = Runs(idle=0.2)
    setup, data = Setup(data="moons", network=NETWORK, epochs=5000), sets.get("moons")
    forgotten, hidden, training = (runs.make(setup, data) for _ in range(3))
    forgotten.step()
    training.pace = 100
    training.start()
    time.sleep(0.25)
    runs.use(hidden, None)
    runs.end_idle()
    assert runs.all() == (hidden, training)
    assert runs.why_ended(forgotten.id) == "no tab had it open for long"
    assert "server" in runs.why_ended("never was")
    runs.close()
