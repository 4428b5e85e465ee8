"""Looking into a fitted model: what it is, how its gradients are derived, whether they are right, its source."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainrule.calculus.differences import GradientCheck, check_gradients
from chainrule.data.augment import as_augmentations
from chainrule.data.text import SymbolReader
from chainrule.equations.sizes import solve_sizes
from chainrule.estimators import saving
from chainrule.estimators.model import longest_row, plain_loss
from chainrule.estimators.rows import Rows
from chainrule.estimators.summary import layer_lines, networks, sizes_for_one_row, sourced, table, training_facts
from chainrule.training.source import epoch_batches

if TYPE_CHECKING:
    from chainrule.diagnosis import Diagnosis
    from chainrule.notation.derivation import Derivation
    from chainrule.report import Report
    from chainrule.walk import Walk

Array = NDArray[Any]

CHECKED_ROWS = 5
EXAMINED_ROWS = 16  # made at random, where no data are given
RANDOM_LENGTH = 6  # of the longest of rows made at random, where rows differ in length


class Inspection:
    """What ``Classifier`` and ``Regressor`` can say of themselves once they are fitted."""

    def summary(self) -> str:
        """How each column is read; the layers, their sizes, parameters and multiply-adds for a row; the training."""
        model: Any = self
        check_is_fitted(model, "parameters_")
        specification = model.specification_
        several = networks(model)
        lines = [f"{type(self).__name__}, {model._described()}{f', an ensemble of {several}' if several else ''}", ""]
        lines += table(("column", "read as"), model.input_.lines())
        lines += ["", *(["one of the networks:"] if several else [])]
        lines += [*layer_lines(specification.step.prediction_system), ""]
        lines += [f"{name:<10} {said}" for name, said in training_facts(model)]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """What a notebook shows: scikit-learn's diagram and, once fitted, the summary and the learning curves."""
        model: Any = super()
        bundle: dict[str, Any] = model._repr_mimebundle_(**options)
        if "text/html" in bundle and hasattr(self, "parameters_"):
            from chainrule.estimators.shown import model_html

            bundle["text/html"] += model_html(self)
        return bundle

    def derivation(self) -> Derivation:
        """The derivation of the gradient of every parameter: ``.text()``, ``.html()``, ``.latex()``, ``.steps``."""
        from chainrule.notation.derivation import derive

        model: Any = self
        check_is_fitted(model, "parameters_")
        step = model.specification_.step
        loss = plain_loss(model.specification_.loss)
        return derive(step.cost_system, step.cost, assumption="" if loss is None else loss.assumption)

    def walk(self, X: Any, y: Any = None, *, rate: float | None = None) -> Walk:
        """A training step on these rows as the model is now: forward, loss, backward and update, every number of it.

        Without ``y``, where nothing says what the rows are, a prediction: forward alone.  Of an ensemble, it is that of
        the first network.  It ends with how the prediction is formed, of several networks or of a distribution's
        parameters.

        Optimizer states are as at the start of a run.  ``rate``: the learning rate; by default the highest of the
        model's schedule.
        Raises ChainruleError naming the column and row of what cannot be used.
        """
        check_is_fitted(self, "parameters_")
        return self._walk(self._walked(X, y), rate)

    def _walk(self, rows: dict[str, Array], rate: float | None = None) -> Walk:
        """The walk on rows as the network reads them."""
        from chainrule.estimators.formed import with_prediction
        from chainrule.estimators.words import in_words
        from chainrule.walk import walk, walk_forward

        model = self._one()
        step, said = model.specification_.step, in_words(self, model, rows)
        if not set(step.sources) <= set(rows):
            made = walk_forward(step, {**rows, **model.parameters_}, backend=model.backend)
            return with_prediction(self, replace(made, said=said), rows)
        made = walk(
            step,
            {**{name: rows[name] for name in step.sources}, **model.parameters_},
            rate=model.specification_.optimizer.schedule.peak if rate is None else rate,
            rows=model.training_.rows,
            seed=model.training_.seed,
            backend=model.backend,
        )
        return with_prediction(self, replace(made, said=said), rows)

    def _one(self) -> Any:
        """The network that is looked into: the first of an ensemble, or the one of which dropout makes others."""
        model: Any = self
        if model.specification_.thinned is not None:
            one = copy(model)
            one.specification_ = replace(model.specification_, thinned=None)
            return one
        return model if model.specification_.members is None else model.member(0)

    def _walked(self, X: Any, y: Any) -> dict[str, Array]:
        """Rows as the network reads them and, where it is known, what is to be learnt of them."""
        model: Any = self
        if y is None:
            data = model._read_input(X, model._text_at(), reset=False)
            if getattr(data, "labels", None) is None:
                return dict(model.input_.encode(data, np.float64))
        return self._read(model._rows(X, y, None, reset=False, text_at=model._text_at()))

    def _read(self, rows: Rows) -> dict[str, Array]:
        """Rows as the network and the loss read them, in float64."""
        model: Any = self
        return {**model.input_.encode(rows.X, np.float64), **model._beside(rows)}

    def source(self) -> str:
        """A Python file that trains the same network with NumPy alone, from the same first values.

        It reads the arrays of ``training_arrays(X, y)``, and its losses are those of ``fit``, step by step, but for
        augmentation, which it leaves out, and rows that differ in length, of which it takes minibatches as they come.
        Of an ensemble it trains the first network, alone: ``fit`` has the means of all networks' losses, and what they
        share learns from all of them.  Of ``Snapshots()``, ``SWA()`` and ``SWAG()`` it is their run, and what is left
        are the last weights.
        """
        from chainrule.backends.numpy.standalone import Training, standalone

        check_is_fitted(self, "parameters_")
        model = self._one()
        specification, run = model.specification_, model.training_
        augmented = bool(as_augmentations(model.augmentation))
        which, network = sourced(self), repr(specification.network)
        step = specification.step
        sizes = {**sizes_for_one_row(step.cost_system), "b": run.rows}
        if run.longest is not None:
            sizes[model.input_.length] = run.longest
        return standalone(
            Training(
                step.system,
                {step.sources[tensor.name]: tuple(sizes[axis] for axis in tensor.axes) for tensor in step.inputs},
                step.initialization,
                specification.optimizer.schedule.written,
                epoch_batches,
                run.batch_size,
                run.epochs,
                run.seed,
                step.loss,
                step.constants,
            ),
            f"Trains {f'{which}, {network},' if which else network} with NumPy alone"
            f"{', without augmentation' if augmented else ''}.",
        )

    def check_gradients(self, X: Any = None, y: Any = None, *, elements: int = 20) -> tuple[GradientCheck, ...]:
        """Derived gradients against finite differences, for each parameter as it is now.

        On the first five rows of ``X`` and ``y``; without them, on random numbers of the same shape.
        """
        check_is_fitted(self, "parameters_")
        model = self._one()
        step = model.specification_.step
        values: dict[str, Any] = {name: np.asarray(value, float) for name, value in model.parameters_.items()}
        values |= {name: np.asarray(value, float) for name, value in step.constants.items()}
        if X is None:
            rows = random_rows(model, CHECKED_ROWS)
        else:
            given = model._rows(X, y, None, reset=False, text_at=model._text_at())
            rows = model._read(given.take(np.arange(min(CHECKED_ROWS, len(given)))))
        values |= {name: rows[name] for name in step.sources}
        return check_gradients(step.cost_system, step.cost, values, elements=elements)

    def check(self, X: Any = None, y: Any = None, *, validation: tuple[Any, Any] | None = None) -> Diagnosis:
        """What may be wrong with the model: equations, network, training and, given the rows it was trained on, data.

        ``validation``: rows and targets that it was not trained on, in place of those that training set aside.
        Raises ChainruleError naming the column and row of what cannot be used.
        """
        from chainrule.diagnosis import diagnose
        from chainrule.estimators.examined import subject_of

        check_is_fitted(self, "parameters_")
        model = self._one()
        random = {} if X is not None else random_rows(model, EXAMINED_ROWS)
        return diagnose(subject_of(model, X, y, validation, random))

    def report(self, X: Any = None, y: Any = None, *, image: tuple[int, int] | None = None) -> Report:
        """A page on the model and, given rows and their targets, what it makes of them: ``.save(path)``, ``.html()``.

        Data, architecture, learning curves, mistakes, best and worst examples, calibration, what predictions rest on,
        weights, the check, the derivation, one example number by number, settings.  ``image``: the height and width of
        the images that the rows of a table are.
        Raises ChainruleError naming the column and row of what cannot be used.
        """
        from chainrule.report import Origin, report

        check_is_fitted(self, "parameters_")
        return report(self, X, y, Origin(image=image))

    def save(self, path: str | Path) -> Path:
        """Write ``model.safetensors`` and ``model.json`` into the folder ``path``: equations, parameters, how data are
        read, settings and history; no training data and no pickle.  ``chainrule.load`` reads it.

        Raises ChainruleError where the folder cannot be written.
        """
        check_is_fitted(self, "parameters_")
        return saving.save(self, path)


def random_rows(model: Any, rows: int) -> dict[str, Array]:
    """Random inputs of a model's network and of its loss, [b, …]; where rows differ in length, it is at most 6."""
    generator = np.random.default_rng(0)
    step = model.specification_.step
    most = longest_row(model.specification_.network)
    length = RANDOM_LENGTH if most is None else min(RANDOM_LENGTH, most)
    known = solve_sizes(step.cost_system, {}, partial=True)
    sizes = {axis: known.get(axis, length) for tensor in step.inputs for axis in tensor.axes} | {"b": rows}
    made: dict[str, Array] = {}
    for tensor in step.inputs:
        shape = [sizes[axis] for axis in tensor.axes]
        if tensor.name == "length":
            made[tensor.name] = generator.integers(1, length + 1, size=shape)
        elif tensor.role == "integer":
            of_text = tensor.name == "x" and isinstance(model.input_, SymbolReader)
            made[tensor.name] = generator.integers(model.input_.symbols if of_text else model.target_.size, size=shape)
        else:
            made[tensor.name] = generator.standard_normal(shape) if tensor.name == "x" else generator.random(shape)
    return made
