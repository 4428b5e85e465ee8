"""Resampling and reshaping: larger images, and the same numbers along other axes.

Nothing in a network needs to be flattened: a dense layer sums over all axes.  ``Flatten`` and ``Reshape`` are for
layers that read one axis, or certain ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from chainrule.definition import check_count, definition_system
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.layer import Layer
from chainrule.layers.window import PLACES, SLID, Counts, counts, next_axis


@dataclass(frozen=True, repr=False)
class _UpSample(Layer):
    rank: ClassVar[int]

    factor: Counts = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        counts(type(self).__name__, "factor", self.factor, self.rank)

    @property
    def equations(self) -> str:  # type: ignore[override]
        factors = counts(type(self).__name__, "factor", self.factor, self.rank)
        axes = list(zip(PLACES[self.rank], SLID[self.rank], factors, strict=True))
        sizes = ", ".join(f"{p} = {factor}*size({h})" for h, p, factor in axes)
        lines = [f"axis {sizes}", f"data x[b,{','.join(PLACES[self.rank])},...]"]
        read, at = "x", list(PLACES[self.rank])
        for k, (h, p, factor) in enumerate(axes):
            made = "a" if k == self.rank - 1 else f"a{k + 1}"
            lines += self._along(made, read, at, k, h, p, factor)
            at[k], read = p, made
        return "\n".join(lines)

    def _along(self, made: str, read: str, at: Sequence[str], k: int, h: str, p: str, factor: int) -> list[str]:
        """Equations that make ``read[b,at,...]`` longer along its axis k, which is h and becomes p."""
        raise NotImplementedError

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        if len(x.axes) <= self.rank or x.axes[0] != "b":
            places = ",".join(PLACES[self.rank])
            raise ChainruleError(f"{scope}: {type(self).__name__} reads x[b,{places},…]; it is given {x}")
        old = x.axes[1 : self.rank + 1]
        new = [next_axis(under, name) for name in old]
        made = under.place(
            self.system, scope, {"x": x}, axes=dict(zip(SLID[self.rank], ((name,) for name in new), strict=True))
        )
        factors = counts(type(self).__name__, "factor", self.factor, self.rank)
        for factor, before, after in zip(factors, old, new, strict=True):
            if before in under.lengths:
                count = definition_system(f"integer n[b]\nm[b] = {factor}*n[b]", scope)
                names = {"m": f"{scope}.length_{before}"}
                under.lengths[after] = under.place(count, scope, {"n": under.lengths[before]}, names=names)["m"]
        return made["a"]


@dataclass(frozen=True, repr=False)
class _Nearest(_UpSample):
    def _along(self, made: str, read: str, at: Sequence[str], k: int, h: str, p: str, factor: int) -> list[str]:
        after = [*at[:k], p, *at[k + 1 :]]
        before = [*at[:k], f"{p}//{factor}", *at[k + 1 :]]
        return [f"{made}[b,{','.join(after)},...] = {read}[b,{','.join(before)},...]"]


@dataclass(frozen=True, repr=False)
class UpSample1D(_Nearest):
    """Every position ``factor`` times, from ``x[b,h,...]`` to ``a[b,p,...]``."""

    rank = 1
    source = "Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), §4"


@dataclass(frozen=True, repr=False)
class UpSample2D(_Nearest):
    """Every pixel ``factor`` times along both axes, from ``x[b,h,w,...]`` to ``a[b,p,q,...]``."""

    rank = 2
    source = "Odena, Dumoulin, Olah, Deconvolution and Checkerboard Artifacts (2016)"


@dataclass(frozen=True, repr=False)
class BilinearUpSample2D(_UpSample):
    """Images enlarged by linear interpolation along both axes, from ``x[b,h,w,...]`` to ``a[b,p,q,...]``.

    Pixels are squares: the centre of output p lies at (p + 1/2)/factor - 1/2; beyond the outermost centres the image
    goes on as it is there.
    """

    rank = 2
    source = "Long, Shelhamer, Darrell, Fully Convolutional Networks for Semantic Segmentation (2015), §3.3"

    def _along(self, made: str, read: str, at: Sequence[str], k: int, h: str, p: str, factor: int) -> list[str]:
        after = ",".join([*at[:k], p, *at[k + 1 :]])
        centre = f"max(0, min(size({h}) - 1, ({p} + 0.5)/{factor} - 0.5))"
        return [
            f"R{k + 1}[{p},{h}] = max(0, 1 - abs({centre} - {h}))",
            f"{made}[b,{after},...] = sum[{h}](R{k + 1}[{p},{h}]*{read}[b,{','.join(at)},...])",
        ]


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """All axes but b as one, the last one fastest: from ``x[b,h,w,c]`` to ``a[b,k]``.

    Axis by axis, the positions of one stand behind each other along the next: ``a[b,k] = sum[h](x[b,h,k - n·h])`` with
    n positions for each h, since what lies outside a tensor is 0.
    """

    source = "by definition"

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        if len(x.axes) < 2:
            raise ChainruleError(f"{scope}: Flatten reads x[b,…]; it is given {x}")
        return _flat(under, scope, x)


@dataclass(frozen=True, repr=False)
class Reshape(Layer):
    """The same numbers in the same order, the last axis fastest, along axes of these sizes: ``Reshape((7, 7, 3))``.

    From ``x[b,...]`` to ``a[b,p,q,…]``; the sizes must multiply to as many numbers as a row has.
    """

    source = "by definition"

    shape: int | tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes:
            raise ChainruleError("Reshape: shape must name at least one size")
        for size in self.sizes:
            check_count("Reshape", "every size of shape", size)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the new axes."""
        return self.shape if isinstance(self.shape, tuple) else (self.shape,)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        count = prod(_sizes(under, scope, x))
        if prod(self.sizes) != count:
            raise ChainruleError(f"{scope}: a row of {x} has {count} numbers, which is not {self.shape!r}")
        flat = _flat(under, scope, x)
        if len(self.sizes) == 1:
            return flat
        names = [f"p{n}" for n in range(1, len(self.sizes) + 1)]
        steps = [prod(self.sizes[n + 1 :]) for n in range(len(self.sizes))]
        place = " + ".join(name if step == 1 else f"{step}*{name}" for name, step in zip(names, steps, strict=True))
        sizes = ", ".join(f"{name} = {size}" for name, size in zip(names, self.sizes, strict=True))
        text = f"axis {sizes}\ndata x[b,k]\na[b,{','.join(names)}] = x[b,{place}]"
        axes = {name: (under.fresh_axis("p"),) for name in names}
        return under.place(definition_system(text, "Reshape"), scope, {"x": flat}, axes=axes)["a"]


def _sizes(under: Composition, scope: str, x: Tensor) -> list[int]:
    """The sizes of the axes of a row.  Raises ChainruleError where one depends on the data."""
    sizes = []
    for name in x.axes[1:]:
        size = under.size(name)
        if size is None:
            raise ChainruleError(f"{scope}: the size of axis {name} of {x} is known only with the data")
        sizes.append(size)
    return sizes


def _flat(under: Composition, scope: str, x: Tensor) -> Tensor:
    """All axes but b as one; from the last pair of axes to the first, two become one."""
    sizes = _sizes(under, scope, x)
    while len(sizes) > 1:
        last = sizes.pop()
        sizes[-1] *= last
        kept = ",".join(f"i{n}" for n in range(1, len(sizes)))
        kept = f"b,{kept}," if kept else "b,"
        name = "k" if len(sizes) == 1 else f"k{len(sizes)}"
        text = f"axis k = {sizes[-1]}\ndata x[{kept}h,w]\n{name}[{kept}k] = sum[h](x[{kept}h,k - {last}*h])"
        x = under.place(definition_system(text, "Flatten"), scope, {"x": x})[name]
    return x
