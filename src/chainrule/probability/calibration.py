"""Probabilities of classes corrected by rows that were held out, so that they mean what they say.

Two of the corrections are equations in the logits s[b,k]; their parameters are those of the highest likelihood, found
with the gradient that is derived from the equations.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from chainrule.calculus import reverse
from chainrule.calculus.derivation import Log
from chainrule.definition import definition_system
from chainrule.equations.system import Input, System
from chainrule.errors import ChainruleError
from chainrule.estimators.classifier import sum_to_one
from chainrule.layers.composition import Composition, Tensor
from chainrule.losses import CrossEntropy
from chainrule.probability.held_out import given_rows, hold_out, is_frozen, take, unfrozen
from chainrule.probability.wrapper import Wrapper
from chainrule.training.programs import program

if TYPE_CHECKING:
    from chainrule.notation.derivation import Derivation

Array = NDArray[Any]

FACTORS = (1e-3, 1e3)  # of logits: where every held-out row is told right, the likelihood has no highest point
BIASES = (-50.0, 50.0)
BACKEND = "numpy"  # a few matrix operations on any number of rows: nothing to compile anew for each number


class CalibratedClassifier(ClassifierMixin, Wrapper):  # type: ignore[misc]
    """Common to the classifiers below, which differ in what they learn from probabilities and true classes."""

    every_class: ClassVar[bool] = True  # whether each class must be among the rows to calibrate with

    classes_: Array

    def __init__(self, estimator: Any, *, calibration_fraction: float = 0.2, random_state: Any = None) -> None:
        self.estimator = estimator
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    @abstractmethod
    def _learn(self, probabilities: Array, t: Array) -> None:
        """Learn from the model's probabilities [b,k] of rows of the classes t[b]."""

    @abstractmethod
    def _corrected(self, probabilities: Array) -> Array:
        """Corrected probabilities [b,k]."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the estimator on a part of the rows, and calibrate it with the others, of each class in proportion.

        A ``sklearn.frozen.FrozenEstimator`` is calibrated with all of them.
        ``sample_weight`` [b]: the weights of the rows that the estimator is trained on; all count the same where it is
        calibrated.
        Raises ChainruleError for an estimator without probabilities, for one whose training takes no weights where some
        are given, and for a class that is not held out.
        """
        self._check()
        X, labels = given_labels(X, y)
        weights = self._weights(sample_weight, len(labels))
        if is_frozen(self.estimator):
            return self.calibrate(X, labels)
        kept, aside = hold_out(len(labels), self.calibration_fraction, labels, self.random_state)
        if self.every_class:
            check_every_class_held(type(self).__name__, labels, aside)
        self._train(X, labels, kept, weights)
        return self._calibrate(take(X, aside), labels[aside])

    def calibrate(self, X: Any, y: Any = None) -> Self:
        """Calibrate the estimator, which is fitted already, with rows that it was not trained on.

        Raises ChainruleError for an estimator without probabilities, and for a class without a row.
        """
        self._check()
        self._take_fitted()
        return self._calibrate(*given_labels(X, y))

    def predict_proba(self, X: Any) -> Array:
        """The corrected probability of each class [b,k]."""
        check_is_fitted(self)
        return self._corrected(np.asarray(self.estimator_.predict_proba(X)))

    def predict(self, X: Any) -> Array:
        """The most probable class of each row [b]."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _check(self) -> None:
        self._check_estimator(classifies=True)
        check_gives_probabilities(self, self.estimator)

    def _calibrate(self, X: Any, labels: Array) -> Self:
        probabilities = class_probabilities(self.estimator_, X)
        t = class_numbers(labels, self.classes_)
        if self.every_class:
            check_every_class(type(self).__name__, t, self.classes_)
        self._learn(probabilities, t)
        return self


def check_gives_probabilities(wrapper: Any, estimator: Any) -> None:
    """Raise ChainruleError unless the estimator is there and has ``predict_proba``."""
    if not hasattr(estimator, "predict_proba"):
        hint = "; with this loss it has scores only" if hasattr(estimator, "specification_") else ""
        raise ChainruleError(
            f"{type(wrapper).__name__} needs an estimator with predict_proba; "
            f"{type(unfrozen(estimator)).__name__} has none{hint}"
        )


def given_labels(X: Any, y: Any) -> tuple[Any, Array]:
    """Rows and their classes [b].  Raises ChainruleError for several labels a row."""
    X, y = given_rows(X, y)
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ChainruleError("y has several columns; one class a row is wanted")
    check_classification_targets(labels)
    return X, column_or_1d(labels, warn=True)


def class_probabilities(estimator: Any, X: Any) -> Array:
    """p[b,k] of a fitted classifier.  Raises ChainruleError where each row has any number of labels."""
    found = np.asarray(estimator.predict_proba(X))
    if found.ndim != 2 or getattr(getattr(estimator, "target_", None), "several", False):
        raise ChainruleError(f"{type(estimator).__name__} predicts several labels a row; one class a row is wanted")
    return found


def class_numbers(labels: Array, classes: Array) -> Array:
    """The place of each label among the classes [b].  Raises ChainruleError for a label that is none of them."""
    place = {label: k for k, label in enumerate(np.asarray(classes).tolist())}
    for row, label in enumerate(labels.tolist(), 1):
        if label not in place:
            raise ChainruleError(f"y, row {row}: {label!r} is no class of the rows that the estimator was trained on")
    return np.array([place[label] for label in labels.tolist()], dtype=np.int64)


def check_every_class(owner: str, t: Array, classes: Array) -> None:
    """Raise ChainruleError, naming the first, where a class has no row among those to calibrate with."""
    missing = np.setdiff1d(np.arange(len(classes)), t)
    if len(missing):
        raise ChainruleError(
            f"{owner}: no row of class {np.asarray(classes)[missing[0]]!s} is among the {len(t)} rows to calibrate with"
        )


def check_every_class_held(owner: str, labels: Array, aside: Array) -> None:
    """Raise ChainruleError where a class of the labels [b] is not among the rows held out, by their numbers."""
    classes, t = np.unique(labels, return_inverse=True)
    check_every_class(owner, t[aside], classes)


class _Scaling(CalibratedClassifier):
    """Equations from logits ``s[b,k]`` to logits ``z[b,k]``, with a likelihood that is to be the highest."""

    equations: ClassVar[str]
    bounds: ClassVar[Mapping[str, tuple[float, float]]]

    @abstractmethod
    def _first(self, classes: int) -> dict[str, Array]:
        """The parameters that change nothing."""

    def _learn(self, probabilities: Array, t: Array) -> None:
        found = highest_likelihood(
            self.equations, {"s": logits(probabilities), "t": t}, self._first(probabilities.shape[1]), self.bounds
        )
        for name, value in zip(self.learnt, found.values(), strict=True):
            setattr(self, name, value)

    def _corrected(self, probabilities: Array) -> Array:
        log, prediction = scaling(self.equations)
        names = (tensor.name for tensor in log.system.parameters)
        state = {name: getattr(self, attribute) for name, attribute in zip(names, self.learnt, strict=True)}
        made = program(log.system.subset({prediction}), (prediction,), dtype="float64", backend=BACKEND)
        return np.asarray(made.run({"s": logits(probabilities)}, state)[prediction])

    def derivation(self) -> Derivation:
        """The derivation of the gradient of its parameters."""
        from chainrule.notation.derivation import derive

        return derive(written(self.equations)[0], "C")


@lru_cache
def written(equations: str) -> tuple[System, str]:
    """The system of a correction and its loss ``C``, and the name of the corrected probabilities."""
    axes = ("b", "k")
    under = Composition([Input("s", axes, "data")], {"b": None, "k": None})
    definition = definition_system(equations, "scaling")
    own = {name: name for name in definition.tensor_axes}
    made = under.place(definition, "scaling", {"s": Tensor("s", axes)}, names=own)
    z = made[definition.equations[-1].name]
    loss = CrossEntropy()
    prediction = loss.predict(under, z)
    loss.mean(under, z, loss.compose(under, z))
    return under.system(), prediction.name


@lru_cache
def scaling(equations: str) -> tuple[Log, str]:
    """The system of a correction with the gradients of its parameters, and the name of the corrected probabilities."""
    system, prediction = written(equations)
    return reverse.derive(system, "C", [tensor.name for tensor in system.parameters]), prediction


def highest_likelihood(
    equations: str, rows: Mapping[str, Array], first: Mapping[str, Array], bounds: Mapping[str, tuple[float, float]]
) -> dict[str, Array]:
    """The parameters of the lowest mean cross-entropy on these rows, by L-BFGS within bounds."""
    log, _ = scaling(equations)
    made = program(log.system, ("C", *(log.gradients[name] for name in first)), dtype="float64", backend=BACKEND)
    sizes = np.cumsum([value.size for value in first.values()])[:-1]

    def unpacked(flat: Array) -> dict[str, Array]:
        parts = zip(first.items(), np.split(flat, sizes), strict=True)
        return {name: part.reshape(value.shape) for (name, value), part in parts}

    def cost(flat: Array) -> tuple[float, Array]:
        found = made.run(rows, unpacked(flat))
        return float(found["C"]), np.concatenate([np.ravel(found[log.gradients[name]]) for name in first])

    within = [bounds[name] for name, value in first.items() for _ in range(value.size)]
    start = np.concatenate([value.ravel() for value in first.values()])
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9}
    return unpacked(minimize(cost, start, jac=True, method="L-BFGS-B", bounds=within, options=options).x)


def logits(probabilities: Array) -> Array:
    """Logarithms of probabilities [b,k] in float64, which are logits up to a constant in each row.

    A probability too small to be told from 0 counts as the smallest that can be: of two classes one is 1 less the
    other, and not known below the rounding of 1.
    """
    limits = np.finfo(probabilities.dtype)
    least = limits.eps if probabilities.shape[1] == 2 else limits.tiny
    return np.asarray(np.log(np.maximum(probabilities, least).astype(np.float64)))


class TemperatureScaling(_Scaling):
    """A classifier whose logits are multiplied by one number, the inverse of a temperature; its classes stay the same.

    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (2017), §4.2.  Logits are logarithms of
    the estimator's probabilities.

    Parameters
    ----------
    estimator : a classifier with ``predict_proba``.
    calibration_fraction : the share of the rows that ``fit`` holds out to calibrate with.
    random_state : a whole number makes fitting repeatable: the division, and an estimator without a seed of its own.

    Attributes
    ----------
    temperature_ : above 1 where the estimator was too sure.
    estimator_ : the fitted classifier within; classes_, n_features_in_, feature_names_in_ are its own.
    """

    equations = """
    data s[b,k]
    parameter ν
    z[b,k] = ν*s[b,k]
    """
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"ν": FACTORS}
    learnt = ("inverse_temperature_",)
    every_class = False

    inverse_temperature_: Array

    @property
    def temperature_(self) -> float:
        """What logits are divided by."""
        return float(1 / self.inverse_temperature_)

    def _first(self, classes: int) -> dict[str, Array]:
        return {"ν": np.ones(())}


class VectorScaling(_Scaling):
    """A classifier of whose logits each class has a factor and a bias of its own.

    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (2017), §4.2.  Logits that differ by a
    constant in a row say the same and would be scaled differently, so they are logarithms of probabilities: diagonal
    Dirichlet calibration (Kull et al. 2019, eq. 2).  Parameters and ``estimator_`` are as for ``TemperatureScaling``.

    Attributes
    ----------
    factors_, biases_ : of each class [k].
    """

    equations = """
    data s[b,k]
    parameter w[k], β[k]
    z[b,k] = w[k]*s[b,k] + β[k]
    """
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"w": FACTORS, "β": BIASES}
    learnt = ("factors_", "biases_")

    factors_: Array
    biases_: Array

    def _first(self, classes: int) -> dict[str, Array]:
        return {"w": np.ones(classes), "β": np.zeros(classes)}


class IsotonicCalibration(CalibratedClassifier):
    """A classifier whose probability of each class goes through a monotone function, one class against the others.

    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates" (2002); the
    functions are scikit-learn's ``IsotonicRegression``, and what comes out is brought to a sum of 1.  It can bend any
    way, and so needs more rows than a temperature does.  Parameters and ``estimator_`` are as for
    ``TemperatureScaling``.

    Attributes
    ----------
    knots_ : rows (class, probability, corrected probability), between which lines are drawn.
    """

    learnt = ("knots_",)

    knots_: Array

    def _learn(self, probabilities: Array, t: Array) -> None:
        knots = []
        for k, column in self._learnt_columns(probabilities):
            fitted = IsotonicRegression(out_of_bounds="clip").fit(column, t == k)
            x, y = fitted.X_thresholds_, fitted.y_thresholds_
            knots.append(np.stack([np.full(len(x), k), x, y], axis=1, dtype=np.float64))
        self.knots_ = np.concatenate(knots)

    def _corrected(self, probabilities: Array) -> Array:
        found = []
        for k, column in self._learnt_columns(probabilities):
            _, x, y = self.knots_[self.knots_[:, 0] == k].T
            found.append(np.interp(column, x, y))
        if probabilities.shape[1] == 2:
            return np.stack([1 - found[0], found[0]], axis=1)
        return sum_to_one(np.stack(found, axis=1))

    @staticmethod
    def _learnt_columns(probabilities: Array) -> list[tuple[int, Array]]:
        """The classes that have a function: of two classes, the second."""
        first = 1 if probabilities.shape[1] == 2 else 0
        return [(k, probabilities[:, k].astype(np.float64)) for k in range(first, probabilities.shape[1])]
