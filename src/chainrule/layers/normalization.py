"""Normalization: numbers brought to mean 0 and variance 1, each layer over axes of its own.

The mean comes first and then the mean of the squared deviations from it, which loses no digits where the mean is large.
``scale`` and ``shift`` say what the learnt factor γ and the learnt term β start as; None leaves them out.  Variances
are of the population (divided by the number of values).

Where rows differ in length along an axis, means over it are of each row's own positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance, definition_system, symbol
from chainrule.errors import ChainruleError
from chainrule.initializers import Constant, Initializer, Zeros
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.layer import Layer
from chainrule.layers.window import inside

_ONES = Constant(1.0)
_ZEROS = Zeros()


@dataclass(frozen=True, repr=False)
class _Normalization(Layer):
    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("scale", "shift"):
            value = getattr(self, name, None)
            if value is not None:
                check_instance(type(self).__name__, name, value, Initializer)

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        starts = {"γ": getattr(self, "scale", None), "β": getattr(self, "shift", None)}
        return {name: start for name, start in starts.items() if start is not None}

    def _learnt(self, axes: str) -> str:
        """The declaration of γ and β, a line or none."""
        names = ", ".join(f"{name}[{axes}]" for name in self.initializers)
        return f"parameter {names}\n" if names else ""

    def _scaled(self, normalized: str, axes: str) -> str:
        """What was normalized, times γ and plus β where there are."""
        product = f"γ[{axes}]*{normalized}" if "γ" in self.initializers else normalized
        return f"{product} + β[{axes}]" if "β" in self.initializers else product


@dataclass(frozen=True, repr=False)
class _OverPositions(_Normalization):
    """Means over positions: the axes between b and the channels, and perhaps b."""

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        self._check(under, scope, x)
        ragged = {name: under.lengths[name] for name in x.axes[1:-1] if name in under.lengths}
        if not ragged:
            return self._placed(under, scope, {"x": x}, self.equations)
        # The axes by their own names: those of one row's positions are no longer alike.
        places = ",".join(x.axes[1:-1])
        counts = [f"n{name}[b]" if name in ragged else f"size({name})" for name in x.axes[1:-1]]
        there = "*".join(f"[{name} < n{name}[b]]" for name in ragged)
        text = self._text(places, x.axes[-1], "*".join(counts), there)
        text = "".join(f"integer n{name}[b]\n" for name in ragged) + text
        reads = {"x": inside(under, scope, x)} | {f"n{name}": lengths for name, lengths in ragged.items()}
        return self._placed(under, scope, reads, text)

    def _placed(self, under: Composition, scope: str, reads: Mapping[str, Tensor], text: str) -> Tensor:
        definition = definition_system(text, type(self).__name__)
        return under.place(definition, scope, reads, scalars=self.scalars, initializers=self.initializers)["a"]

    @property
    def equations(self) -> str:  # type: ignore[override]
        return self._text("...", "c", "size(...)", "")

    def _check(self, under: Composition, scope: str, x: Tensor) -> None:
        """Raise ChainruleError for an input that the layer cannot read."""
        if len(x.axes) < 2 or x.axes[0] != "b":
            raise ChainruleError(f"{scope}: {type(self).__name__} reads x[b,…,c]; it is given {x}")

    def _text(self, places: str, c: str, count: str, there: str) -> str:
        """The equations for x[b,places,c]; ``count``: how many positions a row has, ``there``: the brackets of its own
        positions, or nothing where it has them all.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class BatchNorm(_OverPositions):
    """Every channel c of ``x[b,...,c]`` over the minibatch and all positions.

    Running means M and variances V go ``momentum`` of the way to those of each minibatch (of the variance, the unbiased
    estimate); once training is over, they take the place of the minibatch's.
    """

    source = "Ioffe and Szegedy, Batch Normalization (2015), algorithms 1 and 2"

    momentum: float = symbol("α", 0.1, low=0, high=1)
    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES
    shift: Initializer | None = _ZEROS

    def _text(self, places: str, c: str, count: str, there: str) -> str:
        over = f"b,{places}"
        every = f"max(1, sum[b]({count}))" if there else f"size(b)*{count}"
        deviation = f"(x[{over},{c}] - μ[{c}])"
        return (
            f"data x[{over},{c}], α, ε\n"
            f"{self._learnt(c)}state M[{c}] = 0, V[{c}] = 1\n"
            f"n = {every}\n"
            f"μ[{c}] = sum[{over}](x[{over},{c}])/n\n"
            f"v[{c}] = sum[{over}]({deviation}^2{'*' + there if there else ''})/n\n"
            f"M'[{c}] = (1 - α)*M[{c}] + α*μ[{c}]\n"
            f"V'[{c}] = (1 - α)*V[{c}] + α*v[{c}]*n/max(1, n - 1)\n"
            f"a[{over},{c}] = " + self._scaled(f"{deviation}*rsqrt(v[{c}] + ε)", c)
        )

    @property
    def predicting(self) -> Layer:
        return BatchNormPrediction(self.epsilon, self.scale, self.shift)


