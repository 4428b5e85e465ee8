"""Sequences with PyTorch: ``nn.LSTM`` and ``nn.GRU`` with positions first in memory, which is faster here than
``batch_first``; ``scaled_dot_product_attention``; generation with keys and values in memory of its own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed.sequences import HEADS, Sequences


def network(workload: Sequences) -> nn.Module:
    return Decoder(workload) if workload.family == "gpt" else Recurrent(workload)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1))


class Recurrent(nn.Module):
    def __init__(self, workload: Sequences) -> None:
        super().__init__()
        made = nn.LSTM if workload.family == "lstm" else nn.GRU
        self.embedding = nn.Embedding(workload.symbols, workload.embedding)
        self.recurrent = made(workload.embedding, workload.units)
        self.last = nn.Linear(workload.units, workload.symbols)
        self.start(workload)

    @torch.no_grad()
    def start(self, workload: Sequences) -> None:
        """Put the first weights in.  The forget gate's bias starts at 0 here, as everybody's does."""
        weights = {name: torch.from_numpy(value) for name, value in workload.weights.items()}
        self.embedding.weight.copy_(weights["E"])
        self.recurrent.weight_ih_l0.copy_(weights["W"].flatten(1).T)
        self.recurrent.weight_hh_l0.copy_(weights["U"].flatten(1).T)
        self.recurrent.bias_ih_l0.zero_()
        self.recurrent.bias_hh_l0.zero_()
        self.last.weight.copy_(weights["D"].T)
        self.last.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.recurrent(self.embedding(x.t()))
        return self.last(states).transpose(0, 1)


class Block(nn.Module):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.before, self.behind = nn.LayerNorm(units), nn.LayerNorm(units)
        self.projections = nn.Linear(units, 3 * units, bias=False)
        self.mixed = nn.Linear(units, units)
        self.wide, self.narrow = nn.Linear(units, 4 * units), nn.Linear(4 * units, units)

    def heads(self, x: Tensor) -> list[Tensor]:
        """Queries, keys and values, each [b, h, t, d]."""
        rows, length, units = x.shape
        parts = self.projections(self.before(x)).split(units, 2)
        return [part.view(rows, length, HEADS, units // HEADS).transpose(1, 2) for part in parts]

    def rest(self, x: Tensor, mixture: Tensor) -> Tensor:
        x = x + self.mixed(mixture.transpose(1, 2).reshape(x.shape))
        return x + self.narrow(F.gelu(self.wide(self.behind(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x, F.scaled_dot_product_attention(*self.heads(x), is_causal=True))


class Decoder(nn.Module):
    def __init__(self, workload: Sequences) -> None:
        super().__init__()
        self.embedding = nn.Embedding(workload.symbols, workload.units)
        self.positions = nn.Parameter(torch.empty(workload.length, workload.units))
        self.blocks = nn.ModuleList([Block(workload.units) for _ in range(workload.blocks)])
        self.norm = nn.LayerNorm(workload.units)
        self.last = nn.Linear(workload.units, workload.symbols)
        self.start(workload)

    @torch.no_grad()
    def start(self, workload: Sequences) -> None:
        """Put the first weights in."""
        weights = {name: torch.from_numpy(value) for name, value in workload.weights.items()}
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
        self.embedding.weight.copy_(weights["E"])
        self.positions.copy_(weights["P"])
        self.last.weight.copy_(weights["D"].T)
        for n, block in enumerate(self.blocks):
            parts = [weights[f"W{letter}{n}"].flatten(1).T for letter in "qkv"]
            block.projections.weight.copy_(torch.cat(parts))
            block.mixed.weight.copy_(weights[f"Wo{n}"].flatten(0, 1).T)
            block.wide.weight.copy_(weights[f"W1{n}"].T)
            block.narrow.weight.copy_(weights[f"W2{n}"].T)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.last(self.norm(x))

    def following(self, symbol: Tensor, n: int, caches: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Logits of the symbol behind ``symbol``, which stands at position n."""
        x = (self.embedding(symbol) + self.positions[n])[None, None]
        for block, (keys, values) in zip(self.blocks, caches, strict=True):
            q, k, v = block.heads(x)
            keys[:, :, n], values[:, :, n] = k[:, :, 0], v[:, :, 0]
            mixture = F.scaled_dot_product_attention(q, keys[:, :, : n + 1], values[:, :, : n + 1])
            x = block.rest(x, mixture)
        return self.last(self.norm(x))[0, 0]


class Generating:
    """A row of symbols a chunk."""

    def __init__(self, workload: Sequences, compiled: bool) -> None:
        self.network = Decoder(workload).eval()
        self.length = workload.length
        shape = (1, HEADS, workload.length, workload.units // HEADS)
        self.caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(workload.blocks)]
        self.following: Any = torch.compile(self.network.following) if compiled else self.network.following
        self.run(1)

    @torch.inference_mode()
    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            symbol, self.highest = torch.zeros((), dtype=torch.int64), []
            for n in range(self.length):
                logits = self.following(symbol, n, self.caches)
                symbol = logits.argmax()
                self.highest.append(logits.max())

    def result(self) -> float:
        return float(self.highest[0])
