"""Sequences with JAX: ``lax.scan`` over the positions of recurrent layers, the input projected before it; generation
as a scan over positions that carries keys and values."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.speed.sequences import HEADS, Sequences


def parameters(workload: Sequences) -> dict[str, Any]:
    """The first weights; gates and projections stand side by side, so that each is one product."""
    weights = {name: jnp.asarray(value) for name, value in workload.weights.items()}
    k = workload.units
    if workload.family != "gpt":
        weights |= {name: weights[name].reshape(-1, workload.gates * k) for name in "WU"}
        return weights | {"β": jnp.zeros(workload.gates * k), "γ": jnp.zeros(k)}
    for n in range(workload.blocks):
        parts = [weights.pop(f"W{letter}{n}").reshape(k, k) for letter in "qkv"]
        weights[f"Wqkv{n}"] = jnp.concatenate(parts, 1)
        weights[f"Wo{n}"] = weights[f"Wo{n}"].reshape(k, k)
        weights |= {f"bo{n}": jnp.zeros(k), f"b1{n}": jnp.zeros(4 * k), f"b2{n}": jnp.zeros(k)}
        weights |= {f"norm{part}{n}": (jnp.ones(k), jnp.zeros(k)) for part in "12"}
    return weights | {"norm": (jnp.ones(k), jnp.zeros(k))}


def loss(workload: Sequences, weights: Any, x: Any, target: Any, unroll: int) -> Any:
    logits = decoder(workload, weights, x) if workload.family == "gpt" else recurrent(workload, weights, x, unroll)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), target[..., None], axis=-1))


def recurrent(workload: Sequences, weights: Any, x: Any, unroll: int) -> Any:
    inputs = weights["E"][x.T] @ weights["W"] + weights["β"]
    zero = jnp.zeros((x.shape[0], workload.units))

    def lstm(carried: Any, here: Any) -> Any:
        state, cell = carried
        i, f, g, o = jnp.split(here + state @ weights["U"], 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        state = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (state, cell), state

    def gru(state: Any, here: Any) -> Any:
        (xr, xz, xn), (hr, hz, hn) = jnp.split(here, 3, -1), jnp.split(state @ weights["U"], 3, -1)
        z = jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * (hn + weights["γ"]))
        state = (1 - z) * n + z * state
        return state, state

    if workload.family == "lstm":
        _, states = jax.lax.scan(lstm, (zero, zero), inputs, unroll=unroll)
    else:
        _, states = jax.lax.scan(gru, zero, inputs, unroll=unroll)
    return (states @ weights["D"] + weights["δ"]).swapaxes(0, 1)


def normal(x: Any, norm: Any) -> Any:
    μ = x.mean(-1, keepdims=True)
    return (x - μ) * jax.lax.rsqrt(((x - μ) ** 2).mean(-1, keepdims=True) + 1e-5) * norm[0] + norm[1]


def rest(weights: Any, n: int, x: Any, mixture: Any) -> Any:
    """The block behind its attention."""
    x = x + mixture @ weights[f"Wo{n}"] + weights[f"bo{n}"]
    hidden = normal(x, weights[f"norm2{n}"]) @ weights[f"W1{n}"] + weights[f"b1{n}"]
    return x + jax.nn.gelu(hidden, approximate=False) @ weights[f"W2{n}"] + weights[f"b2{n}"]


def decoder(workload: Sequences, weights: Any, x: Any) -> Any:
    rows, length = x.shape
    x = weights["E"][x] + weights["P"]
    seen = jnp.tril(jnp.ones((length, length), bool))
    size = workload.units // HEADS
    for n in range(workload.blocks):
        parts = jnp.split(normal(x, weights[f"norm1{n}"]) @ weights[f"Wqkv{n}"], 3, -1)
        q, k, v = (part.reshape(rows, length, HEADS, size).swapaxes(1, 2) for part in parts)
        scores = jnp.where(seen, q @ k.swapaxes(2, 3) / np.sqrt(size).astype(workload.dtype), -jnp.inf)
        mixture = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(x.shape)
        x = rest(weights, n, x, mixture)
    return normal(x, weights["norm"]) @ weights["D"] + weights["δ"]


class Generating:
    """A row of symbols a chunk."""

    def __init__(self, workload: Sequences) -> None:
        self.weights = parameters(workload)
        size = workload.units // HEADS
        positions = jnp.arange(workload.length)

        def one(weights: Any, carried: Any, n: Any) -> Any:
            symbol, caches = carried
            x, kept = weights["E"][symbol] + weights["P"][n], []
            for b, (keys, values) in enumerate(caches):
                q, k, v = (normal(x, weights[f"norm1{b}"]) @ weights[f"Wqkv{b}"]).reshape(3, HEADS, size)
                keys, values = keys.at[:, n].set(k), values.at[:, n].set(v)
                kept.append((keys, values))
                scores = jnp.einsum("hd,htd->ht", q, keys) / np.sqrt(size).astype(workload.dtype)
                weight = jax.nn.softmax(jnp.where(positions <= n, scores, -jnp.inf))
                x = rest(weights, b, x, jnp.einsum("ht,htd->hd", weight, values).reshape(-1))
            logits = normal(x, weights["norm"]) @ weights["D"] + weights["δ"]
            return (logits.argmax(), kept), logits.max()

        @jax.jit
        def row(weights: Any) -> Any:
            zeros = [(jnp.zeros((HEADS, workload.length, size)),) * 2 for _ in range(workload.blocks)]
            first = (jnp.zeros((), jnp.int32), zeros)
            return jax.lax.scan(lambda carried, n: one(weights, carried, n), first, positions)[1]

        self.row = row
        self.run(1)

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            self.highest = self.row(self.weights).block_until_ready()

    def result(self) -> float:
        return float(self.highest[0])
