"""The workloads with scikit-learn's MLPs, where they can do the same."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.speed.workloads import Workload

ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic", "tanh": "tanh"}


def build(workload: Workload, settings: Mapping[str, Any]) -> Any:
    warnings.simplefilter("ignore", ConvergenceWarning)
    if workload.task == "fit":
        return Fitting()
    return Predicting(workload) if workload.task == "predict" else Training(workload)


def digits() -> Any:
    """Training and test images of the digits, then their labels."""
    return train_test_split(*load_digits(return_X_y=True), test_size=0.25, random_state=0)


def model(workload: Workload) -> Any:
    """The network with the workload's first weights and a fresh optimizer."""
    kind = MLPClassifier if workload.loss == "cross_entropy" else MLPRegressor
    made = kind(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=ACTIVATIONS[workload.activation],
        solver=workload.optimizer,
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=workload.rate,
        momentum=0.0,
        shuffle=False,  # the rows come in their order already
        max_iter=workload.chunk,
        tol=0.0,
        n_iter_no_change=1_000_000_000,
        warm_start=workload.full_batch,
    )
    X, target = workload.data
    target = target if workload.loss == "cross_entropy" else target.ravel()
    classes = {"classes": np.arange(workload.sizes[-1])} if workload.loss == "cross_entropy" else {}
    made.partial_fit(X[: workload.batch], target[: workload.batch], **classes)
    for k, (weights, bias) in enumerate(workload.weights):
        made.coefs_[k][...] = weights
        made.intercepts_[k][...] = bias
    del made._optimizer
    made.loss_curve_ = []
    return made


class Training:
    """Minibatches: one ``partial_fit`` a chunk; all rows at once: ``fit`` for as many epochs as a chunk has steps."""

    def __init__(self, workload: Workload) -> None:
        X, target = workload.data
        target = target if workload.loss == "cross_entropy" else target.ravel()
        self.model = model(workload)
        self.fit = self.model.fit if workload.full_batch else self.model.partial_fit
        rows = [np.arange(len(X))] if workload.full_batch else [order.ravel() for order in workload.orders]
        self.chunks = [(X[row], target[row]) for row in rows]
        self.losses = workload.chunk if workload.full_batch else 1
        self.scale = 1.0 if workload.loss == "cross_entropy" else 2.0  # its squared error is halved
        self.done = 0

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            self.fit(*self.chunks[self.done % len(self.chunks)])
            self.done += 1

    def result(self) -> float:
        return self.scale * float(np.mean(self.model.loss_curve_[-self.losses :]))


class Predicting:
    def __init__(self, workload: Workload) -> None:
        self.model = model(workload)
        self.x = workload.data[0][: workload.batch]
        self.chunk = workload.chunk

    def run(self, chunks: int) -> None:
        predict, x = self.model.predict_proba, self.x
        for _ in range(chunks * self.chunk):
            self.last = predict(x)

    def result(self) -> float:
        return float(self.last[0, 0])


class Fitting:
    def __init__(self) -> None:
        self.X, self.X_test, self.t, self.t_test = digits()
        self.run(1)

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            self.model = MLPClassifier(random_state=0).fit(self.X, self.t)

    def result(self) -> float:
        return float(self.model.score(self.X_test, self.t_test))
