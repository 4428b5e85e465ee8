"""Pooling: the greatest number of a window, or the mean; every channel on its own.

Windows see only what is inside the input: with padding, positions outside are never the greatest, and a mean is over
the positions that are there (of the frameworks with a choice, that is not to count the padding).  ``stride`` is the
window itself unless it is given; ``padding`` as in ``convolution.py``.  Axes after those pooled over may be any.

Where rows differ in length along an axis, only positions before the end of a row are there, and outputs behind the end
of a row are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chainrule.definition import definition_system
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.layer import Layer
from chainrule.layers.window import (
    PLACES,
    SLID,
    WINDOW,
    Counts,
    Padding,
    Slide,
    counts,
    inside,
    next_axis,
    slide_lengths,
    slides,
    slides_along,
)


@dataclass(frozen=True, repr=False)
class _Pooling(Layer):
    rank: ClassVar[int]

    window: Counts
    stride: Counts | None = None
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        super().__post_init__()
        for slide in self._slides():
            if slide.padding is not None and max(slide.padding) >= slide.size:
                raise ChainruleError(
                    f"{type(self).__name__}: padding must be below the window of {slide.size}, so that every window "
                    f"has a position inside, not {self.padding!r}"
                )

    def _slides(self) -> tuple[Slide, ...]:
        owner = type(self).__name__
        counts(owner, "window", self.window, self.rank)
        stride = self.window if self.stride is None else self.stride
        return slides(owner, self.rank, self.window, stride, self.padding, named="window")

    @property
    def equations(self) -> str:  # type: ignore[override]
        return self._text(tuple(slide.along(None) for slide in self._slides()), ())

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        if len(x.axes) <= self.rank or x.axes[0] != "b":
            places = ",".join(PLACES[self.rank])
            raise ChainruleError(f"{scope}: {type(self).__name__} reads x[b,{places},…]; it is given {x}")
        axes = x.axes[1 : self.rank + 1]
        found = tuple(slide for slide, _ in slides_along(under, scope, self._slides(), axes))
        slid = [next_axis(under, name) for name in axes]
        reads: dict[str, Tensor] = {}
        ragged = []
        for slide, h, old, new in zip(found, PLACES[self.rank], axes, slid, strict=True):
            slide_lengths(under, scope, slide, old, new)
            if old in under.lengths:
                ragged.append(h)
                reads |= {f"n{h}": under.lengths[old], f"m{h}": under.lengths[new]}
        definition = definition_system(self._text(found, ragged), type(self).__name__)
        made = under.place(
            definition,
            scope,
            {"x": self._read(under, scope, x), **reads},
            axes=dict(zip(SLID[self.rank], ((name,) for name in slid), strict=True)),
        )
        return made["m"]

    def _read(self, under: Composition, scope: str, x: Tensor) -> Tensor:
        return x

    def _text(self, given: Sequence[Slide], ragged: Sequence[str]) -> str:
        """The equations; ``ragged``: the axes along which row b has only n[b] positions, and m[b] outputs."""
        axes = list(zip(PLACES[self.rank], SLID[self.rank], WINDOW[self.rank], given, strict=True))
        sizes = [f"{u} = {slide.size}" for _, _, u, slide in axes]
        sizes += [f"{p} = {slide.count(f'size({h})')}" for h, p, _, slide in axes]
        lengths = [f"integer n{h}[b], m{h}[b]" for h in ragged]
        there = [
            f"[0 <= {slide.place(p, u, h)} < {f'n{h}[b]' if h in ragged else f'size({h})'}]"
            for h, p, u, slide in axes
            if h in ragged or not slide.stays_inside
        ]
        shown = [f"[{p} < m{h}[b]]" for h, p, _, _ in axes if h in ragged]
        seen = ",".join(slide.place(p, u, h) for h, p, u, slide in axes)
        head = [f"axis {', '.join(sizes)}", f"data x[b,{','.join(PLACES[self.rank])},...]", *lengths]
        return "\n".join([*head, *self._pooled(f"x[b,{seen},...]", "*".join(there), "*".join(shown))])

    def _pooled(self, seen: str, there: str, shown: str) -> list[str]:
        """Equations from what a window sees; ``there``: the brackets of what is inside, ``shown``: of outputs that
        rows have; both empty where everything is.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class _MaxPool(_Pooling):
    def _pooled(self, seen: str, there: str, shown: str) -> list[str]:
        greatest = f"max[{','.join(WINDOW[self.rank])}]({f'where({there}, {seen}, -∞)' if there else seen})"
        return [f"m[b,{','.join(SLID[self.rank])},...] = {f'where({shown}, {greatest}, 0)' if shown else greatest}"]


@dataclass(frozen=True, repr=False)
class _AvgPool(_Pooling):
    def _read(self, under: Composition, scope: str, x: Tensor) -> Tensor:
        return inside(under, scope, x)

    def _pooled(self, seen: str, there: str, shown: str) -> list[str]:
        window, out = ",".join(WINDOW[self.rank]), ",".join(SLID[self.rank])
        if not there:
            sizes = "*".join(f"size({u})" for u in WINDOW[self.rank])
            return [f"m[b,{out},...] = sum[{window}]({seen})/({sizes})"]
        rows = "b," if shown else ""
        count = f"sum[{window}]({there})"
        return [
            f"n[{rows}{out}] = {f'max(1, {count})' if shown else count}",
            f"s[b,{out},...] = sum[{window}]({seen})",
            f"m[b,{out},...] = s[b,{out},...]/n[{rows}{out}]{'*' + shown if shown else ''}",
        ]


@dataclass(frozen=True, repr=False)
class MaxPool1D(_MaxPool):
    """The greatest number of each window along one axis, from ``x[b,h,...]`` to ``m[b,p,...]``."""

    rank = 1
    source = "Zhou and Chellappa, Computation of optical flow using a neural network (1988)"


@dataclass(frozen=True, repr=False)
class MaxPool2D(_MaxPool):
    """The greatest number of each window of images, from ``x[b,h,w,...]`` to ``m[b,p,q,...]``."""

    rank = 2
    source = "Ranzato et al., Unsupervised Learning of Invariant Feature Hierarchies (2007), §3"


@dataclass(frozen=True, repr=False)
class MaxPool3D(_MaxPool):
    """The greatest number of each window of volumes, from ``x[b,d,h,w,...]`` to ``m[b,p,q,r,...]``."""

    rank = 3
    source = "Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks (2015), §3"


@dataclass(frozen=True, repr=False)
class AvgPool1D(_AvgPool):
    """The mean of each window along one axis, from ``x[b,h,...]`` to ``m[b,p,...]``."""

    rank = 1
    source = "Waibel et al., Phoneme Recognition Using Time-Delay Neural Networks (1989)"


@dataclass(frozen=True, repr=False)
class AvgPool2D(_AvgPool):
    """The mean of each window of images, from ``x[b,h,w,...]`` to ``m[b,p,q,...]``."""

    rank = 2
    source = "LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998), §II.B"


@dataclass(frozen=True, repr=False)
class AvgPool3D(_AvgPool):
    """The mean of each window of volumes, from ``x[b,d,h,w,...]`` to ``m[b,p,q,r,...]``."""

    rank = 3
    source = "Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks (2015), §3"
