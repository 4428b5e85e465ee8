"""Convolution: every output is a weighted sum over a window of the input, with the same weights at every position.

Channels stand last, ``x[b,h,w,c]``; an input without that axis, ``x[b,h,w]``, is one channel and the equations then
have no c.  What the field calls convolution is the correlation ``x[p + u]·W[u]``; in its derivative the
kernel is flipped.

``padding``: "valid" (none), "same" (⌈length/stride⌉ outputs; where the padding is odd, the greater part is behind the
end), a number of positions for both ends of every axis, or a tuple with an entry for each axis, a number or a pair
(before, after).  ``kernel``, ``stride`` and ``dilation`` are numbers for every axis or tuples with one for each.

Where rows differ in length along an axis, what is behind the end of a row counts as 0, as outside the input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.definition import check_count, check_instance, definition_system
from chainrule.errors import ChainruleError
from chainrule.initializers import Initializer
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.kernel import (
    GLOROT,
    ZEROS,
    Windowed,
    added,
    check_initializers,
    declared,
    initializers_of,
    listed,
)
from chainrule.layers.layer import Layer
from chainrule.layers.window import (
    PLACES,
    SLID,
    WINDOW,
    Counts,
    Padding,
    Slide,
    inside,
    next_axis,
    slide_lengths,
    slides,
    slides_along,
)


@dataclass(frozen=True, repr=False)
class _Convolution(Windowed):
    filters: int
    kernel: Counts
    stride: Counts = 1
    padding: Padding = "valid"
    dilation: Counts = 1
    groups: int = 1
    weights: Initializer = GLOROT
    biases: Initializer | None = ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_count(owner, "filters", self.filters)
        check_count(owner, "groups", self.groups)
        if self.filters % self.groups:
            raise ChainruleError(f"{owner}: {self.filters} filters cannot be divided into {self.groups} groups")
        check_initializers(owner, self.weights, self.biases)
        self._slides()

    def _slides(self) -> tuple[Slide, ...]:
        owner = type(self).__name__
        return slides(owner, self.rank, self.kernel, self.stride, self.padding, self.dilation, named="kernel")

    @property
    def equations(self) -> str:  # type: ignore[override]
        given = tuple(slide.along(None) for slide in self._slides())
        return self._one(given, "c") if self.groups == 1 else self._grouped(given, "size(c)")

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return initializers_of(self.weights, self.biases)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        self.check_axes(scope, x)
        places = x.axes[1 : self.rank + 1]
        found = tuple(slide for slide, _ in slides_along(under, scope, self._slides(), places))
        slid = [next_axis(under, name) for name in places]
        text = self._text(under, scope, x, found)
        for slide, old, new in zip(found, places, slid, strict=True):
            slide_lengths(under, scope, slide, old, new)
        definition = definition_system(text, type(self).__name__)
        return self.place_along(
            under, scope, inside(under, scope, x), definition, "o" if self.groups == 1 else "k", slid
        )

    def _text(self, under: Composition, scope: str, x: Tensor, given: Sequence[Slide]) -> str:
        channelled = len(x.axes) == self.rank + 2
        channels = under.size(x.axes[-1]) if channelled else 1
        if self.groups == 1:
            return self._one(given, "c" if channelled else "")
        if not channelled or (channels is not None and channels % self.groups):
            raise ChainruleError(f"{scope}: {channels} channels of {x} cannot be divided into {self.groups} groups")
        # As a number the size leaves the position affine, so that no derivative has to search for it.
        return self._grouped(given, "size(c)" if channels is None else str(channels // self.groups))

    def _one(self, given: Sequence[Slide], channel: str) -> str:
        window, out = WINDOW[self.rank], ",".join(SLID[self.rank])
        seen = listed(*_seen(given), channel)
        return (
            f"axis {_window_sizes(given)}, {_output_sizes(given)}, o = {self.filters}\n"
            f"data x[{listed('b', *PLACES[self.rank], channel)}]\n"
            f"parameter W[{listed(*window, channel, 'o')}]{declared(self.biases, 'o')}\n"
            f"z[b,{out},o] = sum[{listed(*window, channel)}](x[b,{seen}]*W[{listed(*window, channel, 'o')}])"
            + added(self.biases, "o")
        )

    def _grouped(self, given: Sequence[Slide], size: str) -> str:
        """Each group of filters g reads its own group of channels."""
        window, out = ",".join(WINDOW[self.rank]), ",".join(SLID[self.rank])
        places = ",".join(PLACES[self.rank])
        each = self.filters // self.groups
        return (
            f"axis {_window_sizes(given)}, g = {self.groups}, c = size(i)//{self.groups}, {_output_sizes(given)}, "
            f"o = {each}, k = {self.filters}\n"
            f"data x[b,{places},i]\n"
            f"parameter W[{window},g,c,o]{declared(self.biases, 'k')}\n"
            f"s[b,{places},g,c] = x[b,{places},{size}*g + c]\n"
            f"y[b,{out},g,o] = sum[{window},c](s[b,{','.join(_seen(given))},g,c]*W[{window},g,c,o])\n"
            f"z[b,{out},k] = sum[g](y[b,{out},g,k - {each}*g])" + added(self.biases, "k")
        )


@dataclass(frozen=True, repr=False)
class Conv1D(_Convolution):
    """Convolution along one axis, from ``x[b,h,c]`` to ``z[b,p,o]``; ``filters`` is the size of o."""

    rank = 1
    source = "Waibel et al., Phoneme Recognition Using Time-Delay Neural Networks (1989)"


@dataclass(frozen=True, repr=False)
class Conv2D(_Convolution):
    """Convolution of images, from ``x[b,h,w,c]`` to ``z[b,p,q,o]``; ``filters`` is the size of o.

    With ``groups``, the channels and the filters are divided into as many blocks, and each block of filters reads its
    block of channels: ``W[u,v,g,c,o]`` with c the channels and o the filters of a block.
    """

    rank = 2
    source = "LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998), §II"


@dataclass(frozen=True, repr=False)
class Conv3D(_Convolution):
    """Convolution of volumes, from ``x[b,d,h,w,c]`` to ``z[b,p,q,r,o]``; ``filters`` is the size of o."""

    rank = 3
    source = "Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks (2015), §3"


@dataclass(frozen=True, repr=False)
class DepthwiseConv2D(Windowed):
    """Every channel on its own, from ``x[b,h,w,c]`` to ``z[b,p,q,c]``, or to ``multiplier`` channels for each.

    Output channel ``multiplier·c + m`` is filter m of channel c.
    """

    rank = 2
    source = "Sifre, Rigid-Motion Scattering for Image Classification (2014), §6.2; Chollet, Xception (2017)"

    kernel: Counts
    multiplier: int = 1
    stride: Counts = 1
    padding: Padding = "valid"
    dilation: Counts = 1
    weights: Initializer = GLOROT
    biases: Initializer | None = ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(type(self).__name__, "multiplier", self.multiplier)
        check_initializers(type(self).__name__, self.weights, self.biases)
        self._slides()

    def _slides(self) -> tuple[Slide, ...]:
        owner = type(self).__name__
        return slides(owner, 2, self.kernel, self.stride, self.padding, self.dilation, named="kernel")

    @property
    def equations(self) -> str:  # type: ignore[override]
        return self._text(tuple(slide.along(None) for slide in self._slides()))

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return initializers_of(self.weights, self.biases)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        if len(x.axes) != 4 or x.axes[0] != "b":
            raise ChainruleError(f"{scope}: {type(self).__name__} reads x[b,h,w,c]; it is given {x}")
        found = tuple(slide for slide, _ in slides_along(under, scope, self._slides(), x.axes[1:3]))
        slid = [next_axis(under, name) for name in x.axes[1:3]]
        for slide, old, new in zip(found, x.axes[1:3], slid, strict=True):
            slide_lengths(under, scope, slide, old, new)
        definition = definition_system(self._text(found), type(self).__name__)
        return self.place_along(under, scope, inside(under, scope, x), definition, "k", slid)

    def _text(self, given: Sequence[Slide]) -> str:
        seen = ",".join(_seen(given))
        if self.multiplier == 1:
            return (
                f"axis {_window_sizes(given)}, {_output_sizes(given)}\n"
                f"data x[b,h,w,c]\n"
                f"parameter W[u,v,c]{declared(self.biases, 'c')}\n"
                f"z[b,p,q,c] = sum[u,v](x[b,{seen},c]*W[u,v,c])" + added(self.biases, "c")
            )
        return (
            f"axis {_window_sizes(given)}, m = {self.multiplier}, {_output_sizes(given)}, "
            f"k = {self.multiplier}*size(c)\n"
            f"data x[b,h,w,c]\n"
            f"parameter W[u,v,c,m]{declared(self.biases, 'k')}\n"
            f"y[b,p,q,c,m] = sum[u,v](x[b,{seen},c]*W[u,v,c,m])\n"
            f"z[b,p,q,k] = sum[c](y[b,p,q,c,k - {self.multiplier}*c])" + added(self.biases, "k")
        )


@dataclass(frozen=True, repr=False)
class SeparableConv2D(Layer):
    """A depthwise convolution, then one with windows of one position: space and channels are mixed one by one.

    ``depthwise`` is what the weights of the first start as, ``weights`` those of the second.
    """

    source = "Chollet, Xception: Deep Learning with Depthwise Separable Convolutions (2017), §2"

    filters: int
    kernel: Counts
    stride: Counts = 1
    padding: Padding = "valid"
    dilation: Counts = 1
    depthwise: Initializer = GLOROT
    weights: Initializer = GLOROT
    biases: Initializer | None = ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_count(owner, "filters", self.filters)
        check_instance(owner, "depthwise", self.depthwise, Initializer)
        check_initializers(owner, self.weights, self.biases)
        slides(owner, 2, self.kernel, self.stride, self.padding, self.dilation, named="kernel")

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        each = DepthwiseConv2D(
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            weights=self.depthwise,
            biases=None,
        )
        mixed = Conv2D(self.filters, 1, weights=self.weights, biases=self.biases)
        return mixed.compose(under, each.compose(under, x))


# texts


def _window_sizes(given: Sequence[Slide]) -> str:
    return ", ".join(f"{u} = {slide.size}" for u, slide in zip(WINDOW[len(given)], given, strict=True))


def _output_sizes(given: Sequence[Slide]) -> str:
    axes = zip(SLID[len(given)], PLACES[len(given)], given, strict=True)
    return ", ".join(f"{p} = {slide.count(f'size({h})')}" for p, h, slide in axes)


def _seen(given: Sequence[Slide]) -> list[str]:
    """The positions of the input that an output sees."""
    axes = zip(SLID[len(given)], WINDOW[len(given)], PLACES[len(given)], given, strict=True)
    return [slide.place(p, u, h) for p, u, h, slide in axes]
