"""Generating symbol after symbol: runs of many steps, rows of different length side by side.

A network with a limited number of positions goes on when they are full: the later half of what it has seen is read
again from the first position on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.generation.sampling import GIVEN, MAY_COME, SYMBOL, Sampling, generating
from chainrule.generation.stepping import NOW, Stepping
from chainrule.training.programs import program

Array = NDArray[Any]
# From the symbols generated so far to how many of them to keep, or None to go on.
Stop = Callable[[Sequence[int]], int | None]

# Steps of a run where a row may end before its length, so that few are done in vain.
STEPS_AT_ONCE = 32


def sample(
    step: Stepping,
    parameters: Mapping[str, Array],
    prompts: Sequence[Sequence[int]],
    length: int,
    sampling: Sampling,
    allowed: Array,
    *,
    stop: Stop | None = None,
    seed: int = 0,
    dtype: str = "float32",
    backend: str | None = None,
) -> list[list[int]]:
    """``length`` symbols behind each of the prompts, which have at least one symbol each.

    ``allowed[v]``: 1 for each symbol that may come.  A row ends before where ``stop`` says so.
    """
    made = generating(step, sampling)
    run = program(made, (SYMBOL,), dtype, backend)
    values: dict[str, Any] = {MAY_COME: allowed, **sampling.values}
    rows = [Row(prompt, length, step.positions) for prompt in prompts]
    reads_now = NOW in made.input_by_name
    state: dict[str, Any] = dict(parameters)
    now = done = 0
    while not all(row.ended for row in rows):
        if now == step.positions:
            for row in rows:
                row.go_on()
            state, now = dict(parameters), 0
        count = max(row.steps(now) for row in rows if not row.ended)
        count = min(count, STEPS_AT_ONCE if stop else count, count if step.positions is None else step.positions - now)
        given = np.stack([row.given(now, count) for row in rows], axis=1)
        steps = {GIVEN: given, **({NOW: np.arange(now, now + count)} if reads_now else {})}
        symbols = np.asarray(run.run(values, state, steps, seed=seed, first_step=done)[SYMBOL])
        for row, drawn in zip(rows, symbols.T, strict=True):
            row.take(now, drawn.tolist(), stop)
        now, done = now + count, done + count
    return [row.generated for row in rows]


def latest(symbols: Sequence[int], positions: int) -> list[int]:
    """What is read again where all positions are full: the latest symbols, half as many as fit."""
    return list(symbols[-max(1, positions // 2) :])


class Row:
    """A prompt and what is generated behind it; ``context`` is what is read from the first position on."""

    def __init__(self, prompt: Sequence[int], length: int, positions: int | None) -> None:
        self.prompt = list(prompt)
        self.length = length
        self.positions = positions
        self.generated: list[int] = []
        self.ended = length == 0
        self.context = self.prompt
        if positions is not None and len(self.prompt) >= positions:
            self.go_on()

    def go_on(self) -> None:
        """Begin again at the first position, with the later half of what fits."""
        assert self.positions is not None
        self.context = latest(self.prompt + self.generated, self.positions)

    def steps(self, now: int) -> int:
        """How many steps the row needs from the position ``now`` on."""
        behind = max(0, len(self.context) - 1 - now)
        return behind + self.length - len(self.generated)

    def given(self, now: int, count: int) -> Array:
        """What is given at the next positions [s]; -1 where what was drawn is read."""
        made = np.full(count, -1, dtype=np.int64)
        known = self.context[now : now + count]
        made[: len(known)] = known
        return made

    def take(self, now: int, drawn: Sequence[int], stop: Stop | None) -> None:
        """The symbols drawn at the positions from ``now`` on; those within the context are given and not kept."""
        if self.ended:
            return
        self.generated += drawn[max(0, len(self.context) - 1 - now) :]
        del self.generated[self.length :]
        kept = None if stop is None else stop(self.generated)
        if kept is not None:
            del self.generated[kept:]
        self.ended = kept is not None or len(self.generated) == self.length
