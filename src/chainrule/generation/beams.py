"""Beam search: the sequences of high probability as a whole, the best few kept at every position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends.program import Program
from chainrule.equations.system import System
from chainrule.generation.sequences import latest
from chainrule.generation.stepping import NOW, Stepping
from chainrule.training.programs import program

Array = NDArray[Any]


@dataclass(frozen=True)
class Hypothesis:
    """A sequence of symbols and the logarithm of its probability; ``ended``: its last symbol is the end."""

    symbols: tuple[int, ...]
    log_probability: float
    ended: bool = False


def beam_search(
    step: Stepping,
    parameters: Mapping[str, Array],
    prompt: Sequence[int],
    length: int,
    beams: int,
    allowed: Array,
    *,
    end: int | None = None,
    dtype: str = "float32",
    backend: str | None = None,
) -> list[Hypothesis]:
    """The ``beams`` best continuations of the prompt that were found, the most probable first.

    ``allowed[v]``: 1 for each symbol that may come; ``end``: the symbol behind which nothing comes.  A sequence that
    has ended keeps its place among the others, whose probabilities fall as they grow.
    Source: Lowerre, The HARPY Speech Recognition System (1976); Graves, Sequence Transduction with RNNs (2012), §2.4.
    """
    walk = _Walk(step, parameters, program(step.system, (step.output,), dtype, backend))
    barred = np.where(allowed > 0, 0.0, -np.inf)
    found = [Hypothesis((), 0.0)]
    logits = walk.restart([list(prompt)])
    for count in range(1, length + 1):
        growing = [one for one in found if not one.ended]
        scores = logits.astype(np.float64) + barred
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        candidates = [(one, 0) for one in found if one.ended]
        for place, (one, score) in enumerate(zip(growing, scores, strict=True)):
            for symbol in np.argsort(-score, kind="stable")[: min(beams, int(np.count_nonzero(allowed)))].tolist():
                total = one.log_probability + float(score[symbol])
                candidates.append((Hypothesis((*one.symbols, symbol), total, symbol == end), place))
        kept = sorted(candidates, key=lambda pair: -pair[0].log_probability)[:beams]
        found = [one for one, _ in kept]
        alive = [(one.symbols, place) for one, place in kept if not one.ended]
        if not alive or count == length:
            break
        if walk.full:
            logits = walk.restart([[*prompt, *symbols] for symbols, _ in alive])
        else:
            logits = walk.step([symbols[-1] for symbols, _ in alive], [place for _, place in alive])
    return found


class _Walk:
    """The network going on with several rows, symbol by symbol."""

    def __init__(self, step: Stepping, parameters: Mapping[str, Array], run: Program) -> None:
        self.positions = step.positions
        self.system: System = step.system
        self.output = step.output
        self.parameters = parameters
        self.program = run
        self.state: dict[str, Any] = {}
        self.now = 0

    @property
    def full(self) -> bool:
        return self.now == self.positions

    def restart(self, rows: Sequence[Sequence[int]]) -> Array:
        """Read rows of one length from the first position on: the logits [b, v] of what follows."""
        self.state, self.now = dict(self.parameters), 0
        if self.positions is not None and len(rows[0]) >= self.positions:
            rows = [latest(row, self.positions) for row in rows]
        return self.run(np.array(rows).T)

    def step(self, symbols: Sequence[int], parents: Sequence[int]) -> Array:
        """One symbol more of each row, which goes on from one of the rows before: the logits of what follows."""
        for tensor in self.system.named("state"):
            if "b" in tensor.axes:
                at = tensor.axes.index("b")
                self.state[tensor.name] = np.take(self.state[tensor.name], parents, axis=at)
        return self.run(np.array([symbols]))

    def run(self, symbols: Array) -> Array:
        steps: dict[str, Array] = {"x": symbols}
        if NOW in self.system.input_by_name:
            steps[NOW] = np.arange(self.now, self.now + len(symbols))
        self.now += len(symbols)
        logits: Array = self.program.run({}, self.state, steps)[self.output][-1]
        return logits
