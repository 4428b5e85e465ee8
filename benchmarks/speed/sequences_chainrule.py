"""Sequences with chainrule: the networks as a user writes them, and generation as one system whose states are the keys
and values so far, so that one call of its program generates a whole row."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.sequences import HEADS, Sequences
from chainrule.equations.parse import parse
from chainrule.equations.sizes import solve_sizes
from chainrule.equations.system import System
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
        system = generation(workload)
        self.program = program(system, ("symbol", "highest"), workload.dtype)
        self.state: dict[str, Any] = dict(workload.weights)
        self.positions = np.arange(workload.length).astype(workload.dtype)
        self.backend = backend_name(None)
        self.work = workload.operations // 2
        self.run(1)

    def run(self, chunks: int) -> None:
        with threads_for(int(self.work), self.backend):
            for _ in range(chunks):
                self.state["last"] = np.zeros((), self.dtype)
                self.found = self.program.run({}, self.state, {"n": self.positions})

    def result(self) -> float:
        return float(self.found["highest"][0])


def generation(workload: Sequences) -> System:
    """One symbol more: ``last`` is the one before, n its position, Kₙ and Vₙ are the keys and values so far."""
    k = workload.units
    sizes = f"axis v = {workload.symbols}, e = {k}, h = {HEADS}, d = {k // HEADS}, f = {4 * k}, t = {workload.length}"
    parameters, states = ["E[v,e]", "P[t,e]", "D[e,v]", "δ[v]"], ["last = 0"]
    lines = ["x0[e] = sum[v](E[v,e]*[v = last]) + sum[t](P[t,e]*[t = n])"]
    for b in range(workload.blocks):
        parameters += [f"W{letter}{b}[e,h,d]" for letter in "qkv"]
        parameters += [f"Wo{b}[h,d,e']", f"W1{b}[e,f]", f"W2{b}[f,e']"]
        states += [f"K{b}[t,h,d] = 0", f"V{b}[t,h,d] = 0"]
        lines += [*_normal(f"x{b}", f"a{b}")]
        lines += [f"{letter}{b}[h,d] = sum[e](a{b}[e]*W{letter}{b}[e,h,d])" for letter in "qkv"]
        lines += [
            f"K{b}'[t,h,d] = where([t = n], k{b}[h,d], K{b}[t,h,d])",
            f"V{b}'[t,h,d] = where([t = n], v{b}[h,d], V{b}[t,h,d])",
            f"s{b}[h,t] = where([t <= n], sum[d](q{b}[h,d]*K{b}'[t,h,d])/sqrt(size(d)), -1e30)",
            f"A{b}[h,t] = exp(s{b}[h,t] - logsumexp[t](s{b}[h,t]))",
            f"o{b}[h,d] = sum[t](A{b}[h,t]*V{b}'[t,h,d])",
            f"y{b}[e] = x{b}[e] + sum[h,d](o{b}[h,d]*Wo{b}[h,d,e])",
            *_normal(f"y{b}", f"m{b}"),
            f"z{b}[f] = sum[e](m{b}[e]*W1{b}[e,f])",
            f"g{b}[f] = 0.5*z{b}[f]*(1 + erf(z{b}[f]/sqrt(2)))",
            f"x{b + 1}[e] = y{b}[e] + sum[f](g{b}[f]*W2{b}[f,e])",
        ]
    lines += [*_normal(f"x{workload.blocks}", "z"), "l[v] = sum[e](z[e]*D[e,v]) + δ[v]"]
    lines += ["symbol = argmax[v](l[v])", "highest = max[v](l[v])", "last' = 1.0*symbol"]
    declared = [sizes, "data n", f"parameter {', '.join(parameters)}", f"state {', '.join(states)}"]
    return parse("\n".join([*declared, *lines]))


def _normal(x: str, y: str) -> list[str]:
    """Layer normalization, whose scale is 1 and shift is 0 in these weights."""
    return [
        f"μ.{y} = sum[e]({x}[e])/size(e)",
        f"v.{y} = sum[e](({x}[e] - μ.{y})^2)/size(e)",
        f"{y}[e] = ({x}[e] - μ.{y})*rsqrt(v.{y} + 1e-5)",
    ]
