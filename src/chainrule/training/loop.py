"""The training loop: epochs of minibatches, many steps a call, watched by callbacks.

The order of the rows is a function of (seed, epoch), random inputs are one of (seed, step): the same seed gives the
same run, and how steps are grouped into calls changes nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.sizes import solve_sizes
from chainrule.errors import ChainruleError
from chainrule.training.callbacks import Callback, Run
from chainrule.training.interrupt import Interrupt
from chainrule.training.nonfinite import explain
from chainrule.training.prefetch import Chunk, chunks
from chainrule.training.programs import backend_name, program
from chainrule.training.source import InMemory, Source
from chainrule.training.step import TrainingStep
from chainrule.training.threads import computed_by, threads_for

Array = NDArray[Any]
Measure = Callable[[Mapping[str, Array]], Mapping[str, float]]

# Steps are grouped so that a call takes about this long: short enough to answer Ctrl-C and to draw, long enough that
# what surrounds a call does not count.
SECONDS_A_CALL = 0.2


def first_state(step: TrainingStep, seed: int, dtype: str = "float32", backend: str | None = None) -> dict[str, Array]:
    """Parameters as their initializers make them from the seed, and the states that optimizers start from."""
    names = tuple(tensor.name for tensor in step.parameters)
    made = program(step.initialization, names, dtype, backend).run({}, {}, seed=seed)
    state = {name: np.array(made[name], dtype=dtype) for name in names}
    sizes = solve_sizes(step.system, {}, partial=True)
    for tensor in step.states:
        state[tensor.name] = np.full([sizes[axis] for axis in tensor.axes], tensor.value, dtype=dtype)
    return state


def train(
    step: TrainingStep,
    data: Mapping[str, Array] | Source,
    run: Run,
    *,
    batch_size: int,
    rates: Sequence[float] | Array,
    callbacks: Sequence[Callback] = (),
    measure: Measure | None = None,
    dtype: str = "float32",
    backend: str | None = None,
) -> None:
    """Train ``run.state`` on ``data``, the tensors of ``step.sources`` or what gives them, epoch by epoch.

    ``rates``: the learning rate of every step of the run.  ``measure``: from the state to validation loss and metrics,
    asked after each epoch.  ``backends.threads.at_most`` around the call says how many threads there may be, which
    changes nothing in compiled code; ``run.computed_by`` says what computed.  Raises NonFiniteError, naming the first
    equation to overflow, where the loss is not finite.  Ctrl-C stops after the steps under way, with a warning; what
    was learnt stays in ``run.state``.  A second Ctrl-C raises KeyboardInterrupt, which ends what trains many times too.
    """
    train_to_end(
        Trainer(
            step,
            data,
            run,
            batch_size=batch_size,
            rates=rates,
            callbacks=callbacks,
            measure=measure,
            dtype=dtype,
            backend=backend,
        )
    )


def train_to_end(trainer: Trainer) -> None:
    """Every step of a run that there is to do, as ``train`` says."""
    run = trainer.run
    with Interrupt() as interrupt, trainer:
        try:
            while not trainer.finished:
                complete = trainer.advance()
                if interrupt.requested:
                    raise KeyboardInterrupt
                if complete:
                    trainer.end_epoch()
        except KeyboardInterrupt:
            run.stop("interrupted")
            warnings.warn(
                f"interrupted in epoch {run.epoch + 1} of {run.epochs}, after {run.step} steps; "
                "the model keeps what it has learnt",
                UserWarning,
                stacklevel=3,
            )
            if interrupt.insisted:
                raise


@dataclass(frozen=True)
class Steps:
    """Steps that have been done: from which number on, rows a step, and what was kept of each, [s].

    ``watched``: the quantities that the trainer was asked to watch, by name.
    """

    first: int
    rows: int
    losses: Array
    gradient_norms: Array
    watched: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.losses)


class Trainer:
    """A run that is advanced in pieces of any size: ``with trainer:``, then ``advance`` and, where that says that an
    epoch is complete, ``end_epoch``.  How steps are grouped into pieces changes nothing.

    The arguments are those of ``train``.  ``watched``: quantities without axes, such as the norm of one gradient, that
    ``latest`` is to have of every step.
    """

    def __init__(
        self,
        step: TrainingStep,
        data: Mapping[str, Array] | Source,
        run: Run,
        *,
        batch_size: int,
        rates: Sequence[float] | Array,
        callbacks: Sequence[Callback] = (),
        measure: Measure | None = None,
        watched: Sequence[str] = (),
        dtype: str = "float32",
        backend: str | None = None,
    ) -> None:
        source = InMemory({name: data[name] for name in step.sources.values()}) if isinstance(data, Mapping) else data
        if source.rows < 1 or batch_size < 1:
            raise ChainruleError(f"no minibatches of {batch_size} can be made of {source.rows} rows")
        self.step = step
        self.source = source
        self.run = run
        self.batch_size = batch_size
        self.rates = np.asarray(rates, dtype=np.float64)
        self.callbacks = tuple(callbacks)
        self.measure = measure
        self.watched = tuple(watched)
        self.dtype = dtype
        self.backend = backend_name(backend)
        self.latest: Steps | None = None
        self._constants = {name: np.array(value, dtype=dtype) for name, value in step.constants.items()}
        self._outputs = tuple(dict.fromkeys((step.cost, step.loss, step.gradient_norm, *self.watched)))
        self._program = program(step.system, self._outputs, dtype, self.backend)
        self._group = 4  # steps a call
        self._work = batch_size * sum(run.state[name].size for name in run.parameters)
        self._chunk: Chunk | None = None
        self._at = 0  # minibatches of the chunk that are done
        self._done: list[Steps] = []  # of this epoch
        self._seconds = 0.0  # spent on this epoch
        self._entered = ExitStack()

    @property
    def finished(self) -> bool:
        """Whether no step is left to do."""
        return self.run.epoch >= self.run.epochs or self.run.stopped is not None

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(threads_for(self._work, self.backend))
            for callback in self.callbacks:
                callback.on_start(self.run)
            entered.callback(self._end)
            # What callbacks have just taken up again says where to begin.
            epochs = range(self.run.epoch, self.run.epochs)
            self._coming = entered.enter_context(chunks(self.source, self.batch_size, self.run.seed, epochs))
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, traceback)

    def _end(self) -> None:
        for callback in self.callbacks:
            callback.on_end(self.run)

    def coming(self) -> dict[str, Array]:
        """The rows [b, …] of the minibatch of the next step, as the network and the loss read them."""
        chunk = self._present()
        return {name: chunk.arrays[source][chunk.places[self._at]] for name, source in self.step.sources.items()}

    def advance(self, most: int | None = None) -> bool:
        """Do some steps, no more than ``most``, of one epoch; whether that epoch is complete with them.

        Without ``most`` it is about as many as a call should take.  Raises NonFiniteError as ``train`` does.
        """
        start = time.perf_counter()
        chunk = self._present()
        size = self._group if most is None else min(most, self._group)
        self.latest = self._run_steps(chunk.arrays, chunk.places[self._at : self._at + size])
        self._done.append(self.latest)
        self._at += len(self.latest)
        complete = chunk.ends and self._at >= len(chunk.places)
        self.run.computed_by = self.run.computed_by or computed_by(self.backend, self._program, self._work)
        for callback in self.callbacks:
            callback.on_steps(self.run)
        self._seconds += time.perf_counter() - start
        return complete

    def end_epoch(self) -> None:
        """Measure, and write the epoch into the history."""
        start, run = time.perf_counter(), self.run
        loss, norm = _means(self._done)
        run.epoch += 1
        measured = self.measure(run.state) if self.measure is not None else {}
        row = {
            "epoch": float(run.epoch),
            "steps": float(run.step),
            "loss": loss,
            **measured,
            "learning_rate": float(self.rates[run.step - 1]),
            "gradient_norm": norm,
            "seconds": self._seconds + time.perf_counter() - start,
        }
        self._done, self._seconds = [], 0.0
        run.history.append(row)
        for callback in self.callbacks:
            callback.on_epoch(run)

    def _present(self) -> Chunk:
        """The chunk that holds the minibatch of the next step."""
        if self._chunk is None or self._at >= len(self._chunk.places):
            self._chunk, self._at = next(self._coming), 0
        return self._chunk

    def _run_steps(self, arrays: Mapping[str, Array], rows: Array) -> Steps:
        """Do the steps on the ``rows`` [s, b] of the arrays."""
        run, first = self.run, self.run.step
        read = self.step.system.input_by_name  # what callbacks keep in the state is not
        before = {name: value.copy() for name, value in run.state.items() if name in read}
        data = {**arrays, **self._constants}
        steps = {"rows": rows, "η": self.rates[first : first + len(rows)]}
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            result = self._program.run(data, run.state, steps, seed=run.seed, first_step=first)
        seconds = time.perf_counter() - start
        losses = _of_members(result[self.step.loss])
        if not np.isfinite(result[self.step.cost]).all() or not np.isfinite(losses).all():
            self._fail(before, data, rows, first)
        run.step += len(rows)
        run.loss = float(losses.mean())
        self._group = max(1, min(int(SECONDS_A_CALL * len(rows) / max(seconds, 1e-9)), 8 * self._group))
        watched = {name: _of_members(result[name]) for name in self.watched}
        return Steps(first, rows.shape[-1], losses, _of_members(result[self.step.gradient_norm]), watched)

    def _fail(self, state: dict[str, Array], data: Mapping[str, Array], rows: Array, first: int) -> None:
        """Do the steps again one by one, keeping every tensor, and raise the error that says where it began."""
        system = self.step.system
        everything = program(system, tuple(equation.name for equation in system.equations), self.dtype, self.backend)

        def run_step(number: int) -> Mapping[str, Array]:
            begun = {name: value.copy() for name, value in state.items()}
            at = number - first
            steps = {"rows": rows[at : at + 1], "η": self.rates[number : number + 1]}
            with np.errstate(all="ignore"):
                values = everything.run(data, state, steps, seed=self.run.seed, first_step=number)
            return {**data, **begun, **{name: np.asarray(value)[0] for name, value in values.items()}}

        raise explain(system, run_step, range(first, first + len(rows)), lambda n: float(self.rates[n]))


def _of_members(values: Array) -> Array:
    """Values of steps [s]; those of an ensemble [s, e] by their means."""
    return np.asarray(values) if values.ndim == 1 else values.mean(axis=1)


def _means(done: Sequence[Steps]) -> tuple[float, float]:
    """Means over rows of the losses and the gradient norms of steps."""
    rows = np.concatenate([np.full(len(steps), steps.rows) for steps in done])
    # Put together first, so that how steps were grouped changes nothing.
    losses = np.concatenate([steps.losses for steps in done]).astype(np.float64)
    norms = np.concatenate([steps.gradient_norms for steps in done]).astype(np.float64)
    return float(np.average(losses, weights=rows)), float(np.average(norms, weights=rows))
