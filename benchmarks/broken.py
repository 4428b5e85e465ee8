"""Models that are broken in one known way each, and the finding that names it.

``BROKEN`` holds a function for each; it returns the subject of a diagnosis.  ``benchmarks.check`` prints what is found
in each, tests/diagnosis/test_broken.py demands it of the quickest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from chainrule.diagnosis import Diagnosis, diagnose
from chainrule.equations.node import Equation, Number
from chainrule.equations.system import System
from chainrule.estimators import Classifier, Regressor
from chainrule.estimators.examined import subject_of
from chainrule.initializers import Constant, Normal, Zeros
from chainrule.layers import RNN, Dense, Layer, Network, ReLU, Sigmoid, Tanh
from chainrule.optimizers import SGD, Adam, AdamW, CosineDecay

Array = NDArray[Any]


@dataclass(frozen=True)
class Broken:
    """A way to break a model: its name, the kinds of finding that name it, and the diagnosis of such a model."""

    name: str
    kinds: frozenset[str]
    diagnosis: Callable[[], Diagnosis]


BROKEN: list[Broken] = []


def breaks(name: str, *kinds: str) -> Callable[[Callable[[], Diagnosis]], Callable[[], Diagnosis]]:
    """Put a way of breaking a model on the list; a finding of any of the ``kinds`` names it."""

    def put(function: Callable[[], Diagnosis]) -> Callable[[], Diagnosis]:
        BROKEN.append(Broken(name, frozenset(kinds), function))
        return function

    return put


def digits(rows: int = 600) -> tuple[Array, Array]:
    X, y = load_digits(return_X_y=True)
    return X[:rows], y[:rows]


def fitted(network: Layer | None, X: Any, y: Any, **settings: Any) -> Any:
    """A classifier after a short training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Classifier(network, **{"epochs": 20, "random_state": 0, **settings}).fit(X, y)


def hidden(**arguments: Any) -> Network:
    """Two hidden layers of rectifiers whose layers have these arguments."""
    return Network(Dense(32, **arguments), ReLU(), Dense(32, **arguments), ReLU(), Dense(10, **arguments))


@breaks("wrong gradient", "wrong-gradient")
def wrong_gradient() -> Diagnosis:
    X, y = digits()
    model = fitted(None, X, y)
    subject = subject_of(model, X, y, None, {})
    gradient = subject.step.gradients["dense2.W"]
    return diagnose(replace(subject, step=replace(subject.step, system=altered(subject.step.system, gradient))))


def altered(system: System, name: str) -> System:
    """The system with one equation whose right-hand side is a hundredth larger."""
    equations = tuple(
        Equation(name, one.axes, Number(1.01) * one.expression) if one.name == name else one for one in system.equations
    )
    return System(equations, system.inputs, system.sizes, system.sources)


@breaks("zero weights", "zero-weights", "equal-units")
def zero_weights() -> Diagnosis:
    X, y = digits()
    return fitted(hidden(weights=Zeros()), X, y).check(X, y)


@breaks("equal weights", "equal-units")
def equal_weights() -> Diagnosis:
    X, y = digits()
    network = Network(Dense(32, Constant(0.05)), Tanh(), Dense(32, Constant(0.05)), Tanh(), Dense(10, Constant(0.05)))
    return fitted(network, X, y).check(X, y)


@breaks("biases of -10 before rectifiers", "dead-units")
def dead_rectifiers() -> Diagnosis:
    X, y = digits()
    network = Network(Dense(32, biases=Constant(-10.0)), ReLU(), Dense(10))
    return fitted(network, X, y).check(X, y)


@breaks("rate × 100, gradient descent", "rate-too-high", "not-finite")
def rate_too_high() -> Diagnosis:
    X, y = load_wine(return_X_y=True)
    return fitted(Network(Dense(16), Tanh(), Dense(3)), X, y, optimizer=SGD(30.0)).check(X, y)


@breaks("rate × 100, Adam", "rate-too-high")
def adam_too_high() -> Diagnosis:
    X, y = load_breast_cancer(return_X_y=True)
    return fitted(None, X, y, optimizer=AdamW(CosineDecay(0.1), weight_decay=0.0)).check(X, y)


@breaks("rate ÷ 10,000", "rate-too-low")
def rate_too_low() -> Diagnosis:
    X, y = load_iris(return_X_y=True)
    return fitted(None, X, y, optimizer=Adam(1e-7)).check(X, y)


