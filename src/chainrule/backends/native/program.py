"""Programs of the native backend: machine code for the sizes that come, kept, and run for many steps."""

from __future__ import annotations

import ctypes
import math
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.backends.facts import Place, Range
from chainrule.backends.inputs import Given, read, safe_reads, sizes_of
from chainrule.backends.native import jit, memory, program_text, routines, threads
from chainrule.backends.native.factors import factored, without_copies
from chainrule.backends.native.layout import recurrent_axes_first
from chainrule.backends.native.memory import OUTPUT, Memory
from chainrule.backends.native.program_text import CONTROL, HALT, STOP, Text
from chainrule.backends.native.schedule import Schedule, schedule
from chainrule.backends.native.space import Space
from chainrule.backends.native.statements import statements
from chainrule.backends.native.target import host
from chainrule.backends.native.unrolled import unrolled
from chainrule.backends.native.windows import windowed
from chainrule.backends.passes import prepared, with_literals
from chainrule.backends.threads import requested
from chainrule.equations.system import System

Array = NDArray[Any]
LINE = 64
MOST_VARIANTS = 256  # sizes for which a program keeps its code
PROMPT = 0.05  # seconds for which a signal may wait: shorter runs are not handed to a thread that can be stopped
_ROUTINE = re.compile(r"^declare void @((?:gemm|pack|window|random_\w+)_f\d+|barrier)\(", re.MULTILINE)


@dataclass
class Variant:
    """Code and the plan of its memory, for some sizes."""

    space: Space
    schedule: Schedule
    memory: Memory
    text: Text
    library: Any
    address: int
    words: Array  # the arguments, but for addresses and what changes from run to run
    given: list[tuple[int, str, str]]  # the words that each run fills in, as in ``Text.slots``
    in_arena: tuple[Array, Array]  # the words that are addresses in the arena, and the offsets there
    scratch_bytes: int
    widest: int  # more threads than this have nothing to do
    seconds: float  # that making it took
    buffers: list[tuple[Array, Array]]
    pace: float = np.inf  # seconds that a step of the last run took


