"""Runs of the lab: networks in training, each in a thread of its own, that can be paused, stepped and looked into.

Only a run's own thread touches what it trains: between two groups of steps it does what others asked for.  Looking at a
run copies, and what takes longer than a copy is computed in the thread of whoever looks.
"""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from chainrule.data.sets import in_words_of
from chainrule.equations.walk import tensors
from chainrule.errors import ChainruleError
from chainrule.estimators.words import in_words
from chainrule.lab.evaluation import Evaluation
from chainrule.lab.sets import LabSet
from chainrule.lab.setup import Estimator, Setup
from chainrule.lab.snapshot import Curves, Effect, Snapshot, State
from chainrule.training.history import History
from chainrule.training.loop import Steps, Trainer
from chainrule.training.step import TrainingStep
from chainrule.walk import Walk, walk

Array = NDArray[Any]
Result = TypeVar("Result")

SOONEST = 0.1  # seconds between two snapshots of a run that is training
SECONDS_A_GROUP = 0.1  # of steps, where there is a pace


class LabRun:
    """A network in training on a set, from the first step of its set-up on.

    Its training is that of ``fit`` with the set's validation rows, to the bit, however it is paused and stepped.
    ``estimator`` holds how data are read and the equations; it is fitted in what ``model`` returns.  ``pace``: steps a
    second at most, so that a small network can be watched; None for as many as there can be.
    Raises ChainruleError where the set-up does not fit the set.
    """

    def __init__(self, setup: Setup, data: LabSet) -> None:
        self.id = uuid4().hex[:12]
        self.setup = setup
        self.data = data
        self.estimator: Estimator = setup.estimator(data.classes)
        self.error = ""
        self.pace: float | None = None
        self.used = time.monotonic()
        self.version = 0  # rises with every change of what is trained: steps, values put by hand, the end
        self._seconds = 0.0
        self._due = 0.0  # when the next group of steps may begin, where there is a pace
        self._curves = Curves()
        self._epochs: list[Mapping[str, float]] = []
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._resting = threading.Event()  # set where it is not to go on by itself
        self._resting.set()
        self._ended = False
        self._closed = False
        self._wanted = threading.Event()  # somebody would like a newer snapshot
        self._gate = threading.Lock()  # nothing is asked of a run once it is closed
        self._entered = ExitStack()
        self._begin()
        self._publish()
        self._thread = threading.Thread(target=self._work, name=f"chainrule-lab-{self.id}", daemon=True)
        self._thread.start()

    def _begin(self) -> None:
        self._norms = _norms_by_layer(self.setup.step(self.data))
        training, validation = self.data.training, self.data.validation
        watched = tuple(name for names in self._norms.values() for name in names)
        with in_words_of(training):
            self._trainer: Trainer = self.estimator._begin(
                training.X, training.y, validation=(validation.X, validation.y), watched=watched
            )
        self._evaluation = Evaluation(self.estimator, self.data)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def step_equations(self) -> TrainingStep:
        """The equations of the run."""
        return self.estimator.specification_.step

    @property
    def state(self) -> State:
        if self.error:
            return "failed"
        if self._ended:
            return "finished"
        if not self._resting.is_set():
            return "running"
        return "paused" if self._trainer.run.step else "ready"

    def snapshot(self) -> Snapshot:
        """The run as it is, or, while it trains, as it was a moment ago; asking again gives a newer one.

        It never waits for steps.  A run that nobody asks copies nothing.
        """
        self.used = time.monotonic()
        self._wanted.set()
        return replace(self._snapshot, state=self.state, error=self.error)

    # --- training -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Train until it is paused or finished."""
        self._ask(self._set_training)

    resume = start

    def pause(self) -> None:
        """Stop after the steps under way, so that it can be looked into and go on later."""
        self._ask(self._unset_training)

    def stop(self) -> None:
        """End the run; what was learnt is kept: as in ``fit``, the best epoch on validation rows."""
        self._ask(lambda: self._end("stopped"))

    def step(self) -> Snapshot:
        """Do one minibatch: the update that ``walk()`` has just shown.  Pauses a run that is training."""
        self._ask(self._one_step)
        return self.snapshot()

    def wait(self, seconds: float | None = None) -> State:
        """Wait until it is paused or over, no longer than ``seconds``; the state that it is in then."""
        self._resting.wait(seconds)
        return self.state

    def close(self) -> None:
        """End its thread; the run is of no use after that."""
        with self._gate:
            self._closed = True
            self._jobs.put(lambda: None)
        self._thread.join()

    # --- looking into it ----------------------------------------------------------------------------------------------

    def walk(self) -> Walk:
        """The step that comes next, forward, backward and update, on the rows of its minibatch.

        Raises ChainruleError where no step is left.
        """
        values, rate, number = self._ask(self._coming)
        return self._walked(values, rate, number)

    def walk_row(self, row: int) -> Walk:
        """A step on one row of the set, by its number from 0, with parameters and states as they are now.

        Raises ChainruleError where there is no such row.
        """
        rows = self.data.everything
        if not 0 <= row < len(rows):
            raise ChainruleError(f"there is no row {row}; {self.data.title} has rows 0 to {len(rows) - 1}")
        one = rows.take(np.array([row]))
        values = self._evaluation.encoded(one)
        state, rate, number = self._ask(self._standing)
        return self._walked({**values, **state}, rate, number)

    def set_value(self, parameter: str, position: Sequence[int], value: float) -> Effect:
        """Put another number in a parameter's place, by hand, and measure what it does.

        Raises ChainruleError where there is no such place, or for what is no finite number.
        """
        at = tuple(int(index) for index in position)
        before, parameters = self._ask(lambda: self._put(parameter, at, float(value)))
        loss_after, prediction_after = self._evaluation.measured(parameters)
        changed = parameters[parameter].copy()
        after = float(changed[at])
        changed[at] = before
        loss_before, prediction_before = self._evaluation.measured({**parameters, parameter: changed})
        return Effect(parameter, at, before, after, loss_before, loss_after, prediction_before, prediction_after)

    def model(self, parameters: Mapping[str, Array] | None = None) -> Estimator:
        """A fitted estimator with the parameters as they are now, or those of a snapshot; training leaves it alone."""
        found = self._ask(self._fitted)
        if parameters is not None:
            found.parameters_ = {name: np.array(value) for name, value in parameters.items()}
        return found

    def predictions(self, parameters: Mapping[str, Array]) -> Array:
        """The network's prediction [b, …] for the validation rows (2,000 at most) with these parameters."""
        return self._evaluation.measured(parameters)[1]

    def activations(self, parameters: Mapping[str, Array], X: Any) -> dict[str, Array]:
        """Every quantity of the network [b, …], as when it predicts, for rows ``X`` with these parameters."""
        return self._evaluation.activations(parameters, X)

    # --- in the thread of the run -------------------------------------------------------------------------------------

    def _work(self) -> None:
        """What the thread does: jobs, and steps where it is to train."""
        self._entered.enter_context(self._trainer)
        while not (self._closed and self._jobs.empty()):
            try:
                self._jobs.get(timeout=None if self._resting.is_set() else self._rest())()
            except queue.Empty:
                self._go_on()
        self._entered.close()

    def _rest(self) -> float:
        """Seconds to wait before the next group of steps."""
        return max(self._due - time.monotonic(), 0.0) if self.pace else 0.0

    def _go_on(self) -> None:
        """A group of steps by itself; whatever goes wrong is the state of this run and of no other."""
        try:
            most = None
            if pace := self.pace:
                most = max(1, round(pace * SECONDS_A_GROUP))
                self._due = max(self._due, time.monotonic() - SECONDS_A_GROUP) + most / pace
            self._advance(most)
            if self._wanted.is_set() and time.monotonic() - self._taken_at >= SOONEST:
                self._publish()
        except Exception as error:  # a run's failure must leave the server and the other runs as they are
            self._fail(error)

    def _advance(self, most: int | None) -> None:
        trainer = self._trainer
        start = time.perf_counter()
        complete = trainer.advance(most)
        self.version += 1
        assert trainer.latest is not None
        self._record(trainer.latest)
        if complete:
            trainer.end_epoch()
            self._epochs.append(dict(trainer.run.history.last))
        self._seconds += time.perf_counter() - start
        if trainer.finished:
            self._end(trainer.run.stopped)

    def _record(self, steps: Steps) -> None:
        last = steps.first + len(steps)
        values = {"loss": float(np.mean(steps.losses)), "learning_rate": float(self._trainer.rates[last - 1])}
        values["gradient_norm"] = float(np.mean(steps.gradient_norms))
        for layer, names in self._norms.items():
            squares = np.sum([steps.watched[name] for name in names], axis=0)
            values[f"gradient_norm {layer}"] = float(np.mean(np.sqrt(squares)))
        self._curves.add(last, len(steps), values)

    def _end(self, reason: str | None) -> None:
        """No more steps; what watches the run (the best epoch) has its say."""
        if reason is not None:
            self._trainer.run.stop(reason)
        self._entered.close()
        self.version += 1
        self._ended = True
        self._publish()
        self._resting.set()

    def _fail(self, error: Exception) -> None:
        self._entered.close()
        self.error = str(error) if isinstance(error, ChainruleError) else f"{type(error).__name__}: {error}"
        self._publish()
        self._resting.set()

    def _set_training(self) -> None:
        self._refuse_ended()
        self._resting.clear()

    def _unset_training(self) -> None:
        self._publish()
        self._resting.set()

    def _one_step(self) -> None:
        self._resting.set()
        self._refuse_ended()
        try:
            self._advance(1)
        except Exception as error:
            self._fail(error)
        self._publish()

    def _refuse_ended(self) -> None:
        if self.error:
            raise ChainruleError(self.error)
        if self._ended:
            raise ChainruleError("this run is finished; start another to train on")

    def _publish(self) -> None:
        self._wanted.clear()
        self._snapshot = self._taken()
        self._taken_at = time.monotonic()

    def _taken(self) -> Snapshot:
        run = self._trainer.run
        return Snapshot(
            self.state,
            self.error,
            self.version,
            run.step,
            run.epoch,
            run.epochs,
            run.steps_per_epoch,
            self._seconds,
            run.stopped,
            np.array(self._curves.steps),
            {name: np.array(values) for name, values in self._curves.values.items()},
            tuple(self._epochs),
            self._parameters(),
            run.computed_by,
        )

    def _parameters(self) -> dict[str, Array]:
        run = self._trainer.run
        return {name: run.state[name].copy() for name in run.parameters}

    def _standing(self) -> tuple[dict[str, Array], float, int]:
        """Parameters and states, the rate of the next step and its number."""
        trainer, run = self._trainer, self._trainer.run
        number = min(run.step, len(trainer.rates) - 1)
        return {name: value.copy() for name, value in run.state.items()}, float(trainer.rates[number]), run.step

    def _coming(self) -> tuple[dict[str, Array], float, int]:
        """What the next step reads."""
        self._refuse_ended()
        trainer = self._trainer
        state, rate, number = self._standing()
        return {**trainer.coming(), **state}, rate, number

    def _put(self, parameter: str, at: tuple[int, ...], value: float) -> tuple[float, dict[str, Array]]:
        """Change the value; what it was, and the parameters as they are now."""
        run = self._trainer.run
        if parameter not in run.parameters:
            raise ChainruleError(f"there is no parameter {parameter}; there are {', '.join(run.parameters)}")
        array = run.state[parameter]
        if len(at) != array.ndim or not all(0 <= index < size for index, size in zip(at, array.shape, strict=True)):
            raise ChainruleError(f"{parameter} has no place {list(at)}; its shape is {list(array.shape)}")
        with np.errstate(over="ignore"):
            given = array.dtype.type(value)
        if not np.isfinite(given):
            raise ChainruleError(f"{value:g} is no finite number of {parameter}, which holds {array.dtype} numbers")
        before = float(array[at])
        array[at] = given
        self.version += 1
        self._publish()
        return before, self._parameters()

    def _fitted(self) -> Estimator:
        """A copy of the estimator with what has been learnt so far."""
        run = self._trainer.run
        found = copy.copy(self.estimator)
        found._keep(self._trainer, set_aside=False)
        found.parameters_, found._state = self._parameters(), {k: v.copy() for k, v in run.state.items()}
        found.history_ = History(run.history.rows())
        return found

    def _ask(self, job: Callable[[], Result]) -> Result:
        """Have the run's thread do something between two groups of steps, and wait for it."""
        self.used = time.monotonic()
        done: Future[Result] = Future()

        def work() -> None:
            try:
                done.set_result(job())
            except BaseException as error:
                done.set_exception(error)

        with self._gate:
            if self._closed:
                raise ChainruleError("this run has ended")
            self._jobs.put(work)
        return done.result()

    # --- in the thread of whoever looks -------------------------------------------------------------------------------

    def _walked(self, values: Mapping[str, Array], rate: float, number: int) -> Walk:
        trainer, fitted = self._trainer, self._ask(self._fitted)
        made = walk(
            self.step_equations, values, rate=rate, rows=trainer.source.rows, seed=trainer.run.seed, number=number
        )
        fitted.parameters_ = {name: np.asarray(values[name]) for name in fitted.parameters_}
        return replace(made, said=in_words(fitted, fitted, values))


def _norms_by_layer(step: TrainingStep) -> dict[str, tuple[str, ...]]:
    """Layer → the quantities of the step that are the squared norms of its parameters' gradients."""
    squares = tensors(step.system.by_name[step.gradient_norm])
    found: dict[str, tuple[str, ...]] = {}
    for parameter, square in zip(step.parameters, squares, strict=True):
        layer = parameter.name.rpartition(".")[0] or parameter.name
        found[layer] = (*found.get(layer, ()), square)
    return found
