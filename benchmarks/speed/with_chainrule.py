"""The workloads with chainrule: programs as the training loop runs them, estimators as a user calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.speed import images_chainrule, sequences_chainrule
from benchmarks.speed.images import Images
from benchmarks.speed.sequences import Sequences
from benchmarks.speed.workloads import Workload
from chainrule.layers import GELU, Dense, Dropout, Layer, Network, ReLU, Sigmoid, Tanh, TanhGELU
from chainrule.losses import CrossEntropy, SquaredError
from chainrule.optimizers import SGD, Adam
from chainrule.training.loop import first_state
from chainrule.training.programs import backend_name, program
from chainrule.training.step import TrainingStep, assemble
from chainrule.training.threads import threads_for

ACTIVATIONS: Mapping[str, type[Layer]] = {
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "gelu": GELU,
    "tanh_gelu": TanhGELU,
}


def build(workload: Workload, settings: Mapping[str, Any]) -> Any:
    if workload.task == "fit":
        return Fitting()
    if isinstance(workload, Sequences) and workload.task == "generate":
        return sequences_chainrule.Generating(workload)
    if workload.task == "predict":
        return Estimating(workload) if settings["form"] == "estimator" else Predicting(workload)
    return Training(workload)


def network(workload: Workload) -> Network:
    layers: list[Layer] = []
    for size in workload.sizes[1:-1]:
        layers += [Dense(size), ACTIVATIONS[workload.activation]()]
        layers += [Dropout(workload.dropout)] if workload.dropout else []
    return Network(*layers, Dense(workload.sizes[-1]))


def assembled(workload: Workload) -> TrainingStep:
    if isinstance(workload, Sequences):
        return sequences_chainrule.assembled(workload)
    if isinstance(workload, Images):
        return images_chainrule.assembled(workload)
    loss = CrossEntropy() if workload.loss == "cross_entropy" else SquaredError()
    optimizer = Adam(workload.rate) if workload.optimizer == "adam" else SGD(workload.rate)
    return assemble(network(workload), loss, optimizer, {"i": workload.sizes[0]})


def parameters(workload: Workload, step: TrainingStep) -> dict[str, Any]:
    """The first weights, by the names of the step."""
    if isinstance(workload, Sequences):
        return sequences_chainrule.parameters(workload, step)
    if isinstance(workload, Images):
        return images_chainrule.parameters(workload, step)
    values = [array for layer in workload.weights for array in layer]
    return {tensor.name: value.copy() for tensor, value in zip(step.parameters, values, strict=True)}


class Training:
    """Many steps a call, with all that the training loop asks for (loss and gradient norm of every step)."""

    def __init__(self, workload: Workload) -> None:
        step = assembled(workload)
        self.outputs = tuple(dict.fromkeys((step.cost, step.loss, step.gradient_norm)))
        self.program = program(step.system, self.outputs, workload.dtype)
        self.state = first_state(step, 0, workload.dtype) | parameters(workload, step)
        X, target = workload.data
        self.data = {source: X if name == "x" else target for name, source in step.sources.items()}
        self.data |= {name: np.array(value, workload.dtype) for name, value in step.constants.items()}
        self.orders = workload.orders
        self.rates = np.full(workload.chunk, workload.rate)
        self.backend = backend_name(None)
        self.work = workload.batch * sum(self.state[tensor.name].size for tensor in step.parameters)
        self.loss = step.loss
        self.done = 0
        # Compiled when first run; on a copy, so that training begins at the first weights.
        self.steps(dict(self.state), self.orders[0][:1])

    def steps(self, state: dict[str, Any], rows: Any) -> Mapping[str, Any]:
        given = {"rows": rows, "η": self.rates[: len(rows)]}
        return self.program.run(self.data, state, given, seed=0, first_step=self.done)

    def run(self, chunks: int) -> None:
        with threads_for(self.work, self.backend):
            for _ in range(chunks):
                rows = self.orders[self.done // len(self.rates) % len(self.orders)]
                self.last = self.steps(self.state, rows)
                self.done += len(rows)

    def result(self) -> float:
        return float(np.mean(self.last[self.loss]))


class Predicting:
    """The compiled program of the network alone, bound to its parameters."""

    def __init__(self, workload: Workload) -> None:
        step = assembled(workload)
        self.output = step.prediction.name
        state = parameters(workload, step)
        self.predict = program(step.prediction_system, (self.output,), workload.dtype).bind(state)
        self.values = {"x": workload.data[0][: workload.batch]}
        self.chunk = workload.chunk
        self.backend = backend_name(None)
        self.work = workload.batch * sum(value.size for value in state.values())
        self.predict(self.values)

    def run(self, chunks: int) -> None:
        predict, values = self.predict, self.values
        with threads_for(self.work, self.backend):
            for _ in range(chunks * self.chunk):
                self.last = predict(values)

    def result(self) -> float:
        return float(self.last[self.output][0, 0])


class Estimating:
    """``predict_proba`` of a fitted ``Classifier``."""

    def __init__(self, workload: Workload) -> None:
        from chainrule.estimators import Classifier

        X, t = workload.data
        self.model = Classifier(network(workload), CrossEntropy(), Adam(workload.rate), epochs=1, random_state=0)
        self.model.fit(X[:2048], t[:2048])
        self.x = X[: workload.batch]
        self.chunk = workload.chunk
        self.model.predict_proba(self.x)

    def run(self, chunks: int) -> None:
        predict, x = self.model.predict_proba, self.x
        for _ in range(chunks * self.chunk):
            predict(x)

    def result(self) -> float:
        return float("nan")  # fitted on its own: nothing to compare


class Fitting:
    """``Classifier().fit`` on digits."""

    def __init__(self) -> None:
        from benchmarks.speed.with_sklearn import digits

        self.X, self.X_test, self.t, self.t_test = digits()
        self.run(1)

    def run(self, chunks: int) -> None:
        from chainrule.estimators import Classifier

        for _ in range(chunks):
            self.model = Classifier(random_state=0).fit(self.X, self.t)

    def result(self) -> float:
        return float(self.model.score(self.X_test, self.t_test))
