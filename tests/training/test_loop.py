"""The loop: the same run from the same seed, every row once an epoch, what stops it, and what is left then."""

from __future__ import annotations

import math
import os
import signal
from typing import Any

import numpy as np
import pytest

from chainrule.equations.node import Equation
from chainrule.errors import ChainruleError
from chainrule.layers import Dense, Dropout, Network, Tanh
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import SGD, Adam
from chainrule.training import loop
from chainrule.training.callbacks import Callback, EarlyStopping, Run, as_callbacks
from chainrule.training.loop import first_state, train
from chainrule.training.nonfinite import NonFiniteError
from chainrule.training.source import epoch_batches, steps_per_epoch
from chainrule.training.step import TrainingStep, assemble

ROWS = 50
NETWORK = Network(Dense(8), Tanh(), Dropout(0.2), Dense(3))
CLASSES = assemble(NETWORK, CrossEntropy(), Adam(0.01), {"i": 4})
LINE = assemble(Network(Dense(1)), SquaredError(), SGD(0.1), {"i": 4})


def data(step: TrainingStep) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, 4)).astype(np.float32)
    if "t" in step.sources:
        return {"X": X, "T": X[:, :3].argmax(axis=1)}
    return {"X": X, "Y": X[:, :1] - X[:, 1:2]}


def trained(step: TrainingStep = CLASSES, epochs: int = 3, batch_size: int = 8, seed: int = 0, **options: Any) -> Run:
    state = first_state(step, seed)
    names = tuple(tensor.name for tensor in step.parameters)
    run = Run(state, names, epochs, steps_per_epoch(ROWS, batch_size), seed)
    rates = options.pop("rates", step.optimizer.rates(run.steps))
    train(step, data(step), run, batch_size=batch_size, rates=rates, **options)
    return run


@pytest.mark.parametrize(("rows", "batch_size"), [(50, 8), (48, 8), (5, 8), (1, 1)])
def test_every_row_once_an_epoch(rows: int, batch_size: int) -> None:
    batches = epoch_batches(rows, batch_size, 3, 1)
    assert sum(len(group) for group in batches) == steps_per_epoch(rows, batch_size)
    assert sorted(np.concatenate([group.ravel() for group in batches])) == list(range(rows))
    again = epoch_batches(rows, batch_size, 3, 1)
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))


def test_history() -> None:
    run = trained()
    assert run.epoch == 3 and run.step == 21 and len(run.history) == 3
    assert run.history.names == ("epoch", "steps", "loss", "learning_rate", "gradient_norm", "seconds")
    assert run.history["loss"][2] < run.history["loss"][0]
    assert run.history["steps"] == [7, 14, 21]


