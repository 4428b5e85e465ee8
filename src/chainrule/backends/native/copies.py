"""A system that is many separate ones along an axis: the code of one of them, run for each.

What one member reads and writes stays in the caches of the core that trains it, for as many steps as a call has; and
members that have nothing to do with each other need not wait for each other after every product.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.backends.inputs import read
from chainrule.backends.native import threads
from chainrule.backends.native.memory import OUTPUT
from chainrule.backends.native.program import NativeProgram, Variant, in_order, new_control
from chainrule.backends.native.program_text import STOP
from chainrule.backends.threads import at_most, requested
from chainrule.equations.lift import lowered
from chainrule.equations.node import Number
from chainrule.equations.system import System
from chainrule.errors import ChainruleError

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
        member = self.member
        given = read(member.system, member._system(frozenset()), self.dtype, values, state, steps)
        shapes = {name: self._of_one(name, shape) for name, shape in given.shapes.items()}
        variant = member.variant(shapes, frozenset(given.moving), given.drawn, given.integers)
        self._last = variant
        count, fixed = given.steps, self._begun(given, variant)
        arrays = {name: in_order(array) for name, array in fixed.items()}
        for name, array in given.moving.items():  # the steps of a member one after another
            arrays[name] = in_order(np.moveaxis(array, 1, 0) if name in self._lifted else array)
        results = self._results(variant, self.members, count)

        first = member._arguments(variant, arrays, results, seed)  # those of the first member, from the first step on
        a_member, a_step = self._distances(variant, arrays, frozenset(given.moving), results, count)

        def do(part: Part) -> None:
            words = first + part.member * a_member + part.first * a_step
            member._launch(variant, words, part.last - part.first, first_step + part.first, controls[part])

        def end() -> None:
            for control in controls.values():
                control[STOP] = 1

        allowed = threads.limit(requested())
        workers, threads_each = _divided(allowed, self.members)
        plan = shared_out(self.members, count, workers)
        controls = {part: new_control() for parts in plan for part in parts}
        _side_by_side(plan, do, end, threads_each)
        for name in self.system.updates:
            state[name] = arrays[name]
        together = {name: np.moveaxis(v, 0, 1) if name in self._lifted else v[0] for name, v in results.items()}
        return together if steps else {name: value[0] for name, value in together.items()}

    @property
    def threads_used(self) -> int:
        """See ``NativeProgram.threads_used``."""
        workers, threads_each = _divided(threads.limit(requested()), self.members)
        return workers * (1 if self._last is None else min(threads_each, self._last.widest))

    def _of_one(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that a member reads of something of this shape."""
        if name not in self._lifted:
            return shape
        if shape[:1] != (self.members,):
            raise ChainruleError(f"{name} has the shape {shape}; its first axis is of {self.members} members")
        return shape[1:]

    def _in_front(self, name: str) -> tuple[int, ...]:
        return (self.members,) if name in self._lifted else ()

    def _distances(
        self,
        variant: Variant,
        arrays: Mapping[str, Array],
        moving: frozenset[str],
        results: Mapping[str, Array],
        count: int,
    ) -> tuple[Array, Array]:
        """How far apart in memory, for each argument, members are, and the steps of one of them."""
        a_member, a_step = np.zeros_like(variant.words), np.zeros_like(variant.words)
        for at, kind, name in variant.given:
            if kind == "tensor" and name.startswith(OUTPUT):
                a_member[at] = results[name.removeprefix(OUTPUT)].nbytes // self.members
                a_step[at] = a_member[at] // max(count, 1)
            elif kind == "tensor":
                whole = arrays[name].nbytes // (self.members if name in self._lifted else 1)
                a_member[at] = whole if name in self._lifted else 0
                a_step[at] = whole // max(count, 1) if name in moving else 0
        return a_member, a_step


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


def _divided(allowed: int, members: int) -> tuple[int, int]:
    """How many members are trained at a time, and the threads of each, where so many threads are allowed."""
    return min(allowed, members), max(1, allowed // members)


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


def _side_by_side(
    plan: list[list[Part]], do: Callable[[Part], None], end: Callable[[], None], threads_each: int
) -> None:
    """Run the lists, each in a thread of its own; a part waits until the one before it of the same member is done.

    The first error ends them all, by ``end`` those that are under way, and is raised.
    """
    done = {part: threading.Event() for parts in plan for part in parts}
    before = {(part.member, part.last): event for part, event in done.items()}
    stopped = threading.Event()
    errors: list[BaseException] = []

    def stop() -> None:
        stopped.set()
        end()

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
            stop()
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
        stop()
        for worker in workers:
            worker.join()
        raise
    if errors:
        raise errors[0]