class NativeProgram:
    """A system compiled to machine code.

    Code is made when a run first needs it, for the sizes of its inputs; most of it serves other numbers of rows, too.
    """

    def __init__(self, system: System, outputs: tuple[str, ...], dtype: np.dtype[Any]) -> None:
        self.system = system
        self.outputs = outputs
        self.dtype = dtype
        self._prepared: dict[frozenset[str], System] = {}
        self._variants: dict[Any, Variant] = {}
        self._sizes_of: dict[Any, Mapping[str, int]] = {}
        self._last: Variant | None = None

    @property
    def source(self) -> str:
        """The LLVM text of the last run, or, before any, for the sizes declared."""
        return (self._last or self.variant({}, frozenset())).text.text

    def explain(self) -> str:
        """What each pass of the compiler did for the last run, or, before any, for the sizes declared."""
        from chainrule.backends.native.explain import explain

        return explain(self._last or self.variant({}, frozenset()))

    @property
    def threads_used(self) -> int:
        """How many threads a run like the last one has, within those that are allowed now."""
        return 1 if self._last is None else min(threads.limit(requested()), self._last.widest)

    # compiling

    def variant(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        stepped: frozenset[str],
        given: frozenset[str] = frozenset(),
        integers: Mapping[str, Range] | None = None,
    ) -> Variant:
        """The code for inputs of these shapes; see ``NumpyProgram.variant``."""
        system, shown = self._system(given), tuple(sorted(shapes.items()))
        if shown not in self._sizes_of:
            self._sizes_of[shown] = sizes_of(self.system, shapes)
        sizes = self._sizes_of[shown]
        safe = safe_reads(system, sizes, integers)
        key = (stepped, given, shown, tuple(safe.values()))
        variant = self._variants.get(key)
        if variant is None:
            if len(self._variants) >= MOST_VARIANTS:
                self._variants, self._sizes_of = {}, {shown: sizes}
            self._variants[key] = variant = self._compile(system, sizes, stepped, safe)
        return variant

    def _compile(
        self, system: System, sizes: Mapping[str, int], stepped: frozenset[str], safe: Mapping[Place, bool]
    ) -> Variant:
        start = time.perf_counter()
        target = host()
        element = "float" if self.dtype == np.float32 else "double"
        rewritten, sizes = windowed(system, sizes)
        rewritten = unrolled(rewritten, sizes, system)
        space = Space(rewritten, sizes, element, target, safe, stated=system)
        wanted = {*self.outputs, *system.updates.values()}
        plan = schedule(space, statements(space, wanted), wanted)
        places = memory.plan(space, plan, self.outputs, system.updates)
        text = program_text.write(space, plan, places, stepped)
        for name in _ROUTINE.findall(text.text):
            routines.provide(name, target)
        library = jit.library(text.text, target)
        scratch = program_text.scratch_bytes(space, plan, places)
        regions = {f"{n}.{m}": region for n, level in enumerate(plan.levels) for m, region in enumerate(level)}
        words = np.zeros(len(text.slots), dtype=np.int64)
        for at, (kind, name) in enumerate(text.slots):
            match kind:
                case "size":
                    words[at] = space.size(name)
                case "shards":
                    words[at] = regions[name].shards
                case "rows":
                    words[at] = regions[name].rows
                case "block":
                    words[at] = regions[name].block
                case "stride":
                    base = name.removeprefix(OUTPUT)
                    width = 8 if space.tensors[base].element == "i64" else self.dtype.itemsize
                    words[at] = space.elements(base) * width
                case "local":
                    words[at] = places.local[name]
                case "local bytes":
                    words[at] = places.local_bytes
                case "scratch bytes":
                    words[at] = scratch
                case "key":
                    words[at] = zlib.crc32(name.encode())
        kinds = ("tensor", "control", "steps", "first step", "seed", "scratch")
        given = [(at, kind, name) for at, (kind, name) in enumerate(text.slots) if kind in kinds]
        in_arena = [(at, places.arena[name]) for at, kind, name in given if kind == "tensor" and name in places.arena]
        widest = max((region.shards for region in regions.values()), default=1)
        return Variant(
            space,
            plan,
            places,
            text,
            library,
            library.address("run"),
            words,
            [slot for slot in given if slot[2] not in places.arena],
            (np.array([at for at, _ in in_arena], np.int64), np.array([offset for _, offset in in_arena], np.int64)),
            scratch,
            widest,
            time.perf_counter() - start,
            [],
        )

    def _system(self, given: frozenset[str]) -> System:
        if given not in self._prepared:
            system = with_literals(prepared(self.system, self.outputs), self.outputs)
            kept = {*self.outputs, *system.updates.values()}
            system = recurrent_axes_first(factored(without_copies(system, kept)), kept)
            inputs = tuple(replace(t, role="data", distribution=None) if t.name in given else t for t in system.inputs)
            self._prepared[given] = System(system.equations, inputs, system.sizes, system.sources)
        return self._prepared[given]

    # running

    def run(
        self,
        values: Mapping[str, ArrayLike],
        state: dict[str, Any],
        steps: Mapping[str, ArrayLike] | None = None,
        seed: int = 0,
        first_step: int = 0,
    ) -> dict[str, Array]:
        """See ``Program.run``."""
        given = read(self.system, self._system(frozenset()), self.dtype, values, state, steps)
        variant = self.variant(given.shapes, frozenset(given.moving), given.drawn, given.integers)
        self._last = variant
        count, fixed = given.steps, self._begun(given, variant)
        results = self._results(variant, count)
        arrays = {name: in_order(array) for name, array in (fixed | given.moving).items()}
        self._launch(variant, self._arguments(variant, arrays, results, seed), count, first_step)
        for name in self.system.updates:
            state[name] = fixed[name]
        return results if steps else {name: value[0] for name, value in results.items()}

    def _begun(self, given: Given, variant: Variant) -> dict[str, Array]:
        """What does not differ between steps: states as a run may write them, and begun where none are given."""
        arrays = given.fixed
        for name in self.system.updates.keys() & arrays.keys():
            arrays[name] = np.array(arrays[name], order="C")
        for tensor in given.starting:
            shape = (*self._in_front(tensor.name), *map(variant.space.size, tensor.axes))
            arrays[tensor.name] = np.full(shape, tensor.value, self.dtype)
        return arrays

    def _in_front(self, name: str) -> tuple[int, ...]:
        """The sizes that a tensor has in front of those that the code knows of."""
        return ()

    def _results(self, variant: Variant, *front: int) -> dict[str, Array]:
        """Memory for the outputs, with these sizes in front."""
        made = {name: variant.space.tensors[name] for name in self.outputs}
        return {
            name: np.empty(
                (*front, *map(variant.space.size, tensor.axes)), np.int64 if tensor.element == "i64" else self.dtype
            )
            for name, tensor in made.items()
        }

    def _arguments(
        self, variant: Variant, arrays: Mapping[str, Array], results: Mapping[str, Array], seed: int
    ) -> Array:
        """The arguments of a run, but for the steps and the memory that belong to one launch."""
        words = variant.words.copy()
        for at, kind, name in variant.given:
            if kind == "tensor":
                output = name.startswith(OUTPUT)
                words[at] = address(results[name.removeprefix(OUTPUT)] if output else arrays[name])
            elif kind == "seed":
                words[at] = seed & 0xFFFFFFFF
        return words

    def _launch(
        self, variant: Variant, words: Array, count: int, first_step: int, control: Array | None = None
    ) -> None:
        """Do so many steps with the arguments ``words``, in which the rest is filled in.

        ``control``: from ``new_control``, by which another thread may end the run between two steps.
        """
        control = new_control() if control is None else control
        number = 1 if variant.widest == 1 else min(threads.limit(requested()), variant.widest)
        arena, scratch = self._buffers(variant, number)
        control[HALT] = count
        at_arena, offsets = variant.in_arena
        words[at_arena] = offsets + address(arena)
        own = {"control": address(control), "steps": count, "first step": first_step, "scratch": address(scratch)}
        for at, kind, _ in variant.given:
            if kind in own:
                words[at] = own[kind]
        short = count == 1 or count * variant.pace < PROMPT
        start = time.perf_counter()
        threads.launch(variant.address, address(words), number, None if short else control[STOP : STOP + 1])
        variant.pace = (time.perf_counter() - start) / max(count, 1)
        variant.buffers.append((arena, scratch))

    def bind(self, state: Mapping[str, ArrayLike]) -> Bound:
        """See ``Program.bind``."""
        return Bound(self, state)

    def _buffers(self, variant: Variant, number: int) -> tuple[Array, Array]:
        """Memory for one run: kept for the next, another where two run at once."""
        size = variant.scratch_bytes * number
        try:
            arena, scratch = variant.buffers.pop()
        except IndexError:
            return _aligned(variant.memory.arena_bytes), _aligned(size)
        return arena, scratch if scratch.size >= size else _aligned(size)