def test_the_same_seed_is_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the groups of steps."""
    first = trained()
    monkeypatch.setattr(loop, "SECONDS_A_CALL", 0.0)
    second = trained()
    other = trained(seed=1)
    for name in first.parameters:
        np.testing.assert_array_equal(first.state[name], second.state[name])
    assert (first.state["dense1.W"] != other.state["dense1.W"]).any()


def test_a_whole_epoch_is_gradient_descent() -> None:
    """One minibatch of all rows, against the gradient by hand."""
    run = trained(LINE, epochs=1, batch_size=ROWS)
    given, start = data(LINE), first_state(LINE, 0)
    error = given["X"] @ start["dense1.W"] + start["dense1.β"] - given["Y"]
    np.testing.assert_allclose(run.state["dense1.W"], start["dense1.W"] - 0.2 * given["X"].T @ error / ROWS, rtol=1e-4)
    assert run.history["loss"] == pytest.approx([float((error**2).mean())], rel=1e-5)


class Recorder(Callback):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, run: Run) -> None:
        self.seen.append("start")

    def on_epoch(self, run: Run) -> None:
        self.seen.append(f"epoch {run.epoch}")
        if run.epoch == 2:
            run.stop("enough")

    def on_end(self, run: Run) -> None:
        self.seen.append("end")


def test_callbacks() -> None:
    recorder, losses = Recorder(), []
    run = trained(epochs=9, callbacks=as_callbacks([recorder, lambda run: losses.append(run.history.last["loss"])]))
    assert recorder.seen == ["start", "epoch 1", "epoch 2", "end"]
    assert run.stopped == "enough" and losses == run.history["loss"]


@pytest.mark.parametrize("given", [Recorder, 3, [3]])
def test_no_callbacks(given: Any) -> None:
    with pytest.raises(ChainruleError, match="callbacks:"):
        as_callbacks(given)


def test_early_stopping_goes_back_to_the_best() -> None:
    values = iter([0.5, 0.3, 0.4, 0.35, 0.31, 0.2])
    weights: list[np.ndarray[Any, Any]] = []

    def measure(state: Any) -> dict[str, float]:
        weights.append(state["dense1.W"].copy())
        return {"validation_loss": next(values)}

    run = trained(epochs=9, callbacks=(EarlyStopping(patience=3),), measure=measure)
    assert len(run.history) == 5 and run.best_epoch == 2
    assert run.stopped == "validation_loss has not improved for 3 epochs"
    np.testing.assert_array_equal(run.state["dense1.W"], weights[1])
    assert (weights[1] != weights[4]).any()


def test_early_stopping_on_a_score() -> None:
    scores = iter([0.5, 0.9, 0.8, 0.7])
    run = trained(
        epochs=9,
        callbacks=(EarlyStopping("f1_macro", patience=2),),
        measure=lambda state: {"validation_loss": 1.0, "validation_f1_macro": next(scores)},
    )
    assert len(run.history) == 4 and run.best_epoch == 2


def test_early_stopping_needs_its_metric() -> None:
    with pytest.raises(ChainruleError, match=r"no 'validation_loss' to watch; this run has epoch, .*validation rows"):
        trained(callbacks=(EarlyStopping(),))


def test_overflow_is_named() -> None:
    with pytest.raises(
        NonFiniteError, match=r"not finite in step \d+: .* equation to overflow is .* learning rate"
    ) as e:
        trained(LINE, epochs=200, rates=np.full(1400, 1e6))
    assert isinstance(e.value.equation, Equation)
    assert "1e+06" in str(e.value)


def test_the_first_equation_to_overflow() -> None:
    given = data(LINE)
    given["X"][7] = 3e38
    state = first_state(LINE, 0)
    run = Run(state, ("dense1.W", "dense1.β"), 1, 5)
    with pytest.raises(NonFiniteError) as caught:
        train(LINE, given, run, batch_size=10, rates=np.full(5, 0.1))
    assert caught.value.equation is not None
    assert caught.value.equation.name in ("dense1.z", "L", "loss.L", "C")


def test_interrupt_keeps_what_was_learnt() -> None:
    """A real Ctrl-C, sent while steps run."""

    class Press(Callback):
        def on_steps(self, run: Run) -> None:
            if run.step > 10:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match="interrupted in epoch 2 of 50, after .* steps; the model keeps"):
        run = trained(epochs=50, callbacks=(Press(),))
    assert signal.getsignal(signal.SIGINT) is before
    assert run.stopped == "interrupted" and run.step < 50
    assert all(np.isfinite(run.state[name]).all() for name in run.parameters)


def test_a_callback_may_be_interrupted() -> None:
    def press(run: Run) -> None:
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        run = trained(callbacks=as_callbacks(press))
    assert len(run.history) == 1


def test_state_starts_as_declared() -> None:
    state = first_state(CLASSES, 0)
    assert state["adam.t"] == 0 and state["dense1.W.m"].shape == (4, 8)
    assert math.isclose(float(np.abs(state["dense1.W"]).max()), math.sqrt(6 / 12), rel_tol=0.2)
