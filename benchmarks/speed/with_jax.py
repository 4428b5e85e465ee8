"""The workloads with JAX: one jitted scan over the minibatches of a chunk, its state donated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.speed import images_jax, sequences_jax
from benchmarks.speed.images import Images
from benchmarks.speed.sequences import Sequences
from benchmarks.speed.workloads import Workload

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "tanh_gelu": partial(jax.nn.gelu, approximate=True),
}


def build(workload: Workload, settings: Mapping[str, Any]) -> Any:
    jax.config.update("jax_enable_x64", workload.dtype == "float64")
    if workload.task == "generate":
        return sequences_jax.Generating(workload)
    if isinstance(workload, Images):
        return images_jax.Training(workload, adam)
    return Predicting(workload) if workload.task == "predict" else Training(workload, settings["unroll"])


def parameters(workload: Workload) -> list[tuple[Any, Any]]:
    return [(jnp.asarray(weights), jnp.asarray(bias)) for weights, bias in workload.weights]


def forward(workload: Workload, layers: Any, x: Any, key: Any = None) -> Any:
    """The logits; with a key, dropout draws from it."""
    for k, (weights, bias) in enumerate(layers):
        x = x @ weights + bias
        if k < len(layers) - 1:
            x = ACTIVATIONS[workload.activation](x)
            if key is not None:
                kept = jax.random.bernoulli(jax.random.fold_in(key, k), 1 - workload.dropout, x.shape)
                x = jnp.where(kept, x / (1 - workload.dropout), 0)
    return x


def loss(workload: Workload, layers: Any, x: Any, target: Any, key: Any) -> Any:
    output = forward(workload, layers, x, key)
    if workload.loss == "squared_error":
        return jnp.mean((output - target) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(output), target[:, None], axis=1))


def adam(rate: float, layers: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
    first, second, number = state
    number = number + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    one, two = 1 - 0.9**number, 1 - 0.999**number
    layers = jax.tree.map(
        lambda θ, m, v: θ - rate * (m / one) / (jnp.sqrt(v / two) + 1e-8), layers, first, second
    )  # fmt: skip
    return layers, (first, second, number)


def sgd(rate: float, layers: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
    return jax.tree.map(lambda θ, g: θ - rate * g, layers, gradients), state


class Training:
    def __init__(self, workload: Workload, unroll: int) -> None:
        self.X, self.target = (jnp.asarray(array) for array in workload.data)
        # The cheapest generator on a CPU.
        keys = jax.random.key(0, impl="unsafe_rbg") if workload.dropout else None
        update = adam if workload.optimizer == "adam" else sgd

        def step(X: Any, target: Any, state: Any, rows: Any) -> Any:
            layers, optimizer, number = state
            x, t = (X, target) if rows is None else (X[rows], target[rows])
            key = None if keys is None else jax.random.fold_in(keys, number)
            if isinstance(workload, Sequences):
                objective: Any = partial(sequences_jax.loss, workload, unroll=unroll)
                value, gradients = jax.value_and_grad(objective)(layers, x, t)
            else:
                value, gradients = jax.value_and_grad(partial(loss, workload))(layers, x, t, key)
            layers, optimizer = update(workload.rate, layers, optimizer, gradients)
            return (layers, optimizer, number + 1), value

        steps_unrolled = 1 if isinstance(workload, Sequences) else unroll

        @partial(jax.jit, donate_argnums=0)
        def steps(state: Any, X: Any, target: Any, order: Any) -> Any:
            return jax.lax.scan(partial(step, X, target), state, order, workload.chunk, unroll=steps_unrolled)

        sequences = isinstance(workload, Sequences)
        layers: Any = sequences_jax.parameters(workload) if sequences else parameters(workload)
        zeros = [jax.tree.map(jnp.zeros_like, layers) for _ in range(2)]
        number = jnp.zeros((), workload.dtype)
        optimizer = (*zeros, number) if workload.optimizer == "adam" else ()
        self.state = (layers, optimizer, jnp.zeros((), jnp.int32))
        self.orders = [None] if workload.full_batch else [jnp.asarray(order, jnp.int32) for order in workload.orders]
        self.steps = steps.lower(self.state, self.X, self.target, self.orders[0]).compile()
        self.done = 0

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            order = self.orders[self.done % len(self.orders)]
            self.state, self.losses = self.steps(self.state, self.X, self.target, order)
            self.done += 1
        jax.block_until_ready((self.state, self.losses))

    def result(self) -> float:
        return float(self.losses.mean())


class Predicting:
    def __init__(self, workload: Workload) -> None:
        self.layers = parameters(workload)
        self.x = jnp.asarray(workload.data[0][: workload.batch])
        self.predict = jax.jit(lambda layers, x: jax.nn.softmax(forward(workload, layers, x)))
        self.chunk = workload.chunk
        self.last = jax.block_until_ready(self.predict(self.layers, self.x))

    def run(self, chunks: int) -> None:
        predict, layers, x = self.predict, self.layers, self.x
        for _ in range(chunks * self.chunk):
            self.last = predict(layers, x).block_until_ready()

    def result(self) -> float:
        return float(self.last[0, 0])