class Bound:
    """A program and the parameters it is run with, again and again, on other data: ``bound(values)``.

    What does not change between calls with data of the same shapes is done in the first of them.
    """

    def __init__(self, program: NativeProgram, state: Mapping[str, ArrayLike]) -> None:
        system = program.system
        self.program = program
        self.state = {name: np.array(value, program.dtype, order="C") for name, value in state.items()}
        self._names = {tensor.name for tensor in system.inputs} - self.state.keys()
        self._plain = not system.updates and not system.named("random")
        self._latest: list[_Call] = []

    def __call__(self, values: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """The outputs for these data; the parameters stay as they are.  Raises ChainruleError as ``run`` does."""
        try:
            call = self._latest.pop()  # no other thread has it now
        except IndexError:
            return self._first(values)
        results = call(values)
        if results is None:
            return self._first(values)
        self._latest.append(call)
        return results

    def _first(self, values: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """A call with data of new shapes, or while another one is under way."""
        found = self.program.run(values, dict(self.state))
        if self._plain and values.keys() == self._names and all(type(v) is np.ndarray for v in values.values()):
            self._latest[:] = [_Call(self.program, self.state, {n: np.asarray(v) for n, v in values.items()})]
        return found


SMALL_ARRAY = 16_384  # elements up to which copying is quicker than asking NumPy for an address


# What is known of integers that differ from call to call: the code checks every position that they say.
ANY = (-(2**62), 2**62)


class _Call:
    """The arguments of calls with data of certain shapes and types; one thread uses it at a time.

    Small arrays are copied to and from memory of its own, whose address is in the arguments already.
    """

    def __init__(self, program: NativeProgram, state: Mapping[str, Array], arrays: Mapping[str, Array]) -> None:
        shapes = {name: array.shape for name, array in (*state.items(), *arrays.items())}
        known = program.system.input_by_name
        known_shapes = {name: shape for name, shape in shapes.items() if name in known}
        anything = {tensor.name: ANY for tensor in program.system.named("integer")}
        self.variant = variant = program.variant(known_shapes, frozenset(), frozenset(), anything)
        self.state = state
        self.control = new_control()
        self.control[HALT] = 1
        self.words = variant.words.copy()
        self.arena, self.scratch = _aligned(variant.memory.arena_bytes), _aligned(variant.scratch_bytes)
        space, places = variant.space, variant.memory.arena
        fixed = {"control": address(self.control), "steps": 1, "first step": 0, "seed": 0}
        slots: dict[str, int] = {}
        for at, (kind, name) in enumerate(variant.text.slots):
            if kind in fixed:
                self.words[at] = fixed[kind]
            elif kind == "scratch":
                self.words[at] = address(self.scratch)
                self.scratch_slot = at
            elif kind == "tensor" and name in places:
                self.words[at] = address(self.arena) + places[name]
            elif kind == "tensor":
                slots[name] = at
                if name in state:
                    self.words[at] = address(state[name])
        # name, shape, type, type in the code, own memory or None, word of the address (None: the code does not read it)
        self.inputs: list[tuple[str, tuple[int, ...], Any, Any, Array | None, int | None]] = []
        for name, array in arrays.items():
            where = slots.get(name)
            read_as = np.dtype(np.int64) if name in anything else program.dtype
            own = np.empty(array.shape, read_as) if array.size <= SMALL_ARRAY else None
            if where is not None and own is not None:
                self.words[where] = address(own)
            self.inputs.append((name, array.shape, array.dtype, read_as, own, where))
        self.outputs: list[tuple[str, tuple[int, ...], Any, Array | None, int]] = []
        for name in program.outputs:
            shape = tuple(space.size(axis) for axis in space.tensors[name].axes)
            made = np.dtype(np.int64) if space.tensors[name].element == "i64" else program.dtype
            own = np.empty(shape, made) if math.prod(shape) <= SMALL_ARRAY else None
            at = slots[OUTPUT + name]
            if own is not None:
                self.words[at] = address(own)
            self.outputs.append((name, shape, made, own, at))
        self.invoke = ctypes.CFUNCTYPE(None)(variant.address)
        self.address = address(self.words)
        self.alone = (ctypes.c_void_p(self.address), ctypes.c_int64(0), ctypes.c_int64(1))

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array] | None:
        """The outputs, or None where the data are not of these shapes and types."""
        if len(values) != len(self.inputs):
            return None
        kept = []
        for name, shape, kind, read_as, own, at in self.inputs:
            value = values.get(name)
            if type(value) is not np.ndarray or value.shape != shape or value.dtype != kind:
                return None
            if own is not None:
                own[...] = value
            elif at is not None:
                array = np.require(value, read_as, ("C", "A"))
                self.words[at] = address(array)
                kept.append(array)
        results: dict[str, Array] = {}
        for name, shape, kind, own, word in self.outputs:
            if own is None:
                results[name] = array = np.empty(shape, kind)
                self.words[word] = address(array)
        if self.variant.widest == 1:
            self.invoke(*self.alone)
        else:
            self._divided()
        for name, _, _, own, _ in self.outputs:
            if own is not None:
                results[name] = own.copy()
        return results

    def _divided(self) -> None:
        number = min(threads.limit(requested()), self.variant.widest)
        if self.scratch.size < number * self.variant.scratch_bytes:
            self.scratch = _aligned(number * self.variant.scratch_bytes)
            self.words[self.scratch_slot] = address(self.scratch)
        threads.launch(self.variant.address, self.address, number, None)


def _aligned(size: int) -> Array:
    memory_ = np.empty(size + LINE, dtype=np.uint8)
    start = -address(memory_) % LINE
    return memory_[start : start + size]


def new_control() -> Array:
    """The words that threads of a run share; it ends early where that of ``STOP`` is not 0."""
    return np.zeros(CONTROL, dtype=np.int64)


def in_order(array: Array) -> Array:
    """The array as code reads it: in order of memory, aligned."""
    in_order = array.flags.c_contiguous and array.flags.aligned
    return array if in_order else np.require(array, requirements=("C", "A"))


_NOTHING = ctypes.c_char * 0


def address(array: Array) -> int:
    """Where in memory the array begins."""
    try:
        return ctypes.addressof(_NOTHING.from_buffer(array.data))
    except TypeError:  # what may not be written; asking NumPy takes twice as long
        return int(array.__array_interface__["data"][0])
