"""Layers of images and sequences against torch: values, and derivatives for the input and every parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal, with_cost

from chainrule.backends import BACKENDS, compile
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.sizes import solve_sizes
from chainrule.layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    BatchNorm,
    BilinearUpSample2D,
    Composed,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    DepthwiseConv2D,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Reshape,
    RMSNorm,
    SeparableConv2D,
    UpSample1D,
    UpSample2D,
)
from chainrule.layers.composition import Reading
from chainrule.layers.window import PLACES

pytestmark = pytest.mark.peers

# The layer, the sizes of a row, and the same in torch from x[b,c,…] and the parameters.
Peer = Callable[[Any, Any, dict[str, Any]], Any]
CASES: list[tuple[Layer, tuple[int, ...], Peer]] = []


def convolution(layer: Any, sizes: tuple[int, ...]) -> None:
    """``layer``: one whose padding is numbers, the same at both ends."""
    rank = layer.rank

    def peer(f: Any, x: Any, v: dict[str, Any]) -> Any:
        W = next(value for name, value in v.items() if name.endswith(".W"))
        bias = next((value for name, value in v.items() if name.endswith(".β")), None)
        if len(sizes) == rank:
            x, W = x[:, None], W.unsqueeze(rank)
        if layer.groups > 1:  # W[u,v,g,c,o] → [g·o,c,u,v]
            W = W.movedim((rank, -1, rank + 1), (0, 1, 2)).flatten(0, 1)
        else:
            W = W.movedim((-1, -2), (0, 1))
        padding = 0 if layer.padding == "valid" else layer.padding
        convolve = getattr(f, f"conv{rank}d")
        return convolve(x, W, bias, layer.stride, padding, layer.dilation, layer.groups)

    CASES.append((layer, sizes, peer))


for stride in (1, 2, 3):
    for padding in (0, 2):
        for dilation in (1, 2):
            convolution(Conv1D(2, 3, stride, padding, dilation), (9, 2))
convolution(Conv1D(2, 3, padding="same"), (6, 2))
convolution(Conv1D(3, 2, stride=3), (8,))
convolution(Conv2D(3, (3, 2), stride=(2, 1), padding=(1, 0)), (7, 5, 2))
convolution(Conv2D(2, 3, padding="same", dilation=2), (5, 4, 2))
convolution(Conv2D(2, 3, padding=1, stride=2), (5, 6))
convolution(Conv2D(4, 3, stride=2, padding=1, groups=2), (5, 4, 6))
convolution(Conv2D(6, 2, dilation=2, groups=3, biases=None), (4, 5, 3))
convolution(Conv2D(4, 1, groups=2), (3, 2, 4))
convolution(Conv2D(3, 5, padding=4), (2, 3, 2))
convolution(Conv3D(2, (2, 1, 3), stride=(1, 2, 2), padding=(0, 0, 1)), (3, 4, 5, 2))
convolution(Conv3D(2, 2, dilation=(1, 2, 1)), (3, 4, 3))


def transposed(layer: Any, sizes: tuple[int, ...]) -> None:
    rank = layer.rank

    def peer(f: Any, x: Any, v: dict[str, Any]) -> Any:
        W = next(value for name, value in v.items() if name.endswith(".W"))
        bias = next((value for name, value in v.items() if name.endswith(".β")), None)
        if len(sizes) == rank:
            x, W = x[:, None], W.unsqueeze(rank)
        padding = 0 if layer.padding == "valid" else layer.padding
        convolve = getattr(f, f"conv_transpose{rank}d")
        return convolve(x, W.movedim((-2, -1), (0, 1)), bias, layer.stride, padding, layer.output_padding)

    CASES.append((layer, sizes, peer))


for stride, padding, more in ((1, 0, 0), (2, 0, 1), (2, 1, 0), (3, 1, 2), (3, 0, 0)):
    transposed(ConvTranspose1D(2, 3, stride, padding, more), (4, 3))
transposed(ConvTranspose2D(2, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0)), (3, 4, 2))
transposed(ConvTranspose2D(2, 2, stride=2, biases=None), (3, 2))
transposed(ConvTranspose3D(2, 2, stride=(1, 2, 1), padding=(0, 1, 0)), (2, 3, 2, 2))


def depthwise(f: Any, x: Any, v: dict[str, Any], layer: Any) -> Any:
    W = next(value for value in v.values() if value.ndim > 2)
    W = W.flatten(2).movedim(2, 0)[:, None]
    bias = next((value for name, value in v.items() if name.endswith(".β")), None)
    padding = 0 if layer.padding == "valid" else layer.padding
    return f.conv2d(x, W, bias, layer.stride, padding, layer.dilation, groups=x.shape[1])


for layer in (
    DepthwiseConv2D(3, padding=1),
    DepthwiseConv2D((2, 3), multiplier=2, stride=2),
    DepthwiseConv2D(2, multiplier=3, dilation=2, biases=None),
):
    CASES.append((layer, (5, 4, 3), lambda f, x, v, layer=layer: depthwise(f, x, v, layer)))  # type: ignore[misc]


def separable(f: Any, x: Any, v: dict[str, Any]) -> Any:
    each, mixed = v["depthwiseconv2d1.W"], v["conv2d1.W"]
    x = f.conv2d(x, each.movedim(2, 0)[:, None], stride=2, groups=3)
    return f.conv2d(x, mixed.movedim((-1, -2), (0, 1)), v["conv2d1.β"])


CASES.append((SeparableConv2D(4, 2, stride=2), (4, 5, 3), separable))

for window, stride, padding in ((2, None, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)):
    for rank, greatest, mean in ((1, MaxPool1D, AvgPool1D), (2, MaxPool2D, AvgPool2D), (3, MaxPool3D, AvgPool3D)):
        sizes = (7, 5, 6)[:rank] + ((2,) if rank < 3 else ())
        if rank == 3 and padding == 0:
            continue

        def largest(f: Any, x: Any, v: Any, rank: int = rank, w: Any = (window, stride, padding)) -> Any:
            return getattr(f, f"max_pool{rank}d")(x[:, None] if rank == 3 else x, *w)

        def average(f: Any, x: Any, v: Any, rank: int = rank, w: Any = (window, stride, padding)) -> Any:
            return getattr(f, f"avg_pool{rank}d")(x[:, None] if rank == 3 else x, *w, count_include_pad=False)

        CASES.append((greatest(window, stride, padding), sizes, largest))
        CASES.append((mean(window, stride, padding), sizes, average))

CASES += [
    (GlobalMaxPool(), (4, 3, 2), lambda f, x, v: x.amax((2, 3))),
    (GlobalAvgPool(), (4, 3, 2), lambda f, x, v: x.mean((2, 3))),
    (AdaptiveMaxPool(3), (7, 2), lambda f, x, v: f.adaptive_max_pool1d(x, 3)),
    (AdaptiveMaxPool((2, 5)), (5, 3, 2), lambda f, x, v: f.adaptive_max_pool2d(x, (2, 5))),
    (AdaptiveAvgPool(4), (7, 2), lambda f, x, v: f.adaptive_avg_pool1d(x, 4)),
    (AdaptiveAvgPool((2, 3)), (5, 4, 2), lambda f, x, v: f.adaptive_avg_pool2d(x, (2, 3))),
    (AdaptiveAvgPool((1, 2, 3)), (2, 3, 4, 2), lambda f, x, v: f.adaptive_avg_pool3d(x, (1, 2, 3))),
    (
        BatchNorm(epsilon=1e-3),
        (4, 3, 2),
        lambda f, x, v: f.batch_norm(x, None, None, v["batchnorm1.γ"], v["batchnorm1.β"], True, eps=1e-3),
    ),
    (BatchNorm(scale=None, shift=None), (3,), lambda f, x, v: f.batch_norm(x, None, None, training=True)),
    (
        InstanceNorm(),
        (4, 3, 2),
        lambda f, x, v: f.instance_norm(x, weight=v["instancenorm1.γ"], bias=v["instancenorm1.β"]),
    ),
    (
        GroupNorm(2),
        (3, 2, 6),
        lambda f, x, v: f.group_norm(x, 2, v["groupnorm1.γ"], v["groupnorm1.β"]),
    ),
    (GroupNorm(3, scale=None, shift=None), (6,), lambda f, x, v: f.group_norm(x, 3)),
    (
        LayerNorm(),
        (3, 4),
        lambda f, x, v: f.layer_norm(x.mT, (4,), v["layernorm1.γ"], v["layernorm1.β"]).mT,
    ),
    (
        LayerNorm(axes=2, shift=None),
        (3, 4),
        lambda f, x, v: f.layer_norm(x.mT, (3, 4), v["layernorm1.γ"]).mT,
    ),
    (RMSNorm(), (3, 4), lambda f, x, v: f.rms_norm(x.mT, (4,), v["rmsnorm1.γ"], 1e-5).mT),
    (UpSample1D(3), (4, 2), lambda f, x, v: f.interpolate(x, scale_factor=3)),
    (UpSample2D((2, 3)), (4, 3, 2), lambda f, x, v: f.interpolate(x, scale_factor=(2, 3))),
    (BilinearUpSample2D((2, 3)), (4, 3, 2), lambda f, x, v: f.interpolate(x, scale_factor=(2, 3), mode="bilinear")),
    (Flatten(), (4, 3, 2), lambda f, x, v: x.movedim(1, -1).flatten(1)),
    (Reshape((2, 6, 2)), (4, 3, 2), lambda f, x, v: x.movedim(1, -1).reshape(-1, 2, 6, 2).movedim(-1, 1)),
]

SELECTED = [
    case
    for case in CASES
    if repr(case[0])
    in {
        "Conv1D(2, 3, stride=2, padding=2)",
        "Conv2D(3, (3, 2), stride=(2, 1), padding=(1, 0))",
        "Conv2D(4, 3, stride=2, padding=1, groups=2)",
        "ConvTranspose2D(2, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0))",
        "DepthwiseConv2D((2, 3), multiplier=2, stride=2)",
        "MaxPool2D(3, stride=2, padding=1)",
        "AvgPool2D(3, stride=2, padding=1)",
        "AdaptiveAvgPool((2, 3))",
        "BatchNorm(epsilon=0.001)",
        "GroupNorm(2)",
        "LayerNorm()",
        "BilinearUpSample2D(factor=(2, 3))",
        "UpSample2D(factor=(2, 3))",
        "Flatten()",
    }
]


def written(layer: Layer, sizes: tuple[int, ...]) -> tuple[Composed, dict[str, Any]]:
    """The layer on x[b,…] of these sizes, and values for everything that it reads."""
    places = PLACES.get(len(sizes) - 1, ())
    rank = getattr(layer, "rank", None)
    names = PLACES[len(sizes)] if rank == len(sizes) else (*places, "c")
    under, x = Reading.of(dict(zip(names, sizes, strict=True))).compose()
    made = under.composed(layer.compose(under, x))
    found = solve_sizes(made.system, {"x": (3, *sizes)})
    values: dict[str, Any] = {"x": normal(3, *sizes)}
    for n, tensor in enumerate(made.system.parameters):
        values[tensor.name] = normal(*(found[axis] for axis in tensor.axes), seed=n + 1)
    values["weigh"] = normal(*(found[axis] for axis in made.output.axes), seed=9)
    return made, values


def expected(peer: Peer, made: Composed, values: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The output with channels last, and the derivatives, as torch has them."""
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(value, requires_grad=name != "weigh") for name, value in values.items()}
    x = tensors["x"]
    channelled = len(made.system.tensor_axes["x"]) == 2 or made.system.tensor_axes["x"][-1] == "c"
    parameters = {tensor.name: tensors[tensor.name] for tensor in made.system.parameters}
    output = peer(torch.nn.functional, x.movedim(-1, 1) if channelled else x, parameters)
    output = output.movedim(1, -1)
    output = output.reshape(values["weigh"].shape)
    (output * tensors["weigh"]).sum().backward()
    return output.detach().numpy(), {name: tensors[name].grad.numpy() for name in ("x", *parameters)}


