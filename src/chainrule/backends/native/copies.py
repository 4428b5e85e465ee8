"""A system that is many separate ones along an axis: the code of one of them, run for each.

What one member reads and writes stays in the caches of the core that trains it, for as many steps as a call has; and
members that have nothing to do with each other need not wait for each other after every product.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.backends.native import threads
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.threads import at_most, requested
from chainrule.equations.lift import lowered
from chainrule.equations.node import Number
from chainrule.equations.system import System

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Some steps of one member, from ``first`` to before ``last``."""

    member: int
    first: int
    last: int


class Copies(NativeProgram):
    """A program of many separate members, which are trained one beside the other, each by the code of a member alone.

    So the bits of a member are those of that system alone, however many steps a call has.
    """

    def __init__(
        self, system: System, outputs: tuple[str, ...], dtype: np.dtype[Any], along: str, members: int, member: System
    ) -> None:
        super().__init__(system, outputs, dtype)
        self.members = members
        self.member = NativeProgram(member, outputs, dtype)
        self._lifted = frozenset(name for name, axes in system.tensor_axes.items() if axes[:1] == (along,))

    def run(
        self,
        values: Mapping[str, ArrayLike],
        state: dict[str, Any],
        steps: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
        first_step: int = 0,
    ) -> dict[str, Array]:
        """See ``Program.run``."""
        count = len(np.asarray(next(iter(steps.values())))) if steps else 1
        members = self.members
        states = [{n: v[m] if n in self._lifted else v for n, v in state.items()} for m in range(members)]
        fixed = [{n: np.asarray(v)[m] if n in self._lifted else v for n, v in values.items()} for m in range(members)]
        moving = [
            {n: np.asarray(v)[:, m] if n in self._lifted else np.asarray(v) for n, v in (steps or {}).items()}
            for m in range(members)
        ]
        results: list[list[Mapping[str, Array]]] = [[] for _ in range(members)]

        def do(part: Part) -> None:
            m, span = part.member, slice(part.first, part.last)
            some = {name: value[span] for name, value in moving[m].items()}
            found = self.member.run(fixed[m], states[m], some, seed, first_step + part.first)
            results[m].append(found if some else {name: value[None] for name, value in found.items()})

        allowed = threads.limit(requested())
        plan = shared_out(members, count, min(allowed, members))
        _side_by_side(plan, do, max(1, allowed // members))
        for name in self.system.updates:
            state[name] = np.stack([one[name] for one in states])
        self._last = self.member._last
        together = {name: self._together(name, results) for name in self.outputs}
        return together if steps else {name: value[0] for name, value in together.items()}

    def _together(self, name: str, results: list[list[Mapping[str, Array]]]) -> Array:
        """An output of all members, [step, member, …], or that of the first where members do not differ."""
        whole = [np.concatenate([part[name] for part in parts]) for parts in results]
        return np.stack(whole, axis=1) if name in self._lifted else whole[0]


def program(system: System, outputs: tuple[str, ...], dtype: np.dtype[Any]) -> NativeProgram:
    """The program of a system; of one that is many learning systems, a number that it declares, that of its members."""
    found = lowered(system) if any(tensor.name in system.updates for tensor in system.parameters) else None
    if found is None:
        return NativeProgram(system, outputs, dtype)
    along, member = found
    match dict(system.sizes).get(along):
        case Number(int(members)) if members > 1:
            return Copies(system, outputs, dtype, along, members, member)
    return NativeProgram(system, outputs, dtype)


def shared_out(members: int, steps: int, workers: int) -> list[list[Part]]:
    """What each worker does, in its order, so that all have the same number of steps to do.

    McNaughton's rule (Scheduling with Deadlines and Loss Functions, 1959): members stand in a row of members·steps
    steps that is cut into equal pieces.  A member on a cut is begun at once by the worker before the cut and ended last
    by the worker behind it.
    """
    share = -(-members * steps // workers)
    plan = []
    for worker in range(workers):
        first, last = worker * share, min((worker + 1) * share, members * steps)
        parts = []
        while first < last:
            member, at = divmod(first, steps)
            end = min(steps, at + last - first)
            parts.append(Part(member, at, end))
            first += end - at
        begun = [part for part in parts if part.last < steps]
        ended = [part for part in parts if part.first > 0 and part.last == steps]
        plan.append([*begun, *(part for part in parts if part not in begun and part not in ended), *ended])
    return plan


def _side_by_side(plan: list[list[Part]], do: Any, threads_each: int) -> None:
    """Run the lists, each in a thread of its own; a part waits until the one before it of the same member is done."""
    done = {part: threading.Event() for parts in plan for part in parts}
    before = {(part.member, part.last): event for part, event in done.items()}
    stopped = threading.Event()
    errors: list[BaseException] = []

    def work(parts: list[Part]) -> None:
        try:
            with at_most(threads_each):
                for part in parts:
                    if part.first:
                        before[part.member, part.first].wait()
                    if stopped.is_set():
                        return
                    do(part)
                    done[part].set()
        except BaseException as error:
            errors.append(error)
        finally:
            for part in parts:
                done[part].set()

    workers = [threading.Thread(target=work, args=(parts,), daemon=True) for parts in plan[1:]]
    for worker in workers:
        worker.start()
    try:
        work(plan[0])
        for worker in workers:
            worker.join()
    except BaseException:
        stopped.set()
        for worker in workers:
            worker.join()
        raise
    if errors:
        raise errors[0]