@breaks("pixels from 0 to 255", "unscaled-inputs")
def unscaled_inputs() -> Diagnosis:
    X, y = digits()
    model = fitted(Network(Dense(32), ReLU(), Dense(10)), X.reshape(-1, 8, 8), y)
    model.input_ = replace(model.input_, mean=0.0, deviation=1 / 16)
    return model.check(X.reshape(-1, 8, 8), y)


@breaks("shuffled labels", "no-signal", "memorised-noise")
def shuffled_labels() -> Diagnosis:
    X, y = digits()
    y = np.random.default_rng(0).permutation(y)
    return fitted(None, X, y).check(X, y)


@breaks("shuffled targets", "no-signal", "memorised-noise")
def shuffled_targets() -> Diagnosis:
    X, y = load_diabetes(return_X_y=True)
    y = np.random.default_rng(0).permutation(y)
    return Regressor(epochs=20, random_state=0).fit(X, y).check(X, y)


@breaks("a column that gives the answer away", "leaking-column")
def leaking_column() -> Diagnosis:
    table, y = load_diabetes(return_X_y=True, as_frame=True)
    table = table.assign(visits=y * 0.25 + np.random.default_rng(0).normal(scale=0.2, size=len(y)))
    return Regressor(epochs=20, random_state=0).fit(table, y).check(table, y)


@breaks("a column that numbers the rows", "identifier-column")
def identifier() -> Diagnosis:
    table, y = load_diabetes(return_X_y=True, as_frame=True)
    table = table.assign(patient=np.random.default_rng(0).permutation(len(y)) + 1000)
    return Regressor(epochs=20, random_state=0).fit(table, y).check(table, y)


@breaks("weights so large that sigmoids saturate", "saturated-units")
def saturated_sigmoids() -> Diagnosis:
    X, y = digits()
    network = Network(Dense(32, Normal(deviation=20.0)), Sigmoid(), Dense(10))
    return fitted(network, X, y).check(X, y)


@breaks("ten layers of sigmoids", "vanishing-gradients")
def deep_sigmoids() -> Diagnosis:
    X, y = digits()
    network = Network(*[part for _ in range(10) for part in (Dense(16), Sigmoid())], Dense(10))
    return fitted(network, X, y, epochs=5).check(X, y)


@breaks("large recurrent weights", "exploding-gradients")
def large_recurrent_weights() -> Diagnosis:
    X, y = digits(300)
    rows = list(X.reshape(-1, 16, 4))
    # States small enough for tanh to be straight: where it bends, it holds δ down.
    recurrent = RNN(8, weights=Normal(deviation=1e-9), recurrent_weights=Normal(deviation=1.2))
    return fitted(Network(recurrent, Dense(10)), rows, y, epochs=1, optimizer=SGD(1e-3)).check(rows, y)


@breaks("eight layers of large weights", "exploding-gradients")
def large_weights() -> Diagnosis:
    X, y = digits()
    layers = [part for _ in range(7) for part in (Dense(32, Normal(deviation=1.0)), ReLU())]
    return fitted(Network(*layers, Dense(10, Normal(deviation=1.0))), X, y, epochs=5).check(X, y)


@breaks("validation rows that are training rows", "shared-rows")
def shared_rows() -> Diagnosis:
    X, y = digits()
    model = fitted(None, X, y, epochs=20)
    return model.check(X, y, validation=(X[:100], y[:100]))


@breaks("a column that never changes", "constant-column")
def constant_column() -> Diagnosis:
    table, y = load_wine(return_X_y=True, as_frame=True)
    table = table.assign(sensor=21.5)
    return fitted(None, table, y).check(table, y)


@breaks("a class of two rows", "rare-class")
def rare_class() -> Diagnosis:
    X, y = load_iris(return_X_y=True)
    kept = np.r_[0:100, 100:102]
    return fitted(None, X[kept], y[kept]).check(X[kept], y[kept])


@breaks("a class that is not there", "missing-class")
def missing_class() -> Diagnosis:
    X, y = load_wine(return_X_y=True)
    model = fitted(None, X, y)
    return model.check(X[y < 2], y[y < 2])


@breaks("a small set learnt by heart", "overfitting")
def overfitting() -> Diagnosis:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((200, 20))
    y = (X[:, 0] + 1.5 * generator.standard_normal(200) > 0).astype(int)
    settings = {"early_stopping": False, "validation_fraction": 0.3, "epochs": 100, "optimizer": Adam(0.003)}
    return fitted(None, X, y, **settings).check(X, y)
