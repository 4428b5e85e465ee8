"""The Gauss-Newton matrix of the same networks by JAX: its Jacobian and its Hessian of the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tests.probability.networks_of_curvature import (
    ATTENTION,
    CONVOLUTION,
    DENSE,
    IMAGE,
    LAYER_NORM,
    SERIES,
    VECTOR,
    example,
)

from chainrule.layers import Layer

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

pytestmark = pytest.mark.peers

Values = Mapping[str, Any]


def dense(values: Values, name: str, x: Any) -> Any:
    axes = x.ndim
    return jnp.tensordot(x, values[f"{name}.W"], axes) + values[f"{name}.β"]


def of_dense(values: Values, x: Any) -> Any:
    return dense(values, "dense2", jnp.tanh(dense(values, "dense1", x)))


def of_convolution(values: Values, x: Any) -> Any:
    kernel = values["conv2d1.W"]
    z = jax.lax.conv_general_dilated(x[None], kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]
    a = jnp.tanh(z + values["conv2d1.β"])
    return dense(values, "dense1", a.reshape(2, 2, 2, 2, -1).mean(axis=(1, 3)))


def of_layer_norm(values: Values, x: Any) -> Any:
    z = dense(values, "dense1", x)
    normal = (z - z.mean()) / jnp.sqrt(z.var() + 1e-5)
    return dense(values, "dense2", jnp.tanh(values["layernorm1.γ"] * normal + values["layernorm1.β"]))


def of_attention(values: Values, x: Any) -> Any:
    q, k, v = (jnp.einsum("td,dhc->htc", x, values[f"attention1.W{name}"]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("hqc,hkc->hqk", q, k) / np.sqrt(q.shape[-1]), axis=-1)
    a = jnp.einsum("hqk,hkc->qhc", weights, v)
    z = jnp.einsum("thc,hcj->tj", a, values["attention1.Wo"]) + values["attention1.β"]
    return dense(values, "dense1", z.mean(axis=0))


@pytest.mark.parametrize(
    ("layer", "sizes", "network"),
    [
        (DENSE, VECTOR, of_dense),
        (CONVOLUTION, IMAGE, of_convolution),
        (LAYER_NORM, VECTOR, of_layer_norm),
        (ATTENTION, SERIES, of_attention),
    ],
    ids=["dense", "convolution", "layer norm", "attention"],
)
def test_gauss_newton_blocks(layer: Layer, sizes: dict[str, int], network: Callable[[Values, Any], Any]) -> None:
    made = example(layer, sizes)
    values = {name: jnp.array(value) for name, value in made.network.values.items()}

    def loss(output: Any, target: int) -> Any:
        return -jax.nn.log_softmax(output)[target]

    total = np.zeros((made.network.numbers, made.network.numbers))
    for x, target in zip(made.rows["x"], made.targets["t"], strict=True):
        output = network(values, jnp.array(x))
        by_name = jax.jacobian(network)(values, jnp.array(x))
        jacobian = np.concatenate([np.reshape(by_name[name], (len(output), -1)) for name in made.network.names], axis=1)
        total += jacobian.T @ np.asarray(jax.hessian(loss)(output, target)) @ jacobian
    (whole,) = made.blocks("full")
    np.testing.assert_allclose(whole.matrix(), total, atol=1e-10 * np.abs(total).max())
