"""The workloads with PyTorch: tensors in memory, minibatches by ``index_select``, eager or through torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed import images_torch, sequences_torch
from benchmarks.speed.images import Images
from benchmarks.speed.sequences import Sequences
from benchmarks.speed.workloads import Workload

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "tanh_gelu": partial(F.gelu, approximate="tanh"),
}


def build(workload: Workload, settings: Mapping[str, Any]) -> Any:
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    compiled = settings["form"] == "compile"
    if workload.task == "generate":
        return sequences_torch.Generating(workload, compiled)
    if workload.task == "predict":
        return Predicting(workload, compiled)
    return Training(workload, compiled, settings.get("channels_last", False))


class Network(nn.Module):
    def __init__(self, workload: Workload) -> None:
        super().__init__()
        pairs = zip(workload.sizes, workload.sizes[1:], strict=False)
        self.hidden = nn.ModuleList([nn.Linear(*pair, dtype=getattr(torch, workload.dtype)) for pair in pairs])
        self.last = self.hidden.pop(-1)
        self.activation = ACTIVATIONS[workload.activation]
        self.dropout = workload.dropout
        self.start(workload)

    @torch.no_grad()
    def start(self, workload: Workload) -> None:
        """Put the first weights in."""
        for layer, (weights, bias) in zip([*self.hidden, self.last], workload.weights, strict=True):
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(bias))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = self.activation(layer(x))
            if self.dropout:
                x = F.dropout(x, self.dropout, self.training)
        return self.last(x)


class Training:
    """``channels_last``: how the images of convolutions, and their weights, lie in memory."""

    def __init__(self, workload: Workload, compiled: bool, channels_last: bool) -> None:
        self.X, self.target = (torch.from_numpy(array) for array in workload.data)
        # For each chunk a tuple of the rows of each step; None reads all rows as they are.
        self.chunks: list[Any] = [torch.from_numpy(order).unbind() for order in workload.orders]
        if workload.full_batch:
            self.chunks = [[None] * workload.chunk]
        self.network: Any
        objective: Callable[[Tensor, Tensor], Tensor]
        if isinstance(workload, Sequences):
            self.network, objective = sequences_torch.network(workload), sequences_torch.cross_entropy
        elif isinstance(workload, Images):
            self.network, objective = images_torch.network(workload, channels_last), F.cross_entropy
        else:
            self.network = Network(workload)
            objective = F.cross_entropy if workload.loss == "cross_entropy" else F.mse_loss

        def loss(x: Tensor, target: Tensor) -> Tensor:
            return objective(self.network(x), target)

        self.loss = torch.compile(loss) if compiled else loss
        self.optimizer = self._optimizer(workload)
        self.done = 0
        self.losses: list[Tensor] = []
        if compiled:
            # Compiled when first called; then training begins at the first weights.
            self._steps(self.chunks[0][:1])
            self.network.start(workload)
            self.optimizer = self._optimizer(workload)

    def _optimizer(self, workload: Workload) -> torch.optim.Optimizer:
        """The fastest form on a CPU: Adam's fused one by far, a plain loop for SGD (see docs/performance.md)."""
        parameters = self.network.parameters()
        if workload.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=workload.rate, fused=True)
        return torch.optim.SGD(parameters, lr=workload.rate, foreach=False)

    def _steps(self, chunk: Any) -> None:
        X, target, loss, optimizer = self.X, self.target, self.loss, self.optimizer
        self.losses = []
        for rows in chunk:
            x, t = (X, target) if rows is None else (X.index_select(0, rows), target.index_select(0, rows))
            value = loss(x, t)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            self.losses.append(value.detach())

    def run(self, chunks: int) -> None:
        for _ in range(chunks):
            self._steps(self.chunks[self.done % len(self.chunks)])
            self.done += 1

    def result(self) -> float:
        return float(torch.stack(self.losses).mean())


class Predicting:
    def __init__(self, workload: Workload, compiled: bool) -> None:
        network = Network(workload).eval()

        def predict(x: Tensor) -> Tensor:
            return torch.softmax(network(x), dim=-1)

        self.predict = torch.compile(predict) if compiled else predict
        self.x = torch.from_numpy(workload.data[0][: workload.batch])
        self.chunk = workload.chunk
        with torch.inference_mode():
            self.last = self.predict(self.x)

    @torch.inference_mode()
    def run(self, chunks: int) -> None:
        predict, x = self.predict, self.x
        for _ in range(chunks * self.chunk):
            self.last = predict(x)

    def result(self) -> float:
        return float(self.last[0, 0])
