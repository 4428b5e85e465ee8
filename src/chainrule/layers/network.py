"""Layers made of layers: a sequence, a sum with the input, branches side by side; and equations of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from chainrule.definition import check_instance, definition_system
from chainrule.equations.compose import instantiate
from chainrule.equations.node import Access, Apply, Equation, Number, access, axis
from chainrule.equations.parse import parse
from chainrule.equations.system import Role, System
from chainrule.equations.walk import combine
from chainrule.errors import ChainruleError
from chainrule.initializers import GlorotUniform, Initializer
from chainrule.layers.agreement import refuse_other_places, refuse_other_sizes
from chainrule.layers.composition import Composed, Composition, Reading, Tensor
from chainrule.layers.layer import Layer


@dataclass(frozen=True, repr=False)
class Equations(Layer):
    """A layer written by its user: a text that reads ``x`` and whose last equation is the output.

    ``Equations("a[b,j] = x[b,j]^2")``.  The axes of ``x`` in the text take the place of those it is applied to; sizes
    of new axes are declared in it (``axis j = 10``).  Parameters start as ``starts`` says, by name, or else Glorot
    uniform.
    """

    source = "the user"

    text: str
    starts: tuple[tuple[str, Initializer], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.text, str):
            raise ChainruleError(f"Equations: text must be equations, not {self.text!r}")
        pairs = self.starts.items() if isinstance(self.starts, Mapping) else self.starts
        object.__setattr__(self, "starts", tuple(pairs))
        if "x" not in self.system.input_by_name:
            raise ChainruleError(
                "Equations: a layer reads x, the output of the layer before it; these equations do not"
            )
        for name, initializer in self.starts:
            check_instance("Equations", f"starts[{name!r}]", initializer, Initializer)
            if name not in {tensor.name for tensor in self.system.parameters}:
                raise ChainruleError(f"Equations: starts names {name}, which is no parameter of the equations")

    @property
    def system(self) -> System:
        return definition_system(self.text, "Equations")

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return {tensor.name: GlorotUniform() for tensor in self.system.parameters} | dict(self.starts)


@dataclass(frozen=True, repr=False)
class Custom(Layer):
    """A layer from the user's function: it is given the axes of ``x`` and returns equations (text or a layer)."""

    source = "the user"

    function: Callable[[tuple[str, ...]], str | Layer]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ChainruleError(f"Custom: a function from the axes of x to equations is wanted, not {self.function!r}")

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        return as_layer(self.function(x.axes), type(self).__name__).compose(under, x)


@dataclass(frozen=True, repr=False, init=False)
class Composite(Layer):
    """A layer made of other layers; texts and functions among them become layers."""

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer | str | Path | Callable[[tuple[str, ...]], str | Layer]) -> None:
        object.__setattr__(self, "layers", tuple(as_layer(layer, type(self).__name__) for layer in layers))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"

    @property
    def predicting(self) -> Layer:
        return type(self)(*(layer.predicting for layer in self.layers))

    @property
    def sampling(self) -> Layer:
        return type(self)(*(layer.sampling for layer in self.layers))


def layers_within(layer: Layer) -> Iterator[Layer]:
    """The layer and every layer within it, in their order."""
    yield layer
    if isinstance(layer, Composite):
        for part in layer.layers:
            yield from layers_within(part)


class Network(Composite):
    """Layers one after another.

    ``Network(Dense(30), Sigmoid(), Dense(10))``.  A string is a layer of equations or names a file of them (``my.eq``),
    a function makes one.
    """

    source = "composition of functions"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        return reduce(lambda tensor, layer: layer.compose(under, tensor), self.layers, x)

    def composed(self, sizes: Mapping[str, int | None], role: Role = "data") -> Composed:
        """The network applied to ``x[b, …]`` with these features: ``{"i": 784}`` or ``{"c": 1, "h": 28, "w": 28}``.

        ``role`` is ``integer`` where the network reads whole numbers.
        """
        under, x = Reading.of(sizes, role).compose()
        return under.composed(self.compose(under, x))


class Residual(Composite):
    """The input plus the layers applied to it, one after another: ``a[...] = x[...] + f[...]``.

    Raises ChainruleError where the layers give another size than that of the input.
    """

    source = "He et al., Deep Residual Learning for Image Recognition (2016), eq. 1"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        inner = Network(*self.layers).compose(under, x)
        remedy = 'the layers of a Residual keep the size of its input (padding="same", stride 1); else add a projection'
        remedy += " of the input: Sum(Network(…), Conv2D(channels, 1, stride=…))"
        return _sum(under, under.scope(self.family), (x, inner), remedy)


_BRANCHES = 'give the branches layers that agree: padding="same", and the same strides and channels'


class Sum(Composite):
    """The sum of branches, each applied to the same input.  Raises ChainruleError where their sizes differ."""

    source = "Szegedy et al., Inception-v4 (2017)"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        terms = tuple(layer.compose(under, x) for layer in self.layers)
        return _sum(under, under.scope(self.family), terms, _BRANCHES)


def _sum(under: Composition, scope: str, terms: tuple[Tensor, ...], remedy: str) -> Tensor:
    if not terms:
        raise ChainruleError(f"{scope}: there is nothing to add; give it at least one layer")
    first = terms[0]
    for term in terms[1:]:
        if len(term.axes) != len(first.axes):
            raise ChainruleError(f"{scope}: {first} and {term} have different axes and cannot be added")
    refuse_other_sizes(under, scope, terms, remedy)
    total = Apply("+", tuple(access(term.name, first.axes) for term in terms))
    made = Tensor(f"{scope}.a", first.axes)
    under.equations.append(Equation(made.name, made.axes, total if len(terms) > 1 else access(first.name, first.axes)))
    return made