def worst(found: Any, wanted: Any) -> float:
    return float(np.abs(found - wanted).max() / max(1e-300, np.abs(wanted).max()))


@pytest.mark.parametrize(("layer", "sizes", "peer"), CASES, ids=[f"{c[0]!r}-{len(c[1])}" for c in CASES])
def test_equals_torch(layer: Layer, sizes: tuple[int, ...], peer: Peer) -> None:
    made, values = written(layer, sizes)
    output, gradients = expected(peer, made, values)
    log = derive(with_cost(made.system, made.output.name), "C", list(gradients))
    found = evaluate(log.system, values)
    assert worst(found[made.output.name], output) <= 1e-12
    for name, gradient in gradients.items():
        assert worst(found[log.gradients[name]], gradient) <= 1e-9, name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("layer", "sizes", "peer"), SELECTED, ids=[repr(c[0]) for c in SELECTED])
def test_compiled_equals_torch(layer: Layer, sizes: tuple[int, ...], peer: Peer, backend: str) -> None:
    made, values = written(layer, sizes)
    output, gradients = expected(peer, made, values)
    log = derive(with_cost(made.system, made.output.name), "C", list(gradients))
    outputs = (made.output.name, *log.gradients.values())
    state = {tensor.name: values.pop(tensor.name) for tensor in made.system.parameters}
    found = compile(log.system, outputs, "float32", backend).run(values, state)
    assert worst(found[made.output.name], output) <= 1e-4
    for name, gradient in gradients.items():
        assert worst(found[log.gradients[name]], gradient) <= 1e-4, name


def test_all_selected_are_found() -> None:
    assert len(SELECTED) == 14
