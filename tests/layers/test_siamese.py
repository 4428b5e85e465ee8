"""One network for all members of a row: equal to the network on each alone, one set of parameters, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.contracts.catalogue import normal

from chainrule.backends import BACKENDS, compile
from chainrule.equations.evaluate import evaluate
from chainrule.errors import ChainruleError
from chainrule.layers import BatchNorm, Branch, Conv2D, Dense, Layer, MaxPool2D, Network, ReLU, Siamese, initialization
from chainrule.losses import Triplet
from chainrule.optimizers import SGD
from chainrule.training.step import assemble

LAYERS: tuple[Layer, ...] = (Conv2D(2, 3), ReLU(), MaxPool2D(2), Branch(Dense(3), Dense(2)))
IMAGES = {"p": 3, "h": 6, "w": 6}


def start(made: Any) -> dict[str, Any]:
    return evaluate(initialization(made.system, made.initializers), {}, seed=1)


def test_each_member_gets_what_it_would_alone() -> None:
    made = Network(Siamese(*LAYERS)).composed(IMAGES)
    alone = Network(*LAYERS).composed({"h": 6, "w": 6})
    assert [tensor.name for tensor in made.system.parameters] == [tensor.name for tensor in alone.system.parameters]
    parameters, x = start(made), normal(4, 3, 6, 6)
    together = evaluate(made.system, {"x": x, **parameters})[made.output.name]
    assert together.shape == (4, 3, 5)
    for member in range(3):
        one = evaluate(alone.system, {"x": x[:, member], **parameters})[alone.output.name]
        np.testing.assert_allclose(together[:, member], one, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_triplets_of_images_train(backend: str) -> None:
    step = assemble(Siamese(*LAYERS), Triplet(5.0), SGD(0.05), IMAGES)
    names = [tensor.name for tensor in step.parameters]
    state = compile(step.initialization, names, "float64", "numpy").run({}, {}, seed=1)
    steps = {"rows": np.tile(np.arange(4), (20, 1)), "η": np.full(20, 0.05)}
    program = compile(step.system, [step.cost], "float64", backend)
    costs = program.run({"X": normal(4, 3, 6, 6)}, state, steps=steps)[step.cost]
    assert costs[-1] < 0.8 * costs[0]


def test_states_are_refused() -> None:
    with pytest.raises(ChainruleError, match=r"siamese1: batchnorm1\.\w is a state, which only one"):
        Network(Siamese(Dense(3), BatchNorm())).composed({"p": 2, "i": 4})


@pytest.mark.parametrize("sizes", [{"p": None, "i": 4}, {}])
def test_members_must_be_counted(sizes: dict[str, int | None]) -> None:
    with pytest.raises(ChainruleError, match="siamese1: the members of a row are wanted along the second axis"):
        Network(Siamese(Dense(3))).composed(sizes)
