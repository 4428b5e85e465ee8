"""The workloads of images on tiny networks: what is counted, and that the libraries compute the same."""

from __future__ import annotations

import math

import pytest
from benchmarks.speed import with_chainrule
from benchmarks.speed.images import CONVNET, IMAGES, LENET, RESNET, Images
from benchmarks.speed.images_chainrule import assembled, parameters
from benchmarks.speed.measure import Options, measure
from benchmarks.speed.peers import CHAINRULE, JAX, TORCH, Peer

NAMED = {workload.name: workload for workload in IMAGES}
TINY = (
    Images("LeNet", (28, 1, 6, 16, 120, 84, 5), 4, family="lenet", rows=16),
    Images("convolutions", (8, 1, 6, 8, 32, 5), 8, rows=32),
    Images("convolutions of colours", (8, 3, 6, 8, 32, 5), 8, rows=32),
    # PyTorch 2.13 writes outside its memory where a normalized convolution has fewer than eight filters.
    Images("ResNet", (8, 3, 8, 8, 16, 16, 5), 8, family="resnet", rows=32),
)
named = pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.name)


def test_operations_of_a_step() -> None:
    first = 28 * 28 * 25 * 6
    forward = first + 10 * 10 * 25 * 6 * 16 + 400 * 120 + 120 * 84 + 84 * 10
    assert NAMED[LENET].operations == 2 * 32 * (3 * forward - first)
    first = 26 * 26 * 9 * 32
    forward = first + 24 * 24 * 9 * 32 * 64 + 12 * 12 * 64 * 128 + 128 * 10
    assert NAMED[CONVNET].operations == 2 * 64 * (3 * forward - first)


def test_resnet_has_its_products() -> None:
    # Twenty convolutions, three of them projections, and a dense layer: 11,173,962 numbers with the normalizations.
    workload = NAMED[RESNET]
    assert [product.positions for product in workload.products] == [1024] * 5 + [256] * 5 + [64] * 5 + [16] * 5 + [1]
    normalizations = 2 * sum(product.weights[3] for product in workload.products[:-1])
    assert sum(math.prod(product.weights) for product in workload.products) + normalizations + 10 == 11_173_962


@named
def test_images_are_learnt(workload: Images) -> None:
    assert Images.read(workload.fields()) == workload
    step = assembled(workload)
    found = parameters(workload, step)
    weights = [found[tensor.name] for tensor in step.parameters if tensor.name.endswith(".W")]
    assert [value.size for value in weights] == [math.prod(product.weights) for product in workload.products]
    training = with_chainrule.build(workload, {"form": "program"})
    training.run(1)
    first = training.result()
    training.run(40)
    assert training.result() < 0.8 * first


def losses(workload: Images, peers: list[Peer]) -> list[float]:
    row = measure(workload, peers, Options(rounds=1, seconds=0.005, threads=1, backend="numpy", quick=True))
    assert not [found.problem for found in row.measured.values() if found.problem]
    return [found.result for found in row.measured.values()]


@pytest.mark.peers
@named
def test_all_libraries_compute_the_same(workload: Images) -> None:
    ours, *others = losses(workload, [CHAINRULE, TORCH, JAX])
    assert others == pytest.approx([ours] * 2, rel=1e-3)
