"""Transposed convolution, the adjoint of convolution: every position of the input adds its window to the output.

There are ``stride·(length - 1) + kernel - before - after + output_padding`` outputs along an axis, or ``stride·length``
with padding "same".  Arguments, channels and rows of different lengths are as in ``convolution.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainrule.definition import check_count, definition_system
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
from chainrule.layers.window import (
    PLACES,
    SLID,
    WINDOW,
    Counts,
    Padding,
    counts,
    inside,
    next_axis,
    paddings,
)


@dataclass(frozen=True, repr=False)
class _Transposed(Windowed):
    filters: int
    kernel: Counts
    stride: Counts = 1
    padding: Padding = "valid"
    output_padding: int | tuple[int, ...] = 0
    weights: Initializer = GLOROT
    biases: Initializer | None = ZEROS

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = type(self).__name__
        check_count(owner, "filters", self.filters)
        check_initializers(owner, self.weights, self.biases)
        more = self._output_padding()
        strides = counts(owner, "stride", self.stride, self.rank)
        if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in more) or len(more) != self.rank:
            raise ChainruleError(
                f"{owner}: output_padding is a whole number of at least 0, or {self.rank}, one for each axis, "
                f"not {self.output_padding!r}"
            )
        if any(one >= stride for one, stride in zip(more, strides, strict=True)) and any(more):
            raise ChainruleError(f"{owner}: output_padding must be below the stride {self.stride!r}, not {more}")
        if self.padding == "same" and any(more):
            raise ChainruleError(f"{owner}: padding='same' says how many outputs there are; leave out output_padding")
        self._steps()

    def _output_padding(self) -> tuple[int, ...]:
        return self.output_padding if isinstance(self.output_padding, tuple) else (self.output_padding,) * self.rank

    def _steps(self) -> tuple[tuple[int, int, int, int], ...]:
        """Along each axis: kernel, stride, how much is left out before the first output, how many outputs more than
        stride·length there are.
        """
        owner = type(self).__name__
        return tuple(
            (kernel, stride, max(0, kernel - stride) // 2, 0)
            if padding is None
            else (kernel, stride, padding[0], kernel - stride - sum(padding) + more)
            for kernel, stride, padding, more in zip(
                counts(owner, "kernel", self.kernel, self.rank),
                counts(owner, "stride", self.stride, self.rank),
                paddings(owner, self.padding, self.rank),
                self._output_padding(),
                strict=True,
            )
        )

    @property
    def equations(self) -> str:  # type: ignore[override]
        return self._text("c")

    @property
    def initializers(self) -> Mapping[str, Initializer]:
        return initializers_of(self.weights, self.biases)

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        self.check_axes(scope, x)
        places = x.axes[1 : self.rank + 1]
        slid = [next_axis(under, name) for name in places]
        definition = definition_system(self._text("c" if len(x.axes) == self.rank + 2 else ""), type(self).__name__)
        for (_, stride, _, more), old, new in zip(self._steps(), places, slid, strict=True):
            length = under.size(old)
            if length is not None and stride * length + more < 1:
                raise ChainruleError(
                    f"{scope}: padding {self.padding!r} leaves no output along axis {old}, which has {length} positions"
                )
            if old in under.lengths:
                count = f"max(0, {_scaled(stride, 'n[b]', more)})"
                found = definition_system(f"integer n[b]\nm[b] = where([n[b] > 0], {count}, 0)", scope)
                names = {"m": f"{scope}.length_{old}"}
                under.lengths[new] = under.place(found, scope, {"n": under.lengths[old]}, names=names)["m"]
        return self.place_along(under, scope, inside(under, scope, x), definition, "o", slid)

    def _text(self, channel: str) -> str:
        places, out, window = PLACES[self.rank], SLID[self.rank], WINDOW[self.rank]
        steps = self._steps()
        sizes = [f"{u} = {step[0]}" for u, step in zip(window, steps, strict=True)]
        sizes += [
            f"{p} = {_scaled(stride, f'size({h})', more)}"
            for p, h, (_, stride, _, more) in zip(out, places, steps, strict=True)
        ]
        shifted = [
            f"{p} - {h if stride == 1 else f'{stride}*{h}'}" + (f" + {before}" if before else "")
            for p, h, (_, stride, before, _) in zip(out, places, steps, strict=True)
        ]
        product = f"x[{listed('b', *places, channel)}]*W[{listed(*window, channel, 'o')}]"
        return (
            f"axis {', '.join(sizes)}, o = {self.filters}\n"
            f"data x[{listed('b', *places, channel)}]\n"
            f"parameter W[{listed(*window, channel, 'o')}]{declared(self.biases, 'o')}\n"
            f"y[{listed('b', *places, *window, 'o')}] = {f'sum[{channel}]({product})' if channel else product}\n"
            f"z[{listed('b', *out, 'o')}] = sum[{','.join(places)}](y[{listed('b', *places, *shifted, 'o')}])"
            + added(self.biases, "o")
        )


@dataclass(frozen=True, repr=False)
class ConvTranspose1D(_Transposed):
    """The adjoint of a convolution along one axis, from ``x[b,h,c]`` to ``z[b,p,o]``."""

    rank = 1
    source = "Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), §4"


@dataclass(frozen=True, repr=False)
class ConvTranspose2D(_Transposed):
    """The adjoint of a convolution of images, from ``x[b,h,w,c]`` to ``z[b,p,q,o]``: a way to enlarge them."""

    rank = 2
    source = "Zeiler et al., Deconvolutional Networks (2010); Dumoulin and Visin (2016), §4"


@dataclass(frozen=True, repr=False)
class ConvTranspose3D(_Transposed):
    """The adjoint of a convolution of volumes, from ``x[b,d,h,w,c]`` to ``z[b,p,q,r,o]``."""

    rank = 3
    source = "Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), §4"


def _scaled(stride: int, size: str, more: int) -> str:
    return (size if stride == 1 else f"{stride}*{size}") + (f" + {more}" if more > 0 else f" - {-more}" if more else "")
