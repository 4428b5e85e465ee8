"""The hand-written systems once more, in PyTorch's own words: functions and modules of torch, not our equations."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.nn import functional

FORWARD: dict[str, Callable[[SimpleNamespace], Any]] = {}


def forward(function: Callable[[SimpleNamespace], Any]) -> Callable[[SimpleNamespace], Any]:
    FORWARD[function.__name__] = function
    return function


def squares(difference: Any) -> Any:
    """Squared error summed over everything but the batch."""
    return difference.square().sum() / len(difference)


@forward
def dense(v: SimpleNamespace) -> Any:
    hidden = torch.sigmoid(functional.linear(v.x, v.W1.T, v.β1))
    return squares(torch.sigmoid(functional.linear(hidden, v.W2.T, v.β2)) - v.y) / 2


@forward
def softmax(v: SimpleNamespace) -> Any:
    return functional.cross_entropy(v.x @ v.W + v.β, v.t)


@forward
def softmax_textbook(v: SimpleNamespace) -> Any:
    return -(v.y * functional.log_softmax(v.x @ v.W + v.β, dim=1)).sum() / len(v.x)


@forward
def conv1d(v: SimpleNamespace) -> Any:
    return squares(torch.tanh(functional.conv1d(v.x, v.W, v.β, padding=1)) - v.y)


@forward
def conv1d_stride(v: SimpleNamespace) -> Any:
    return squares(torch.tanh(functional.conv1d(v.x, v.W, v.β, stride=2, padding=1)) - v.y)


@forward
def conv1d_dilation(v: SimpleNamespace) -> Any:
    return squares(torch.tanh(functional.conv1d(v.x, v.W, v.β, padding=2, dilation=2)) - v.y)


@forward
def conv2d(v: SimpleNamespace) -> Any:
    a = torch.tanh(functional.conv2d(v.x, v.W, v.β, stride=2, padding=1))
    return functional.cross_entropy(a.flatten(1) @ v.V.flatten(0, 2), v.t)


@forward
def max_pool1d(v: SimpleNamespace) -> Any:
    m = functional.max_pool1d((v.x @ v.W)[:, None], 3, stride=2)[:, 0]
    return (m @ v.V).square().sum()


@forward
def max_pool2d(v: SimpleNamespace) -> Any:
    m = functional.max_pool2d(torch.sin(v.γ[:, None, None] * v.x), 2)
    return (m.flatten(1) @ v.V.flatten()).square().sum()


@forward
def average_pool(v: SimpleNamespace) -> Any:
    m = functional.avg_pool1d(torch.tanh(v.γ[:, None] * v.x), 2)
    return (m.flatten(1) @ v.V.flatten()).square().sum()


@forward
def elman(v: SimpleNamespace) -> Any:
    network = torch.nn.RNN(v.W.shape[0], v.W.shape[1], batch_first=True, bias=True, dtype=torch.float64)
    weights = {"weight_ih_l0": v.W.T, "weight_hh_l0": v.U.T, "bias_ih_l0": v.β, "bias_hh_l0": torch.zeros_like(v.β)}
    hidden, _ = torch.func.functional_call(network, weights, v.x)
    return squares(hidden @ v.V - v.y)


@forward
def elman_backwards(v: SimpleNamespace) -> Any:
    hidden = torch.zeros(len(v.x), v.U.shape[0], dtype=torch.float64)
    for x in v.x.flip(1).unbind(1):
        hidden = torch.tanh(x @ v.W + hidden @ v.U)
    return squares(hidden @ v.V - v.y)


def _lstm(x: Any, W: Any, U: Any, β: Any) -> Any:
    """Weights [.., gate, unit] with the gates in torch's order: input, forget, cell, output."""
    network = torch.nn.LSTM(x.shape[2], W.shape[2], batch_first=True, dtype=torch.float64)
    weights = {
        "weight_ih_l0": W.flatten(1).T,
        "weight_hh_l0": U.flatten(1).T,
        "bias_ih_l0": β.flatten(),
        "bias_hh_l0": torch.zeros_like(β.flatten()),
    }
    return torch.func.functional_call(network, weights, x)[0]


@forward
def lstm(v: SimpleNamespace) -> Any:
    W = torch.stack([v.Wi, v.Wf, v.Wg, v.Wo], dim=1)
    U = torch.stack([v.Ui, v.Uf, v.Ug, v.Uo], dim=1)
    β = torch.stack([v.βi, v.βf, v.βg, v.βo])
    return functional.cross_entropy((_lstm(v.x, W, U, β) @ v.V).flatten(0, 1), v.y.flatten())


@forward
def lstm_gates(v: SimpleNamespace) -> Any:
    return squares(_lstm(v.x, v.W, v.U, v.β)[:, -1] - v.y)


@forward
def embedding(v: SimpleNamespace) -> Any:
    mean = functional.embedding_bag(v.token, v.E, mode="mean")
    return functional.cross_entropy(torch.tanh(mean) @ v.W, v.y)


@forward
def attention(v: SimpleNamespace) -> Any:
    q, k, w = (torch.einsum("bte,hed->bhtd", v.x, weight) for weight in (v.Wq, v.Wk, v.Wv))
    heads = functional.scaled_dot_product_attention(q, k, w, is_causal=True)
    return squares(v.x + torch.einsum("bhtd,hde->bte", heads, v.Wo) - v.y)


@forward
def layer_norm(v: SimpleNamespace) -> Any:
    return squares(functional.layer_norm(v.x @ v.W, (v.W.shape[1],), v.γ, v.β, 1e-5) - v.y) / 2


@forward
def batch_norm(v: SimpleNamespace) -> Any:
    a = functional.batch_norm(v.x @ v.W, None, None, v.γ, v.β, training=True, eps=1e-5)
    return squares(torch.tanh(a) - v.y) / 2


@forward
def ctc(v: SimpleNamespace) -> Any:
    y = functional.log_softmax(v.x @ v.W + v.β, dim=2).transpose(0, 1)
    steps = torch.full((len(v.x),), v.x.shape[1])
    lengths = torch.full((len(v.x),), v.label.shape[1])
    return functional.ctc_loss(y, v.label, steps, lengths, reduction="sum") / len(v.x)


@forward
def dropout(v: SimpleNamespace) -> Any:
    a = torch.tanh(v.x @ v.W)
    return squares((a * (v.r < 0.8) / 0.8) @ v.V - v.y)
