"""Rows made when they are needed: the same run however they are made, errors where they are used, no thread left."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.errors import ChainruleError
from chainrule.layers import Dense, Network, Tanh
from chainrule.losses import CrossEntropy
from chainrule.optimizers import Adam
from chainrule.training import loop, prefetch, source
from chainrule.training.callbacks import Run, as_callbacks
from chainrule.training.loop import first_state, train
from chainrule.training.prefetch import chunks
from chainrule.training.source import InMemory, Made, epoch_batches, steps_per_epoch
from chainrule.training.step import assemble

Array = NDArray[Any]
ROWS = 50
STEP = assemble(Network(Dense(6), Tanh(), Dense(3)), CrossEntropy(), Adam(0.01), {"i": 4})
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(ROWS, 4)).astype(np.float32)
ARRAYS = {"X": X, "T": X[:, :3].argmax(axis=1)}


def taken(rows: Array, seed: int, epoch: int) -> Mapping[str, Array]:
    return {name: array[rows] for name, array in ARRAYS.items()}


def shaken(rows: Array, seed: int, epoch: int) -> Mapping[str, Array]:
    """Rows to which something is added that depends on seed, epoch and row."""
    added = np.sin(np.outer(rows + 100.0 * epoch + seed, np.arange(1, 5)))
    return {"X": X[rows] + added.astype(np.float32), "T": ARRAYS["T"][rows]}


def trained(data: Any, epochs: int = 3, batch_size: int = 8, **options: Any) -> Run:
    names = tuple(tensor.name for tensor in STEP.parameters)
    run = Run(first_state(STEP, 0), names, epochs, steps_per_epoch(ROWS, batch_size), 0)
    train(STEP, data, run, batch_size=batch_size, rates=np.full(run.steps, 0.01), **options)
    return run


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("chainrule-rows")]


def assert_same(one: Run, other: Run) -> None:
    for name in one.parameters:
        np.testing.assert_array_equal(one.state[name], other.state[name])
    assert one.history["loss"] == other.history["loss"]


@pytest.mark.parametrize("bytes_a_row", [1, source.CHUNK_BYTES // 16, source.CHUNK_BYTES // 20, 2 * source.CHUNK_BYTES])
def test_rows_that_are_made_train_as_those_in_memory(bytes_a_row: int) -> None:
    """In chunks of all rows, of 16, of 20, which is not a number of minibatches, and of one minibatch."""
    assert_same(trained(Made(ROWS, taken, bytes_a_row)), trained(ARRAYS))
    assert not threads()


@pytest.mark.parametrize("ahead", [1, 3])
def test_neither_chunks_groups_nor_threads_change_a_run(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(Made(ROWS, shaken, 1))
    monkeypatch.setattr(prefetch, "AHEAD", ahead)
    monkeypatch.setattr(loop, "SECONDS_A_CALL", 0.0)
    assert_same(trained(Made(ROWS, shaken, source.CHUNK_BYTES // 8)), whole)
    assert (trained(ARRAYS).state["dense1.W"] != whole.state["dense1.W"]).any()


def test_every_row_once_an_epoch_in_order() -> None:
    made = Made(ROWS, taken, source.CHUNK_BYTES // 17)
    with chunks(made, 8, seed=4, epochs=range(2)) as coming:
        found: list[Array] = []
        ends = []
        for chunk in coming:
            found.append(np.asarray(chunk.arrays["X"])[chunk.places].reshape(-1, 4))
            ends.append(chunk.ends)
    order = np.concatenate([group.ravel() for epoch in range(2) for group in epoch_batches(ROWS, 8, 4, epoch)])
    np.testing.assert_array_equal(np.concatenate(found), X[order])
    assert sum(ends) == 2 and ends[-1]


def test_every_chunk_has_the_same_shape() -> None:
    """Code is compiled for a shape: also of the chunk with the smaller last minibatch."""
    made = Made(ROWS, taken, source.CHUNK_BYTES // 17)
    with chunks(made, 8, 0, range(2)) as coming:
        assert {chunk.arrays["X"].shape for chunk in coming} == {(17, 4)}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far preparing could run ahead of a slow training, only a few chunks are there at a time."""
    made: list[int] = []
    lock = threading.Lock()

    def count(rows: Array, seed: int, epoch: int) -> Mapping[str, Array]:
        with lock:
            made.append(len(rows))
        return taken(rows, seed, epoch)

    with chunks(Made(ROWS, count, source.CHUNK_BYTES // 8), 8, 0, range(10)) as coming:
        for used in range(1, 6):
            next(coming)
            time.sleep(0.01)
            assert len(made) <= used + prefetch.AHEAD
    assert max(made) <= 8


def test_what_lies_in_memory_costs_no_thread_and_no_copy() -> None:
    with chunks(InMemory(ARRAYS), 8, 0, range(1)) as coming:
        first = next(coming)
        assert not threads() and first.arrays["X"] is ARRAYS["X"] and first.places.shape == (6, 8)


def test_an_error_is_raised_where_the_rows_would_be_used() -> None:
    def fail(rows: Array, seed: int, epoch: int) -> Mapping[str, Array]:
        if epoch == 1:
            raise ChainruleError("cat/3.png is damaged")
        return taken(rows, seed, epoch)

    names = tuple(tensor.name for tensor in STEP.parameters)
    run = Run(first_state(STEP, 0), names, 3, steps_per_epoch(ROWS, 8), 0)
    with pytest.raises(ChainruleError, match=r"cat/3\.png is damaged"):
        train(STEP, Made(ROWS, fail, source.CHUNK_BYTES // 8), run, batch_size=8, rates=np.full(run.steps, 0.01))
    assert run.epoch == 1 and run.step == 7 and not threads()


def test_stopping_leaves_no_thread() -> None:
    def stop(run: Run) -> None:
        run.stop("enough")

    run = trained(Made(ROWS, taken, source.CHUNK_BYTES // 8), epochs=50, callbacks=as_callbacks(stop))
    assert run.epoch == 1 and not threads()


@pytest.mark.filterwarnings("ignore:interrupted")
def test_interrupted_leaves_no_thread() -> None:
    sent: list[int] = []

    def once(rows: Array, seed: int, epoch: int) -> Mapping[str, Array]:
        if epoch == 1 and not sent:
            sent.append(epoch)
            signal.raise_signal(signal.SIGINT)
        return taken(rows, seed, epoch)

    run = trained(Made(ROWS, once, source.CHUNK_BYTES // 8), epochs=50)
    assert run.stopped == "interrupted" and run.epoch <= 2 and not threads()
