"""Building one system out of definitions: scopes, fresh axes, and what each parameter starts as.

A ``Composition`` is what the layers of a network write into, one after another.  Each definition gets a scope
(``dense1``, ``tanh1``: the family and a number), its tensors are named after it (``dense1.W``), its placeholder axes
are replaced by those of the tensor it is applied to, and its new axes by fresh letters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.definition import Definition
from chainrule.equations.check import check
from chainrule.equations.compose import ELLIPSIS, Axes, fresh, instantiate, match_axes, product_of_sizes
from chainrule.equations.node import Access, Equation, Expression, Index, Number, Reduce, base_axis, plain_axis
from chainrule.equations.sizes import size_value
from chainrule.equations.system import Input, Role, System, size_names
from chainrule.equations.walk import subexpressions, tensors
from chainrule.errors import ChainruleError
from chainrule.initializers import Initializer


@dataclass(frozen=True)
class Tensor:
    """A tensor of the system under construction: its name and its axes."""

    name: str
    axes: Axes

    def __str__(self) -> str:
        return f"{self.name}[{','.join(self.axes)}]" if self.axes else self.name


@dataclass(frozen=True)
class Reading:
    """What a network reads: ``x[b, …]``, the other axes and their sizes (None: known only with the data).

    ``role``: ``data`` or ``integer``.  ``length``: the axis along which rows differ in length; ``length[b]`` says how
    many positions of it each row has, and what lies behind is not part of the row.
    """

    sizes: tuple[tuple[str, int | None], ...]
    role: Role = "data"
    length: str | None = None

    @staticmethod
    def of(sizes: Mapping[str, int | None], role: Role = "data", length: str | None = None) -> Reading:
        return Reading(tuple(sizes.items()), role, length)

    def compose(self) -> tuple[Composition, Tensor]:
        """A composition with this input, and x."""
        x = Input("x", ("b", *dict(self.sizes)), self.role)
        inputs = [x]
        if self.length is not None:
            inputs.append(Input("length", ("b",), "integer"))
        under = Composition(inputs, {"b": None, **dict(self.sizes)})
        if self.length is not None:
            under.lengths[self.length] = Tensor("length", ("b",))
        return under, Tensor("x", x.axes)


@dataclass(frozen=True)
class Composed:
    """A finished composition.

    ``output`` is the last layer's tensor, ``initializers`` say what each parameter starts as, ``constants`` are the
    values of inputs that never change.
    """

    system: System
    output: Tensor
    initializers: Mapping[str, Initializer]
    constants: Mapping[str, tuple[float, ...]]


class Composition:
    """Equations, inputs and sizes so far; layers add theirs with ``place``.

    ``lengths``: axis → the integers ``n[b]`` that say how many of its positions belong to each row.
    ``context``: what an encoder wrote, for the decoder that is being written.
    ``shared``: the parameters that the members of an ensemble have in common.
    """

    def __init__(self, inputs: Iterable[Input], sizes: Mapping[str, int | None]) -> None:
        self.equations: list[Equation] = []
        self.inputs = list(inputs)
        self.sizes: dict[str, Expression | None] = {
            name: None if size is None else Number(int(size)) for name, size in sizes.items()
        }
        self.taken = {"b", *sizes, *(axis for tensor in self.inputs for axis in tensor.axes)}
        self.counts: Counter[str] = Counter()
        self.initializers: dict[str, Initializer] = {}
        self.constants: dict[str, tuple[float, ...]] = {}
        self.lengths: dict[str, Tensor] = {}
        self.context: Tensor | None = None
        self.shared: set[str] = set()

    def scope(self, family: str) -> str:
        """The next scope of a family: ``dense1``, ``dense2``, …"""
        self.counts[family] += 1
        return f"{family}{self.counts[family]}"

    def fresh_axis(self, wanted: str, size: int | None = None) -> str:
        """An axis that nothing uses yet, named ``wanted`` or like it."""
        name = fresh(wanted, self.taken)
        self.taken.add(name)
        if size is not None:
            self.sizes[name] = Number(size)
        return name

    def size(self, axis: str) -> int | None:
        """The size of an axis; None where only the data say it."""
        size = self.sizes.get(base_axis(axis))
        others = {name: self.size(name) for name in size_names(size)}
        known = {name: value for name, value in others.items() if value is not None}
        return size_value(size, known) if size is not None and len(known) == len(others) else None

    def place(
        self,
        definition: System,
        scope: str,
        reads: Mapping[str, Tensor],
        *,
        scalars: Mapping[str, float] | None = None,
        sizes: Mapping[str, tuple[int, ...]] | None = None,
        initializers: Mapping[str, Initializer] | None = None,
        names: Mapping[str, str] | None = None,
        axes: Mapping[str, Axes] | None = None,
    ) -> dict[str, Tensor]:
        """Add a definition and return its tensors, by their names in the definition.

        ``reads`` says which tensor each of its inputs is, ``scalars`` the values of its constants, ``sizes`` the sizes
        of new axes (several for an axis that stands for several), ``initializers`` what its parameters start as.
        ``names`` overrides the scoped names, ``axes`` what its axes stand for.
        """
        scalars, sizes, names = scalars or {}, sizes or {}, names or {}
        self._refuse_real(definition, scope, reads)
        standing = self._axes(definition, scope, reads, sizes, axes or {})
        tensors = {name: f"{scope}.{name}" for name in definition.tensor_axes} | dict(names)
        tensors |= {name: tensor.name for name, tensor in reads.items()}
        tensors = {name: _primed(tensors, name) for name in tensors}
        written = instantiate(definition, tensors, standing)
        for name, size in written.sizes:
            if self.sizes.get(name) is None:
                self.sizes[name] = size
        constant = {tensors[symbol]: value for symbol, value in scalars.items()}
        self.equations += [Equation(name, (), Number(value)) for name, value in constant.items()]
        self.equations += written.equations
        given = {tensor.name for tensor in self.inputs} | {tensor.name for tensor in reads.values()} | constant.keys()
        made = [tensor for tensor in written.inputs if tensor.name not in given]
        self._refuse_varying(scope, made, reads.values())
        self.inputs += made
        for name, initializer in (initializers or {}).items():
            self.initializers[tensors[name]] = initializer
        return {
            name: Tensor(full, written.tensor_axes[full])
            for name, full in tensors.items()
            if full in written.tensor_axes
        }

    def _axes(
        self,
        definition: System,
        scope: str,
        reads: Mapping[str, Tensor],
        sizes: Mapping[str, tuple[int, ...]],
        given: Mapping[str, Axes],
    ) -> dict[str, Axes]:
        """What each axis of the definition stands for: axes of what it reads, or fresh ones."""
        standing: dict[str, Axes] = dict(given)
        for name, tensor in reads.items():
            declared = definition.tensor_axes.get(name)
            if declared is None:
                continue
            for axis, actual in match_axes(name, declared, tensor.axes, scope).items():
                if standing.setdefault(axis, actual) != actual:
                    raise ChainruleError(
                        f"{scope}: axis {axis} of {name} would be {','.join(actual)}, "
                        f"but elsewhere it is {','.join(standing[axis])}"
                    )
        if ELLIPSIS in definition.axes and ELLIPSIS not in standing:
            raise ChainruleError(f"{scope}: nothing says what the axes ... stand for")
        for axis in definition.axes:
            if base_axis(axis) not in standing:
                counts: tuple[int | None, ...] = sizes.get(base_axis(axis), (None,))
                standing[base_axis(axis)] = tuple(self.fresh_axis(base_axis(axis), size) for size in counts)
        return standing

    def varies(self, axis: str) -> bool:
        """Whether the size of an axis comes from the lengths of rows, so that it differs from one batch to the next."""
        if self.size(axis) is not None:
            return False
        return axis in self.lengths or any(map(self.varies, size_names(self.sizes.get(axis))))

    def _refuse_varying(self, scope: str, made: Iterable[Input], reads: Iterable[Tensor]) -> None:
        """What is learnt has one size for all batches."""
        whole = {tensor.name for tensor in self.inputs if tensor.role == "integer"}
        symbols = [tensor for tensor in reads if tensor.name in whole]
        for tensor in made:
            along = next((name for name in tensor.axes if self.varies(name)), None)
            if tensor.role not in ("parameter", "state") or along is None:
                continue
            read = next((read for read in symbols if along in read.axes), None)
            if read is not None:
                raise ChainruleError(f"{scope} reads numbers; {read} holds symbols: put an Embedding before it")
            raise ChainruleError(
                f"{scope}: rows differ in length along axis {along}, so {Tensor(tensor.name, tensor.axes)} has no "
                f"size there; put a layer before it that leaves no {along}: GlobalMaxPool(), GlobalAvgPool(), or a "
                "recurrent layer, such as LSTM(32), which gives its last state"
            )

    def _refuse_real(self, definition: System, scope: str, reads: Mapping[str, Tensor]) -> None:
        """What the network is given is known to be real or whole; of what layers compute, ``check`` knows it."""
        real = {tensor.name for tensor in self.inputs if tensor.role == "data"}
        for tensor in definition.inputs:
            read = reads.get(tensor.name)
            if tensor.role == "integer" and read is not None and read.name in real:
                raise ChainruleError(f"{scope} reads whole numbers (symbols); {read} holds real numbers")

    @property
    def written(self) -> System:
        """What has been written so far, which need not have a meaning yet."""
        return System(tuple(self.equations), tuple(self.inputs), tuple(self.sizes.items()))

    def system(self) -> System:
        """The finished system.  Raises EquationError where its parts do not fit together."""
        made = self.written
        check(made)
        return made

    def composed(self, output: Tensor) -> Composed:
        return Composed(self.system(), output, dict(self.initializers), dict(self.constants))


def _primed(names: Mapping[str, str], name: str) -> str:
    """The next value of a renamed tensor is named after it: ``θ'`` → ``dense1.W'``."""
    target = name.removesuffix("'")
    return names[target] + "'" if target != name and target in names else names[name]


def place_definition(
    under: Composition, definition: Definition, scope: str, reads: Mapping[str, Tensor], **options: Any
) -> dict[str, Tensor]:
    """``place`` for a definition, with the scalars that its constructor fixed."""
    return under.place(definition.system, scope, reads, scalars=definition.scalars, **options)


@dataclass(frozen=True)
class Fans:
    """The axes of a parameter as an initializer sees them.

    ``summed`` are those summed over with the layer's input; their sizes multiply to fan_in.  ``spread`` are those
    that the input does not have; their sizes multiply to fan_out (the axes of a convolution's window are in both).
    """

    summed: Axes
    others: Axes
    spread: Axes

    def standing(self, initializer: System) -> dict[str, Axes]:
        """What the axes of an initializer stand for."""
        if "gate" in initializer.axes:
            return {ELLIPSIS: self.summed, "gate": self.others[:1], "j": self.others[1:]}
        return {ELLIPSIS: self.summed, "j": self.others}


def fans(system: System, parameter: str) -> Fans:
    """Read from the first sum in which the parameter is multiplied with something that is no parameter."""
    axes = system.tensor_axes[parameter]
    learnt = {tensor.name for tensor in system.parameters}
    for equation in system.equations:
        for node in subexpressions(equation.expression) if parameter in tensors(equation) else ():
            if not isinstance(node, Reduce):
                continue
            reads = [part for part in subexpressions(node.body) if isinstance(part, Access)]
            own = next((part for part in reads if part.tensor == parameter), None)
            if own is None:
                continue
            bound = dict(zip((plain_axis(index) for index in own.indices), axes, strict=True))
            summed = {bound[axis] for axis in node.axes if axis in bound}
            if not summed:
                continue
            summed |= {bound[axis] for axis in _overlapping(system, equation.name) if axis in bound}
            shared = {
                bound[name]
                for part in reads
                if part.tensor not in learnt
                for name in map(plain_axis, part.indices)
                if name in bound
            }
            return Fans(
                tuple(axis for axis in axes if axis in summed),
                tuple(axis for axis in axes if axis not in summed),
                tuple(axis for axis in axes if axis not in shared),
            )
    return Fans((), axes, axes)


def _overlapping(system: System, name: str) -> set[str]:
    """The axes of a tensor whose windows a sum lays over each other: u in ``sum[h](y[h,p - 2*h])`` if y[h,u] has more
    than two u, so that several u are added into one p.
    """
    found = set()
    sizes = dict(system.sizes)
    for equation in system.equations:
        for node in subexpressions(equation.expression) if name in tensors(equation) else ():
            if not (isinstance(node, Access) and node.tensor == name):
                continue
            stepped = {plain_axis(index) for index in node.indices}
            for index, axis in zip(node.indices, system.tensor_axes[name], strict=True):
                size = sizes.get(axis)
                steps = [-step for step, atom in index.terms if atom in stepped] if isinstance(index, Index) else []
                count = size.value if isinstance(size, Number) and isinstance(size.value, int) else 0
                if any(0 < step < count for step in steps):
                    found.add(axis)
    return found


def initialization(system: System, initializers: Mapping[str, Initializer]) -> System:
    """The system whose equations are the parameters' first values."""
    made = Composition((), {})
    made.sizes = dict(system.sizes)
    made.taken |= {axis for axis in system.axes}
    for tensor in system.parameters:
        initializer = initializers.get(tensor.name)
        if initializer is None:
            raise ChainruleError(f"nothing says what {tensor.name} starts as; give it an initializer")
        seen = fans(system, tensor.name)
        scalars: dict[str, Tensor] = {}
        for name, axes in (("fan_in", seen.summed), ("fan_out", seen.spread)):
            if name in initializer.system.input_by_name:
                scalars[name] = Tensor(f"{tensor.name}.{name}", ())
                made.equations.append(Equation(scalars[name].name, (), product_of_sizes(axes)))
        place_definition(
            made,
            initializer,
            tensor.name,
            scalars,
            names={"θ": tensor.name},
            axes=seen.standing(initializer.system),
        )
        at = next(n for n, equation in enumerate(made.equations) if equation.name == tensor.name)
        # The axes are named, so the order of the parameter's own is the only thing to restore.
        made.equations[at] = Equation(tensor.name, tensor.axes, made.equations[at].expression)
    # Sizes of other axes may depend on axes that the first values do not have.
    start = made.written.subset(tensor.name for tensor in system.parameters)
    check(start)
    return start
