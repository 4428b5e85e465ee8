"""Sequences with chainrule: the networks as a user writes them, and generation as the system for one position that is
derived from them, one call of whose program generates a whole row."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.sequences import HEADS, Sequences
from chainrule.equations.compose import instantiate
from chainrule.equations.parse import parse
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
from chainrule.generation.sampling import GIVEN, MAY_COME, SYMBOL, Sampling, generating
from chainrule.generation.stepping import NOW, stepping
from chainrule.layers import GRU, LSTM, Embedding, Network, PositionwiseDense
from chainrule.layers.composition import Reading
from chainrule.losses import CrossEntropy
from chainrule.networks import gpt
from chainrule.optimizers import Adam
from chainrule.training.programs import backend_name, program
from chainrule.training.step import TrainingStep, assemble
from chainrule.training.threads import threads_for


def assembled(workload: Sequences) -> TrainingStep:
    if workload.family == "gpt":
        network = gpt(workload.symbols, workload.length, workload.blocks, HEADS, workload.units, tied=False)
    else:
        recurrent = {"lstm": LSTM, "gru": GRU}[workload.family]
        layers = Embedding(workload.symbols, workload.embedding), recurrent(workload.units, states="all")
        network = Network(*layers, PositionwiseDense(workload.symbols))
    reading = Reading.of({"t": workload.length}, role="integer")
    return assemble(network, CrossEntropy(), Adam(workload.rate), reading)


def parameters(workload: Sequences, step: TrainingStep) -> dict[str, Any]:
    """The first weights, by the names of the step, in which matrices come in the order of the network.

    Biases start at 0, that of the forget gate as well, and the scales of layer normalizations at 1.
    """
    if workload.family == "gpt":
        blocks = [[f"{name}{n}" for name in ("Wq", "Wk", "Wv", "Wo", "W1", "W2")] for n in range(workload.blocks)]
        order = ["E", "P", *(name for block in blocks for name in block), "D"]
    else:
        order = ["E", "W", "U", "D"]
    sizes = solve_sizes(step.system, {}, partial=True)
    found: dict[str, Any] = {}
    drawn = iter(order)
    for tensor in step.parameters:
        layer, _, letter = tensor.name.rpartition(".")
        if letter in ("β", "γ"):
            shape = [sizes[axis] for axis in tensor.axes]
            found[tensor.name] = np.full(shape, float(letter == "γ" and layer.startswith("layernorm")), workload.dtype)
        else:
            found[tensor.name] = workload.weights[next(drawn)].copy()
    return found


class Generating:
    """A row of symbols a call."""

    def __init__(self, workload: Sequences) -> None:
        self.dtype = workload.dtype
        self.program = program(generation(workload), (SYMBOL, "highest"), workload.dtype)
        self.parameters = parameters(workload, assembled(workload))
        given = np.full((workload.length, 1), -1)
        given[0] = 0
        self.steps = {NOW: np.arange(workload.length), GIVEN: given}
        self.values = {MAY_COME: np.ones(workload.symbols, workload.dtype)}
        self.backend = backend_name(None)
        self.work = workload.operations // 2
        self.run(1)

    def run(self, chunks: int) -> None:
        with threads_for(int(self.work), self.backend):
            for _ in range(chunks):
                self.found = self.program.run(self.values, dict(self.parameters), self.steps)

    def result(self) -> float:
        return float(self.found["highest"][0, 0])


def generation(workload: Sequences) -> System:
    """One symbol more, the most probable one, and the highest logit."""
    under, x = Reading.of({"t": workload.length}, role="integer").compose()
    network = gpt(workload.symbols, workload.length, workload.blocks, HEADS, workload.units, tied=False)
    made = under.composed(network.compose(under, x))
    step = stepping(made.system, made.output.name)
    highest = parse("data s[b,v]\nhighest[b] = max[v](s[b,v])")
    logits = step.system.tensor_axes[step.output]
    more = instantiate(highest, {"s": step.output}, {"v": logits[1:]})
    return generating(step, Sampling(0)).extended(more.equations)
