"""Whole networks against torch: outputs and the gradients of every parameter, from the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.backends import compile
from chainrule.calculus.reverse import derive
from chainrule.layers import initialization
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy
from chainrule.networks import gpt, lenet5, resnet, unet

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional
pytestmark = pytest.mark.peers


def conv(values: dict[str, Any], name: str, x: Any, **options: Any) -> Any:
    """W[u,v,c,o], or W[u,v,o] of one channel, as torch has it: [o, c, u, v]."""
    kernel = values[f"{name}.W"]
    kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel
    return functional.conv2d(x, kernel.permute(3, 2, 0, 1), values.get(f"{name}.β"), **options)


def torch_lenet5(v: dict[str, Any], x: Any) -> Any:
    x = functional.max_pool2d(conv(v, "conv2d1", x[:, None], padding=2).relu(), 2)
    x = functional.max_pool2d(conv(v, "conv2d2", x).relu(), 2)
    x = (torch.einsum("bchw,hwcj->bj", x, v["dense1.W"]) + v["dense1.β"]).relu()
    x = (x @ v["dense2.W"] + v["dense2.β"]).relu()
    return x @ v["dense3.W"] + v["dense3.β"]


def torch_resnet(v: dict[str, Any], x: Any) -> Any:
    """As torchvision writes it, the layers numbered in the order in which ours are written."""
    numbers = iter(range(1, 100))

    def normalized(x: Any, **options: Any) -> Any:
        n = next(numbers)
        x = conv(v, f"conv2d{n}", x, **options)
        return functional.batch_norm(x, None, None, v[f"batchnorm{n}.γ"], v[f"batchnorm{n}.β"], training=True)

    x = functional.max_pool2d(normalized(x.permute(0, 3, 1, 2), stride=2, padding=3).relu(), 3, stride=2, padding=1)
    for stage in range(4):
        for block in range(2):
            stride = 2 if stage and not block else 1
            inner = normalized(normalized(x, stride=stride, padding=1).relu(), padding=1)
            x = (inner + (normalized(x, stride=2) if stride == 2 else x)).relu()
    return x.mean((2, 3)) @ v["dense1.W"] + v["dense1.β"]


def torch_unet(v: dict[str, Any], x: Any) -> Any:
    """Two sizes of the image; the smaller one's convolutions are written between the larger one's."""
    x = conv(v, "conv2d2", conv(v, "conv2d1", x.permute(0, 3, 1, 2), padding=1).relu(), padding=1).relu()
    below = functional.max_pool2d(x, 2)
    below = conv(v, "conv2d4", conv(v, "conv2d3", below, padding=1).relu(), padding=1).relu()
    kernel = v["convtranspose2d1.W"]
    above = functional.conv_transpose2d(below, kernel.permute(2, 3, 0, 1), v["convtranspose2d1.β"], stride=2)
    x = torch.cat([x, above], 1)
    x = conv(v, "conv2d6", conv(v, "conv2d5", x, padding=1).relu(), padding=1).relu()
    return conv(v, "conv2d7", x).permute(0, 2, 3, 1)


def torch_gpt(v: dict[str, Any], x: Any) -> Any:
    """As nanoGPT writes it, with scaled_dot_product_attention."""

    def normalized(n: int, x: Any) -> Any:
        return functional.layer_norm(x, x.shape[-1:], v[f"layernorm{n}.γ"], v[f"layernorm{n}.β"])

    x = functional.embedding(x, v["embedding1.E"]) + v["positions1.P"][: x.shape[1]]
    for block in (1, 2):
        y = normalized(2 * block - 1, x)
        q, k, w = (torch.einsum("bti,ihd->bhtd", y, v[f"attention{block}.W{name}"]) for name in "qkv")
        y = functional.scaled_dot_product_attention(q, k, w, is_causal=True)
        x = x + torch.einsum("bhtd,hdj->btj", y, v[f"attention{block}.Wo"]) + v[f"attention{block}.β"]
        y = normalized(2 * block, x) @ v[f"dense{2 * block - 1}.W"] + v[f"dense{2 * block - 1}.β"]
        x = x + functional.gelu(y) @ v[f"dense{2 * block}.W"] + v[f"dense{2 * block}.β"]
    return normalized(5, x) @ v["embedding1.E"].T


CASES = {
    "lenet5": (lenet5(3), torch_lenet5, {"h": 28, "w": 28}, "data"),
    "resnet": (resnet(3, widths=(2, 3, 4, 5)), torch_resnet, {"h": 40, "w": 40, "c": 2}, "data"),
    "unet": (unet(3, (2, 3)), torch_unet, {"h": 6, "w": 4, "c": 2}, "data"),
    "gpt": (gpt(9, 7, layers=2, heads=2, units=6), torch_gpt, {"t": 7}, "integer"),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name: str) -> None:
    network, theirs, sizes, role = CASES[name]
    under, x = Reading.of(sizes, role).compose()
    output = network.compose(under, x)
    loss = CrossEntropy()
    loss.mean(under, output, loss.compose(under, output))
    system = under.system()
    names = [tensor.name for tensor in system.parameters]
    start = compile(initialization(system, under.initializers), names, "float64", "numpy").run({}, {}, seed=0)
    generator = np.random.default_rng(0)
    shape = (5, *sizes.values())
    values = {"x": generator.integers(9, size=shape) if role == "integer" else generator.normal(size=shape)}
    values |= {each: start[each] + 0.1 * generator.normal(size=start[each].shape) for each in names}
    variables = {each: torch.tensor(values[each], requires_grad=True) for each in names}
    logits = theirs(variables, torch.tensor(values["x"]))
    values["t"] = generator.integers(3, size=logits.shape[:-1])
    cost = functional.cross_entropy(logits.flatten(0, -2), torch.tensor(values["t"]).flatten())
    cost.backward()
    log = derive(system, "C", names)
    wanted = [output.name, "C", *log.gradients.values()]
    states = {tensor.name: np.zeros_like(start[f"{tensor.name.split('.')[0]}.γ"]) for tensor in system.named("state")}
    found = compile(log.system, wanted, "float64", "numpy").run(values, states)
    np.testing.assert_allclose(found[output.name], logits.detach().numpy(), rtol=1e-9, atol=1e-9)
    assert float(found["C"]) == pytest.approx(cost.item(), rel=1e-10)
    for each in names:
        expected = variables[each].grad.numpy()
        np.testing.assert_allclose(found[log.gradients[each]], expected, rtol=1e-8, atol=1e-9, err_msg=each)