@dataclass(frozen=True, repr=False)
class BatchNormPrediction(_Normalization):
    """Batch normalization once training is over: with the running means and variances."""

    family = "batchnorm"
    source = "Ioffe and Szegedy, Batch Normalization (2015), algorithm 2"

    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES
    shift: Initializer | None = _ZEROS

    @property
    def equations(self) -> str:  # type: ignore[override]
        return f"data x[b,...,c], ε\n{self._learnt('c')}state M[c] = 0, V[c] = 1\na[b,...,c] = " + self._scaled(
            "(x[b,...,c] - M[c])*rsqrt(V[c] + ε)", "c"
        )


@dataclass(frozen=True, repr=False)
class InstanceNorm(_OverPositions):
    """Every channel c of every row of ``x[b,...,c]`` over its positions."""

    source = "Ulyanov, Vedaldi, Lempitsky, Instance Normalization (2016), eq. 2"

    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES
    shift: Initializer | None = _ZEROS

    def _check(self, under: Composition, scope: str, x: Tensor) -> None:
        super()._check(under, scope, x)
        if len(x.axes) < 3:
            raise ChainruleError(
                f"{scope}: InstanceNorm reads x[b,…,c] with at least one axis between b and c; it is given {x}"
            )

    def _text(self, places: str, c: str, count: str, there: str) -> str:
        deviation = f"(x[b,{places},{c}] - μ[b,{c}])"
        n = f"max(1, {count})" if there else count
        return (
            f"data x[b,{places},{c}], ε\n{self._learnt(c)}"
            f"μ[b,{c}] = sum[{places}](x[b,{places},{c}])/{n}\n"
            f"v[b,{c}] = sum[{places}]({deviation}^2{'*' + there if there else ''})/{n}\n"
            f"a[b,{places},{c}] = " + self._scaled(f"{deviation}*rsqrt(v[b,{c}] + ε)", c)
        )


@dataclass(frozen=True, repr=False)
class GroupNorm(_OverPositions):
    """Every one of ``groups`` blocks of channels of every row of ``x[b,...,c]``, over its positions and channels."""

    source = "Wu and He, Group Normalization (2018), eq. 7"

    groups: int
    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES
    shift: Initializer | None = _ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("GroupNorm", "groups", self.groups)

    def _check(self, under: Composition, scope: str, x: Tensor) -> None:
        super()._check(under, scope, x)
        channels = under.size(x.axes[-1])
        if channels is not None and channels % self.groups:
            raise ChainruleError(f"{scope}: {channels} channels of {x} cannot be divided into {self.groups} groups")

    def _text(self, places: str, c: str, count: str, there: str) -> str:
        x = f"x[b,{places},{c}]"
        group = f"{self.groups}*{c}//size({c})"
        n = f"({f'max(1, {count})' if there else count}*(size({c})//{self.groups}))"
        deviation = f"({x} - m[b,{c}])"
        return (
            f"axis g = {self.groups}\n"
            f"data {x}, ε\n{self._learnt(c)}"
            f"s[b,{c}] = sum[{places}]({x})\n"
            f"μ[b,g] = sum[{c}](s[b,{c}]*[g = {group}])/{n}\n"
            f"m[b,{c}] = μ[b,{group}]\n"
            f"d[b,{c}] = sum[{places}]({deviation}^2{'*' + there if there else ''})\n"
            f"v[b,g] = sum[{c}](d[b,{c}]*[g = {group}])/{n}\n"
            f"r[b,{c}] = rsqrt(v[b,{group}] + ε)\n"
            f"a[b,{places},{c}] = " + self._scaled(f"{deviation}*r[b,{c}]", c)
        )


@dataclass(frozen=True, repr=False)
class LayerNorm(_Normalization):
    """Every position of ``x[...,k]`` over the last axis, or over the last few: ``axes`` is how many."""

    source = "Ba, Kiros, Hinton, Layer Normalization (2016), eq. 4"

    axes: int = 1
    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES
    shift: Initializer | None = _ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("LayerNorm", "axes", self.axes)

    @property
    def equations(self) -> str:  # type: ignore[override]
        names = [f"k{n}" for n in range(1, self.axes + 1)] if self.axes > 1 else ["k"]
        k, size = ",".join(names), "*".join(f"size({name})" for name in names)
        size = f"({size})" if self.axes > 1 else size
        return (
            f"data x[...,{k}], ε\n{self._learnt(k)}"
            f"μ[...] = sum[{k}](x[...,{k}])/{size}\n"
            f"v[...] = sum[{k}]((x[...,{k}] - μ[...])^2)/{size}\n"
            f"a[...,{k}] = " + self._scaled(f"(x[...,{k}] - μ[...])*rsqrt(v[...] + ε)", k)
        )

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        if len(x.axes) <= self.axes:
            raise ChainruleError(f"{self!r} reads {self.axes} axes after b; it is given {x}")
        return super().compose(under, x)


@dataclass(frozen=True, repr=False)
class RMSNorm(_Normalization):
    """Every position of ``x[...,k]`` divided by the root of its mean square over the last axis."""

    source = "Zhang and Sennrich, Root Mean Square Layer Normalization (2019), eq. 4"

    epsilon: float = symbol("ε", 1e-5, above=0)
    scale: Initializer | None = _ONES

    @property
    def equations(self) -> str:  # type: ignore[override]
        return f"data x[...,k], ε\n{self._learnt('k')}q[...] = sum[k](x[...,k]^2)/size(k)\na[...,k] = " + self._scaled(
            "x[...,k]*rsqrt(q[...] + ε)", "k"
        )