class Branch(Composite):
    """Branches applied to the same input, their outputs one behind the other along the last axis.

    With outputs ``u[b,j]`` and ``v[b,k]``: ``a[b,l] = u[b,l] + v[b,l - size(j)]`` and size(l) = size(j) + size(k),
    since what lies outside a tensor is 0; so is the end of a branch that halves an odd size and doubles it again.
    Raises ChainruleError for branches whose outputs differ otherwise along the axes before the last.
    """

    source = "Szegedy et al., Going Deeper with Convolutions (2015), §4"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        parts = tuple(layer.compose(under, x) for layer in self.layers)
        if not parts:
            raise ChainruleError(f"{scope}: there are no branches; give it at least one layer")
        if len({len(part.axes) for part in parts}) > 1:
            raise ChainruleError(f"{scope}: branches with different axes: {', '.join(map(str, parts))}")
        remedy = 'only the last axes of branches may: give the layers padding="same" and the same strides'
        refuse_other_places(under, scope, parts, remedy)
        ends = [part.axes[-1] for part in parts]
        if len(parts) == 1:
            return parts[0]
        along = under.fresh_axis("k")
        under.sizes[along] = combine([(1, Number(end)) for end in ends], 0)
        shared = parts[0].axes[:-1]
        terms = []
        for position, part in enumerate(parts):
            place = combine([(1, along), *((-1, Number(end)) for end in ends[:position])], 0)
            terms.append(Access(part.name, (*(axis(name) for name in shared), place)))
        made = Tensor(f"{scope}.a", (*shared, along))
        under.equations.append(Equation(made.name, made.axes, Apply("+", tuple(terms))))
        return made


class Siamese(Composite):
    """The same layers, with the same parameters, applied to each member of a row.

    From ``x[b,p,...]`` to ``a[b,p,...]``; the axes behind p are those that the layers give.  Pairs, triplets and views
    of one thing stand along p, whose size must be known before the data are.
    Raises ChainruleError where it is not, and where the layers keep states (the running means of ``BatchNorm``).
    """

    source = "Bromley, Guyon, LeCun et al., Signature Verification using a Siamese Time Delay Neural Network (1993)"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        members = under.size(x.axes[1]) if len(x.axes) > 1 else None
        if members is None:
            raise ChainruleError(f"{scope}: the members of a row are wanted along the second axis of x[b,p,…], not {x}")
        made = [self._member(under, scope, x, member) for member in range(members)]
        parts = [output for output, _ in made]
        for _, learnt in made[1:]:
            _share(under, dict(zip(learnt, made[0][1], strict=True)))
        axes = parts[0].axes
        terms = tuple(
            Apply("*", (Apply("=", (axis(x.axes[1]), Number(member))), access(part.name, axes)))
            for member, part in enumerate(parts)
        )
        joined = Tensor(f"{scope}.a", (axes[0], x.axes[1], *axes[1:]))
        under.equations.append(Equation(joined.name, joined.axes, Apply("+", terms) if len(terms) > 1 else terms[0]))
        return joined

    def _member(self, under: Composition, scope: str, x: Tensor, member: int) -> tuple[Tensor, list[str]]:
        """The layers applied to one member: their output, and the names of their parameters in order."""
        one = Tensor(f"{scope}.x{member}", (x.axes[0], *x.axes[2:]))
        read = Access(x.name, (axis(x.axes[0]), Number(member), *map(axis, x.axes[2:])))
        under.equations.append(Equation(one.name, one.axes, read))
        before = len(under.inputs)
        output = Network(*self.layers).compose(under, one)
        states = [tensor.name for tensor in under.inputs[before:] if tensor.role == "state"]
        if states:
            raise ChainruleError(f"{scope}: {states[0]} is a state, which only one member could change")
        return output, [tensor.name for tensor in under.inputs[before:] if tensor.role == "parameter"]


def _share(under: Composition, shared: Mapping[str, str]) -> None:
    """Put other parameters in the place of some, everywhere."""
    written = instantiate(System(tuple(under.equations)), shared, {})
    under.equations[:] = written.equations
    under.inputs[:] = [tensor for tensor in under.inputs if tensor.name not in shared]
    for name in shared:
        under.initializers.pop(name, None)


def equations_in(path: str | Path) -> Equations:
    """The layer whose equations are in a text file.  Raises ChainruleError naming the file, the line and the column."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ChainruleError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ChainruleError(f"{path}: cannot be read as text ({getattr(error, 'strerror', None) or error})") from None
    parse(text, str(path))  # an error in it is one of the file
    return Equations(text)


def as_layer(layer: object, owner: str) -> Layer:
    """A layer, equations as text or in a file whose name ends in ``.eq``, or a function that returns either."""
    if isinstance(layer, Layer):
        return layer
    if isinstance(layer, Path) or (isinstance(layer, str) and layer.endswith(".eq") and "=" not in layer):
        return equations_in(layer)
    if isinstance(layer, str):
        return Equations(layer)
    if isinstance(layer, type) and issubclass(layer, Layer):
        raise ChainruleError(f"{owner}: {layer.__name__} is a class; write {layer.__name__}()")
    if callable(layer):
        return Custom(layer)
    if isinstance(layer, list | tuple):
        raise ChainruleError(f"{owner}: several layers are one Network({', '.join(map(repr, layer))})")
    raise ChainruleError(f"{owner}: {layer!r} is no layer, no equations text and no function that returns one")
