"""What both estimators do: read the data, build the network, train it, predict."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.backends.threads import at_most
from chainrule.data.augment import as_augmentations, mixup_of
from chainrule.data.buckets import Buckets
from chainrule.data.frame import Frame, as_frame, is_data_frame
from chainrule.data.grid import as_cells
from chainrule.data.image_files import refuse_empty_folders
from chainrule.data.images import Files, Pixels
from chainrule.data.ragged import Ragged, SequenceReader
from chainrule.data.reader import Data, Reader
from chainrule.data.reading import fit_reader, special
from chainrule.data.rows import read_weights, split
from chainrule.data.rule import ReadingRule
from chainrule.data.table import Table
from chainrule.data.target import Target
from chainrule.definition import refuse_class
from chainrule.errors import ChainruleError
from chainrule.estimators import defaults
from chainrule.estimators.counts import count
from chainrule.estimators.measure import Measure
from chainrule.estimators.members import Members
from chainrule.estimators.model import (
    Specification,
    check_learning,
    check_vocabulary,
    longest_row,
    output_shape,
    resolved,
)
from chainrule.estimators.nested import with_nested, with_values
from chainrule.estimators.prediction import Predictor, predictor
from chainrule.estimators.rows import Rows, distinct
from chainrule.estimators.settings import ready_network
from chainrule.estimators.sources import fits_in_memory, in_pieces, rows_as_needed
from chainrule.layers import as_layer
from chainrule.layers.composition import Reading
from chainrule.losses import Loss
from chainrule.training.callbacks import Callback, EarlyStopping, Run, as_callbacks
from chainrule.training.ensemble import Shuffled
from chainrule.training.history import History
from chainrule.training.loop import Trainer, train_to_end
from chainrule.training.programs import backend_name
from chainrule.training.snapshots import Keeper
from chainrule.training.source import InMemory, Source, steps_per_epoch
from chainrule.training.step import TrainingStep
from chainrule.training.weighting import RowWeighted

Array = NDArray[Any]


@dataclass(frozen=True)
class TrainingRun:
    """What a training run was, beside its equations and its data."""

    rows: int
    batch_size: int
    epochs: int
    seed: int
    set_aside: bool = True  # whether validation rows were taken from the rows given
    computed_by: str = ""  # the backend and the threads, in words
    longest: int | None = None  # row, where rows differ in length


class NetworkEstimator(Members, BaseEstimator):  # type: ignore[misc]
    """Common to ``Classifier`` and ``Regressor``; the targets are theirs."""

    # What fit leaves, beside scikit-learn's own.
    input_: Reader
    target_: Target
    specification_: Specification
    parameters_: dict[str, Array]
    history_: History
    training_: TrainingRun

    # --- what the estimators differ in -------------------------------------------------------------------------------

    @abstractmethod
    def _read_target(self, y: Any) -> Array:
        """The targets as an array, checked."""

    @abstractmethod
    def _fit_target(self, y: Array, weights: Array) -> Target: ...

    @abstractmethod
    def _default_loss(self) -> Loss: ...

    def _fitted_loss(self, loss: Loss) -> Loss:
        """The loss with what it takes from the targets."""
        return loss

    @abstractmethod
    def _learnt(self, y: Array, step: TrainingStep) -> Array:
        """The targets in the form in which the step reads them."""

    @abstractmethod
    def _units(self, loss: Loss) -> int | tuple[int, ...]:
        """The units of the network's last layer."""

    def _accepted(self, loss: Loss) -> set[tuple[int, ...]]:
        """The shapes that the output of one row may have."""
        units = self._units(loss)
        return {units if isinstance(units, tuple) else (units,)}

    @abstractmethod
    def _weigh(self, rows: Rows) -> Array:
        """The weights of rows, those of classes included."""

    @abstractmethod
    def _strata(self, y: Array) -> Array | None:
        """Class numbers by which rows are split for validation."""

    @abstractmethod
    def _metrics(self, names: tuple[str, ...], y: Array, prediction: Array) -> dict[str, float]:
        """Scores of the network's prediction on validation rows."""

    # --- settings -----------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name; ``deep``: also their arguments, such as ``optimizer__learning_rate``."""
        settings: dict[str, Any] = super().get_params(deep=False)
        return with_nested(settings) if deep else settings

    def set_params(self, **params: Any) -> Self:
        """Change settings, or arguments of theirs: ``set_params(optimizer__learning_rate=0.01)``."""
        super().set_params(**with_values(self.get_params(deep=False), params))
        return self

    # --- fitting ------------------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation: tuple[Any, Any] | None = None
    ) -> Self:
        """Train on rows ``X`` with targets ``y``.

        ``X``: a data frame, an array [row, column] or [row, …]; a list of texts, or a data frame with one column of
        prose; time series: a list of arrays [t, c], or a ``.ts`` file; images or recordings: a folder with a folder for
        each class (which says ``y``), files, or what ``read_images`` and ``recordings`` return.  ``sample_weight``
        [row]: a weight of 2 is the row given twice, and rows that are the same (up to 20,000 of them) are one row with
        their weights added, so that neither copies nor the order of rows change the result.  ``validation``: rows and
        targets to measure on after each epoch, instead of rows set aside.
        Raises ChainruleError (a ValueError) naming the column and row of what cannot be used.
        """
        with self._threads():
            return self._fit(X, y, sample_weight, validation)

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any] | None) -> Self:
        self._train(self._begin(X, y, sample_weight, validation), set_aside=validation is None)
        return self

    def _begin(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any] | None = None,
        watched: Sequence[str] = (),
    ) -> Trainer:
        """What ``fit`` does before the first step: a run ready to be advanced, which also has the ``watched``
        quantities of each step.
        """
        rows, aside = self._specified(X, y, sample_weight, validation)
        seed = self._seed()
        state = self._first_state(seed)
        batch_size = self._rows_a_step(len(rows))
        epochs = self._epochs(defaults.default_epochs(len(rows), batch_size, self.input_))
        run = Run(state, self._names(), epochs, steps_per_epoch(len(rows), batch_size), seed)
        rates = self.specification_.optimizer.rates(run.steps)
        return self._trainer(run, rows, aside, batch_size, rates, watched, self._keepers())

    def _specified(
        self, X: Any, y: Any, sample_weight: Any = None, validation: tuple[Any, Any] | None = None
    ) -> tuple[Rows, Rows | None]:
        """Read the data and make the equations for them: the rows to train on, and those to measure on."""
        backend_name(self.backend)
        rows = distinct(self._rows(X, y, sample_weight, reset=True))
        self.target_ = self._fit_target(rows.y, rows.weights)
        rows, aside = self._divide(rows, validation is None)
        self.input_ = fit_reader(rows.X, rows.weights, self.reading)
        if validation is not None:
            aside = self._rows(*validation, None, reset=False, text_at=_texts_at(rows.X))
            aside = Rows(aside.X, aside.y, self._weigh(aside))
        self._specify(weighted=bool(np.ptp(rows.weights)), rows=len(rows))
        return rows, aside

    def _rows_a_step(self, rows: int) -> int:
        """The size of a minibatch, where there are so many rows."""
        return count("batch_size", self.batch_size, defaults.default_batch_size(rows, self.input_), rows)

    def _fit_more(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """One epoch more on these rows, at a constant rate; the first call decides how rows and targets are read."""
        backend_name(self.backend)
        first = not hasattr(self, "parameters_")
        rows = self._rows(X, y, sample_weight, reset=first, text_at=frozenset() if first else self._text_at())
        if first:
            self.target_ = self._fit_target(rows.y, rows.weights)
            self.input_ = fit_reader(rows.X, rows.weights, self.reading)
            # Later rows may have weights, so the equations have them from the start.
            self._specify(weighted=True, rows=len(rows))
            self._seed_ = self._seed()
            self._state = self._first_state(self._seed_)
            self.history_ = History()
        rows = Rows(rows.X, rows.y, self._weigh(rows))
        if np.ptp(rows.weights) and not isinstance(self.specification_.loss, RowWeighted):
            self.specification_ = replace(self.specification_, loss=RowWeighted(self.specification_.loss))
        batch_size = self._rows_a_step(len(rows))
        done = int(self.history_.last.get("steps", 0))
        steps = steps_per_epoch(len(rows), batch_size)
        run = Run(self._training_state(), self._names(), len(self.history_) + 1, steps, self._seed_)
        run.history, run.epoch, run.step = self.history_, len(self.history_), done
        rate = self.specification_.optimizer.schedule.peak
        self._train(self._trainer(run, rows, None, batch_size, np.full(done + steps, rate)), set_aside=False)
        return self

    def _training_state(self) -> dict[str, Array]:
        """Parameters and optimizer states to go on from; a loaded model has the parameters only."""
        if not hasattr(self, "_state"):
            self._seed_ = self._seed()
            self._state = {**self._first_state(self._seed_), **self.parameters_}
        return {name: np.array(value) for name, value in self._state.items()}

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, text_at: Collection[int] = frozenset()) -> Rows:
        """Everything that was given, read and checked."""
        table = self._read_input(X, text_at, reset=reset, least=2 if reset else 1)
        if y is None and isinstance(X, str | Path) and Path(X).is_dir() and isinstance(table, Pixels | Files):
            refuse_empty_folders(Path(X))
        target = self._read_target(self._labels(table) if y is None else y)
        check_consistent_length(target, np.empty((len(table), 0)))
        return Rows(table, target, read_weights(sample_weight, len(table)))

    def _labels(self, data: Data) -> Array | None:
        """The labels that came with rows, if they are of a kind that may have some."""
        if not hasattr(data, "labels"):
            return None
        labels: Array | None = data.labels
        if labels is None:
            raise ChainruleError("nothing says what is to be learnt: give y, or rows in a folder for each class")
        return labels

    def _text_at(self) -> Collection[int]:
        """The positions of the columns that were text in training."""
        return self.input_.text_at if isinstance(self.input_, Table) else frozenset()

    def _read_input(self, X: Any, text_at: Collection[int], *, reset: bool, least: int = 1) -> Data:
        rule = self.reading
        if rule is not None and not isinstance(rule, ReadingRule):
            raise ChainruleError(f"reading is a rule such as Words() or LogMel(), or None, not {rule!r}")
        found = special(X, None if reset else self.input_, rule)
        if found is not None:
            if len(found) < least:
                raise ChainruleError(f"there is {len(found)} row; at least {least} are needed")
            if is_data_frame(X):
                validate_data(self, X, reset=reset, skip_check_array=True)
            return found
        if is_data_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            frame = as_frame(X, text_at)
            if len(frame) < least:
                raise ChainruleError(f"the table has {len(frame)} sample(s); at least {least} are needed")
            if not frame.names:
                raise ChainruleError("the table has no columns")
            return frame
        array = validate_data(
            self, X, reset=reset, dtype=None, ensure_all_finite=False, allow_nd=True, ensure_min_samples=least
        )
        return as_frame(array, text_at) if array.ndim == 2 else as_cells(array)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _names(self) -> tuple[str, ...]:
        return self.specification_.step.learnt

    def _specify(self, *, weighted: bool, rows: int) -> None:
        """Network, loss and optimizer, those of the defaults where none are given, checked against the targets."""
        loss = self._default_loss() if self.loss is None else self.loss
        owner = type(self).__name__
        refuse_class(owner, "loss", loss, Loss)
        if not isinstance(loss, Loss):
            raise ChainruleError(f"loss is a loss such as {self._default_loss()!r}, not {loss!r}")
        loss = self._fitted_loss(loss)
        units = self._units(loss)
        network = ready_network(self.network, units, self.input_)
        network = defaults.default_network(units, self.input_) if network is None else network
        check_vocabulary(as_layer(network, "network"), self.input_)
        optimizer = defaults.default_optimizer(rows, self.input_) if self.optimizer is None else self.optimizer
        self._check_augmentation(loss)
        regularizers = check_learning(owner, optimizer, self.regularizer, self.clipping)
        reading = Reading(tuple(self.input_.sizes.items()), self.input_.role, self.input_.length)
        made = Specification(
            resolved(network, reading),
            RowWeighted(loss) if weighted else loss,
            optimizer,
            reading,
            regularizers,
            self.clipping,
        )
        found = output_shape(made.step)
        if found not in self._accepted(loss):
            raise ChainruleError(
                f"the network ends in {_shape(found)} a row; {loss!r} with {self._described()} needs "
                f"{_shape(units if isinstance(units, tuple) else (units,))}: end it with Dense({units})"
            )
        self.specification_ = self._with_members(made)

    def _check_augmentation(self, loss: Loss) -> None:
        if mixup_of(as_augmentations(self.augmentation)) is not None and "t" in loss.system.input_by_name:
            raise ChainruleError(
                f"Mixup makes targets soft, and {loss!r} reads the number of a class; use SoftCrossEntropy()"
            )

    @abstractmethod
    def _described(self) -> str:
        """The targets in words."""

    def training_arrays(self, X: Any, y: Any, sample_weight: Any = None) -> dict[str, Array]:
        """The arrays that ``fit`` trained on when it was given these rows: what the file of ``source()`` reads.

        ``np.savez("data.npz", **model.training_arrays(X, y))`` writes them.
        """
        check_is_fitted(self, "parameters_")
        rows = distinct(self._rows(X, y, sample_weight, reset=False, text_at=self._text_at()))
        rows, _ = self._divide(rows, self.training_.set_aside)
        return self._arrays(rows)

    def _arrays(self, rows: Rows) -> dict[str, Array]:
        """Rows as the training step reads them: X [r, …], the targets, and the weights, with mean 1."""
        values = {**self.input_.encode(rows.X), **self._beside(rows)}
        return {source: values[name] for name, source in self.specification_.step.sources.items()}

    def _beside(self, rows: Rows) -> dict[str, Array]:
        """What rows have beside their input: targets, and weights with mean 1."""
        learnt = self._learnt(rows.y, self.specification_.step)
        return {"t": learnt, "y": learnt, "ω": (rows.weights / rows.weights.mean()).astype(np.float32)}

    def _source(self, rows: Rows) -> Source:
        """Training rows in memory or, where they are augmented or too many for that, made when they are needed."""
        augmentations = as_augmentations(self.augmentation)
        if self.input_.length is not None and not augmentations:
            sources, beside = self.specification_.step.sources, self._beside(rows)
            others = {source: beside[name] for name, source in sources.items() if name in beside}
            return Buckets(self._sequences(rows.X), others)
        if not augmentations and fits_in_memory(self.input_, len(rows)):
            return InMemory(self._arrays(rows))
        sources, beside = self.specification_.step.sources, self._beside(rows)
        others = {source: beside[name] for name, source in sources.items() if name in beside}
        return rows_as_needed(self.input_, rows.X, others, sources["x"], augmentations)

    def _sequences(self, X: Data, dtype: Any = np.float32) -> Ragged:
        """Rows that differ in length, as the network reads them.  Raises ChainruleError for one that is too long."""
        reader: SequenceReader = self.input_  # type: ignore[assignment]
        sequences = reader.ragged(X, dtype)
        most = longest_row(self.specification_.network)
        if most is not None and sequences.lengths.max() > most:
            row = int(np.argmax(sequences.lengths > most))
            length = sequences.lengths[row]
            raise ChainruleError(
                f"X, row {row + 1} has {length:,} positions; the network has {most:,} LearnedPositions"
            )
        return sequences

    def _divide(self, rows: Rows, set_aside: bool) -> tuple[Rows, Rows | None]:
        """Training rows, the weights of their classes put in, and validation rows if some are to be set aside."""
        rows = Rows(rows.X, rows.y, self._weigh(rows))
        return self._set_aside(rows) if set_aside else (rows, None)

    def _set_aside(self, rows: Rows) -> tuple[Rows, Rows | None]:
        """Training rows and validation rows (None if there are to be none)."""
        fraction = self.validation_fraction
        stopping = self._early_stopping()
        if fraction is None:
            watches = stopping is not None and stopping.metric != "loss"
            fraction = 0.1 if watches else defaults.default_validation_fraction(len(rows))
        if not isinstance(fraction, int | float | np.number) or not 0 <= fraction < 1:
            raise ChainruleError(f"validation_fraction is a number from 0 to below 1, not {fraction!r}")
        if fraction == 0:
            return rows, None
        kept, aside = split(len(rows), float(fraction), self._strata(rows.y), np.random.default_rng(self._split_seed()))
        if not len(aside):
            raise ChainruleError(f"validation_fraction={fraction:g} of {len(rows)} rows is none")
        return rows.take(kept), rows.take(aside)

    def _split_seed(self) -> int:
        # A generator given as random_state must not be drawn from twice; the split has its own fixed seed then.
        return int(self.random_state) if isinstance(self.random_state, int | np.integer) else 0

    def _early_stopping(self) -> EarlyStopping | None:
        given = self.early_stopping
        if given is None or given is False:
            return None
        if given is True:
            return EarlyStopping()
        if not isinstance(given, EarlyStopping):
            raise ChainruleError(f"early_stopping is None, True, False or EarlyStopping(…), not {given!r}")
        return given

    def _trainer(
        self,
        run: Run,
        rows: Rows,
        aside: Rows | None,
        batch_size: int,
        rates: Array,
        watched: Sequence[str] = (),
        keepers: tuple[Keeper, ...] = (),
    ) -> Trainer:
        """A run on these rows, with everything that is to watch it."""
        from chainrule.training.notebook import live_display

        stopping = self._early_stopping()
        if self.early_stopping is None and aside is not None and not keepers:
            # Nothing was said, but there are validation rows: the best epoch is kept, and none is left out.
            stopping = EarlyStopping(patience=run.epochs)
        # What is kept is a part of the state before others look at it, a checkpoint above all.
        watching: list[Callback] = [*keepers, *([] if stopping is None else [stopping])]
        watching += list(as_callbacks(self.callbacks))
        watching += [live_display()] if self.verbose else []
        self.history_ = run.history
        specification, source = self.specification_, self._source(rows)
        return Trainer(
            specification.trained,
            source if specification.members is None else Shuffled(source, specification.members),
            run,
            batch_size=batch_size,
            rates=rates,
            callbacks=tuple(watching),
            measure=None if aside is None else Measure(self, aside, stopping),
            watched=watched,
            backend=self.backend,
        )

    def _train(self, trainer: Trainer, *, set_aside: bool) -> None:
        try:
            train_to_end(trainer)
        except KeyboardInterrupt:
            self._keep(trainer, set_aside)
            raise
        self._keep(trainer, set_aside)

    def _keep(self, trainer: Trainer, set_aside: bool) -> None:
        """What the run has learnt."""
        run, data = trainer.run, trainer.source
        data = data.source if isinstance(data, Shuffled) else data
        self.parameters_ = {name: np.asarray(run.state[name]) for name in run.parameters}
        self._state = {name: run.state[name] for name in run.state if name in trainer.step.system.input_by_name}
        self._seed_ = run.seed
        self.n_iter_ = run.epoch
        longest = int(data.sequences.lengths.max()) if isinstance(data, Buckets) else None
        self.training_ = TrainingRun(
            data.rows, trainer.batch_size, run.epochs, run.seed, set_aside, run.computed_by, longest
        )
        self.best_epoch_ = run.best_epoch or run.epoch
        self._take_members(trainer)

    # --- predicting ---------------------------------------------------------------------------------------------------

    def _predict(self, X: Any, made: Callable[[Any], Predictor] = predictor) -> Array:
        """The network's prediction [b, …], or what else a predictor that is ``made`` of the model finds of each row."""
        if not hasattr(self, "parameters_"):
            check_is_fitted(self, "parameters_")
        if self.n_jobs is None:
            return self._predicted(X, made(self))
        with self._threads():
            return self._predicted(X, made(self))

    def _predicted(self, X: Any, made: Predictor) -> Array:
        """What is predicted of each row [b, …]."""
        found = made.of_plain(X)
        if found is None:
            rows = self._read_input(X, self._text_at(), reset=False)
            if self.input_.length is not None:
                return made.of_sequences(self._sequences(rows, np.float64))
            found = np.concatenate(
                [made.of_encoded(self.input_.encode(some, np.float64)) for some in in_pieces(self.input_, rows)]
            )
        return found

    def _threads(self) -> AbstractContextManager[None]:
        """The threads that ``n_jobs`` allows.  Raises ChainruleError where it is no number of threads."""
        n_jobs = self.n_jobs
        if n_jobs is None:
            return nullcontext()
        if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer) or n_jobs == 0:
            raise ChainruleError(f"n_jobs is a number of threads, -1 for all of them, or None, not {n_jobs!r}")
        return at_most(int(n_jobs))


def _texts_at(X: Data) -> Collection[int]:
    """The positions of the columns of text in rows."""
    return frozenset(X.texts) if isinstance(X, Frame) else frozenset()


def _shape(shape: tuple[int, ...]) -> str:
    return f"{'×'.join(map(str, shape))} value{'s' if shape != (1,) else ''}"
