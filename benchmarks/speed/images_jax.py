"""Images with JAX: ``lax.conv_general_dilated`` with channels last, and one jitted step, its state donated.

The steps of a chunk are called one by one: inside a scan the same convolutions take four times as long on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.speed.images import Images, blocks

# (rate, weights, state, gradients) → (weights, state)
Update = Callable[[float, Any, Any, Any], tuple[Any, Any]]


def parameters(workload: Images) -> list[tuple[Any, ...]]:
    """First weights of each product with its biases, or with the scale and the shift of its normalization."""
    found: list[tuple[Any, ...]] = [(W, jnp.zeros(W.shape[3])) for W in map(jnp.asarray, workload.weights)]
    if workload.family != "resnet":
        return found
    return [*((W, jnp.ones_like(β), β) for W, β in found[:-1]), found[-1]]


def moments(workload: Images) -> list[tuple[Any, Any]]:
    """Running means and variances of every normalization."""
    normalized = workload.weights[:-1] if workload.family == "resnet" else []
    return [(jnp.zeros(W.shape[3]), jnp.ones(W.shape[3])) for W in normalized]


def loss(workload: Images, layers: Any, running: Any, x: Any, target: Any) -> tuple[Any, Any]:
    """The loss, and the running means and variances behind this minibatch."""
    x = x[..., None] if x.ndim == 3 else x
    if workload.family == "resnet":
        logits, running = resnet(workload, layers, running, x)
    else:
        logits = lenet(layers, x) if workload.family == "lenet" else convnet(layers, x)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], axis=1)), running


def lenet(layers: Any, x: Any) -> Any:
    for (W, β), padding in zip(layers[:2], (2, 0), strict=True):
        x = pooled(jax.nn.relu(convolved(x, W, padding) + β))
    return dense(layers[2:], x)


def convnet(layers: Any, x: Any) -> Any:
    for W, β in layers[:-2]:
        x = jax.nn.relu(convolved(x, W, 0) + β)
    return dense(layers[-2:], pooled(x))


def resnet(workload: Images, layers: Any, running: Any, x: Any) -> tuple[Any, Any]:
    given, found = iter(zip(layers[:-1], running, strict=True)), []

    def normal(x: Any, stride: int = 1) -> Any:
        """The next convolution and its normalization."""
        (W, γ, β), (mean, variance) = next(given)
        z = convolved(x, W, W.shape[0] // 2, stride)
        μ, count = z.mean((0, 1, 2)), z[..., 0].size
        v = ((z - μ) ** 2).mean((0, 1, 2))
        found.append((0.9 * mean + 0.1 * μ, 0.9 * variance + 0.1 * v * count / (count - 1)))
        return (z - μ) * jax.lax.rsqrt(v + 1e-5) * γ + β

    x = jax.nn.relu(normal(x))
    for block in blocks(workload.widths):
        inner = normal(jax.nn.relu(normal(x, block.stride)))
        x = jax.nn.relu(inner + (normal(x, block.stride) if block.projected else x))
    return dense(layers[-1:], x.mean((1, 2))), found


def convolved(x: Any, W: Any, padding: int, stride: int = 1) -> Any:
    around = ((padding, padding),) * 2
    return jax.lax.conv_general_dilated(x, W, (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pooled(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def dense(layers: Any, x: Any) -> Any:
    x = x.reshape(len(x), -1)
    for number, (W, β) in enumerate(layers):
        x = (jax.nn.relu(x) if number else x) @ W.reshape(-1, W.shape[3]) + β
    return x


class Training:
    def __init__(self, workload: Images, update: Update) -> None:
        self.X, self.target = (jnp.asarray(array) for array in workload.data)

        @partial(jax.jit, donate_argnums=0)
        def step(state: Any, X: Any, target: Any, rows: Any) -> Any:
            layers, running, optimizer = state
            objective = jax.value_and_grad(partial(loss, workload), has_aux=True)
            (value, running), gradients = objective(layers, running, X[rows], target[rows])
            layers, optimizer = update(workload.rate, layers, optimizer, gradients)
            return (layers, running, optimizer), value

        layers = parameters(workload)
        zeros = [jax.tree.map(jnp.zeros_like, layers) for _ in range(2)]
        self.state = (layers, moments(workload), (*zeros, jnp.zeros((), workload.dtype)))
        self.chunks = [[jnp.asarray(rows, jnp.int32) for rows in order] for order in workload.orders]
        self.step = step.lower(self.state, self.X, self.target, self.chunks[0][0]).compile()
        self.done = 0

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            self.losses = []
            for rows in self.chunks[self.done % len(self.chunks)]:
                self.state, value = self.step(self.state, self.X, self.target, rows)
                self.losses.append(value)
            self.done += 1
        jax.block_until_ready((self.state, self.losses))

    def result(self) -> float:
        return float(jnp.stack(self.losses).mean())
