"""Images with PyTorch: ``nn`` modules, with channels first or last in memory, whichever is faster."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.speed.images import Block, Images, Product, blocks


def network(workload: Images, channels_last: bool) -> nn.Module:
    made = ResNet(workload) if workload.family == "resnet" else Convolutions(workload)
    return made.to(memory_format=torch.channels_last) if channels_last else made


def channels_first(x: Tensor) -> Tensor:
    """[b, c, h, w] in the order of the axes, where [b, h, w] or [b, h, w, c] lie in memory."""
    return x.unsqueeze(1) if x.dim() == 3 else x.permute(0, 3, 1, 2)


@torch.no_grad()
def start(module: nn.Module, workload: Images) -> None:
    """Put the first weights in: modules stand in the order of the products."""
    weights = iter(workload.weights)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
        elif isinstance(part, nn.Conv2d | nn.Linear):
            first = torch.from_numpy(next(weights)).permute(3, 2, 0, 1)
            part.weight.copy_(first if isinstance(part, nn.Conv2d) else first.flatten(1))
            if part.bias is not None:
                part.bias.zero_()


class Convolutions(nn.Module):
    """Convolutions, of which the last or all are pooled, and dense layers."""

    def __init__(self, workload: Images) -> None:
        super().__init__()
        lenet = workload.family == "lenet"
        count = 2 if lenet else len(workload.widths) - 1
        layers: list[nn.Module] = []
        for number, product in enumerate(workload.products[:count]):
            u, _, c, o = product.weights
            layers += [nn.Conv2d(c, o, u, padding=2 if lenet and number == 0 else 0), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if lenet or number == count - 1 else []
        layers.append(nn.Flatten())
        for product in workload.products[count:]:
            layers += [_dense(product), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.start(workload)

    def start(self, workload: Images) -> None:
        start(self, workload)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(channels_first(x))
        return found


class Basic(nn.Module):
    """A basic block."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.one = _convolution(block.before, block.width, 3, block.stride)
        self.two = _convolution(block.width, block.width, 3)
        self.shortcut = _convolution(block.before, block.width, 1, block.stride) if block.projected else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.two(F.relu(self.one(x))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, workload: Images) -> None:
        super().__init__()
        self.first = _convolution(workload.channels, workload.widths[0], 3)
        self.blocks = nn.Sequential(*map(Basic, blocks(workload.widths)))
        self.last = _dense(workload.products[-1])
        self.start(workload)

    def start(self, workload: Images) -> None:
        start(self, workload)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.first(channels_first(x))))
        found: Tensor = self.last(x.mean((2, 3)))
        return found


def _dense(product: Product) -> nn.Linear:
    h, w, c, o = product.weights
    return nn.Linear(h * w * c, o)


def _convolution(before: int, width: int, window: int, stride: int = 1) -> nn.Module:
    """A convolution and the normalization that follows it."""
    made = nn.Conv2d(before, width, window, stride, padding=window // 2, bias=False)
    return nn.Sequential(made, nn.BatchNorm2d(width))
