"""The training loop: epochs of minibatches, many steps a call, watched by callbacks.

The order of the rows is a function of (seed, epoch), random inputs are one of (seed, step): the same seed gives the
same run, and how steps are grouped into calls changes nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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
    source = InMemory({name: data[name] for name in step.sources.values()}) if isinstance(data, Mapping) else data
    if source.rows < 1 or batch_size < 1:
        raise ChainruleError(f"no minibatches of {batch_size} can be made of {source.rows} rows")
    backend = backend_name(backend)
    loop = _Loop(step, run, np.asarray(rates, dtype=np.float64), dtype, backend)
    work = batch_size * sum(run.state[name].size for name in run.parameters)
    with Interrupt() as interrupt, threads_for(work, backend):

        def after_steps() -> None:
            run.computed_by = run.computed_by or computed_by(backend, loop.program, work)
            for callback in callbacks:
                callback.on_steps(run)
            if interrupt.requested:
                raise KeyboardInterrupt

        for callback in callbacks:
            callback.on_start(run)
        try:
            # What callbacks have just taken up again says where to begin.
            with chunks(source, batch_size, run.seed, range(run.epoch, run.epochs)) as coming:
                while run.epoch < run.epochs and run.stopped is None:
                    start = time.perf_counter()
                    loss, norm = loop.run_epoch(coming, after_steps)
                    run.epoch += 1
                    row = {
                        "epoch": float(run.epoch),
                        "steps": float(run.step),
                        "loss": loss,
                        **(measure(run.state) if measure is not None else {}),
                        "learning_rate": float(loop.rates[run.step - 1]),
                        "gradient_norm": norm,
                        "seconds": time.perf_counter() - start,
                    }
                    run.history.append(row)
                    for callback in callbacks:
                        callback.on_epoch(run)
        except KeyboardInterrupt:
            run.stop("interrupted")
            warnings.warn(
                f"interrupted in epoch {run.epoch + 1} of {run.epochs}, after {run.step} steps; "
                "the model keeps what it has learnt",
                UserWarning,
                stacklevel=2,
            )
            if interrupt.insisted:
                raise
        finally:
            for callback in callbacks:
                callback.on_end(run)


def _means(done: Sequence[tuple[int, Array, Array]]) -> tuple[float, float]:
    """Means over rows of what is known for steps: rows a step, losses, gradient norms."""
    rows = np.concatenate([np.full(len(losses), rows) for rows, losses, _ in done])
    # Put together first, so that how steps were grouped changes nothing.
    losses, norms = (np.concatenate([group[k] for group in done]).astype(np.float64) for k in (1, 2))
    return float(np.average(losses, weights=rows)), float(np.average(norms, weights=rows))


class _Loop:
    """Runs groups of steps, timing them to choose how many the next group should have."""

    def __init__(self, step: TrainingStep, run: Run, rates: Array, dtype: str, backend: str) -> None:
        self.step = step
        self.constants = {name: np.array(value, dtype=dtype) for name, value in step.constants.items()}
        self.run = run
        self.rates = rates
        self.dtype = dtype
        self.backend = backend
        self.outputs = tuple(dict.fromkeys((step.cost, step.loss, step.gradient_norm)))
        self.program = program(step.system, self.outputs, dtype, backend)
        self.group = 4

    def run_epoch(self, coming: Iterator[Chunk], after_steps: Callable[[], None]) -> tuple[float, float]:
        """Do the steps of the chunks up to the end of an epoch: the mean loss and the mean norm of the gradient."""
        done: list[tuple[int, Array, Array]] = []  # rows a step, losses and gradient norms of steps
        for chunk in coming:
            for group in self.groups(chunk.places):
                losses, norms = self.run_steps(chunk.arrays, group)
                done.append((group.shape[1], losses, norms))
                after_steps()
            if chunk.ends:
                break
        return _means(done)

    def groups(self, places: Array) -> Iterator[Array]:
        """The minibatches in groups of the size that fits the time of a call."""
        at = 0
        while at < len(places):
            size = self.group
            yield places[at : at + size]
            at += size

    def run_steps(self, arrays: Mapping[str, Array], rows: Array) -> tuple[Array, Array]:
        """Do the steps on the ``rows`` [s, b] of the arrays: the loss and the norm of the gradient of each."""
        run, first = self.run, self.run.step
        before = {name: value.copy() for name, value in run.state.items()}
        data = {**arrays, **self.constants}
        steps = {"rows": rows, "η": self.rates[first : first + len(rows)]}
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            result = self.program.run(data, run.state, steps, seed=run.seed, first_step=first)
        seconds = time.perf_counter() - start
        losses = np.asarray(result[self.step.loss])
        if not np.isfinite(result[self.step.cost]).all() or not np.isfinite(losses).all():
            self.fail(before, data, rows, first)
        run.step += len(rows)
        run.loss = float(losses.mean())
        self.group = max(1, min(int(SECONDS_A_CALL * len(rows) / max(seconds, 1e-9)), 8 * self.group))
        return losses, np.asarray(result[self.step.gradient_norm])

    def fail(self, state: dict[str, Array], data: Mapping[str, Array], rows: Array, first: int) -> None:
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
