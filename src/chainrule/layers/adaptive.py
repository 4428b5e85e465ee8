"""Pooling over whole axes, and to a given number of outputs whatever the size of the input.

Where rows differ in length along an axis, only the positions before the end of a row count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.definition import definition_system
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor
from chainrule.layers.layer import Layer
from chainrule.layers.window import PLACES, SLID, Counts, counts, inside, next_axis


@dataclass(frozen=True, repr=False)
class _GlobalPool(Layer):
    def compose(self, under: Composition, x: Tensor) -> Tensor:
        if not any(name in under.lengths for name in x.axes[1:-1]):
            return super().compose(under, x)
        scope = under.scope(self.family)
        reads = {f"n{name}": under.lengths[name] for name in x.axes[1:-1] if name in under.lengths}
        lengths = [f"integer {name}[b]" for name in reads]
        text = "\n".join([f"data x[{','.join(x.axes)}]", *lengths, self._of_lengths(x.axes, reads)])
        read = inside(under, scope, x)
        return under.place(definition_system(text, type(self).__name__), scope, {"x": read, **reads})["m"]

    def _of_lengths(self, axes: Sequence[str], lengths: Mapping[str, Tensor]) -> str:
        """The equation where row b has only n[b] positions along some of the axes."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(_GlobalPool):
    """The greatest number of each channel, from ``x[b,...,c]`` to ``m[b,c]``.

    Where rows differ in length, only their own positions count; a row without any has 0.
    """

    source = "Oquab et al., Is object localization for free? (2015), §3"
    equations = "data x[b,...,c]\nm[b,c] = max[...](x[b,...,c])"

    def _of_lengths(self, axes: Sequence[str], lengths: Mapping[str, Tensor]) -> str:
        there = "*".join(f"[{name.removeprefix('n')} < {name}[b]]" for name in lengths)
        some = "*".join(f"[{name}[b] > 0]" for name in lengths)
        x = f"x[{','.join(axes)}]"
        return f"m[b,{axes[-1]}] = where({some}, max[{','.join(axes[1:-1])}](where({there}, {x}, -∞)), 0)"


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel, from ``x[b,...,c]`` to ``m[b,c]``.

    Where rows differ in length, only their own positions count; a row without any has 0.
    """

    source = "Lin, Chen, Yan, Network In Network (2014), §3.2"
    equations = "data x[b,...,c]\nm[b,c] = sum[...](x[b,...,c])/size(...)"

    def _of_lengths(self, axes: Sequence[str], lengths: Mapping[str, Tensor]) -> str:
        counts = [f"max(1, n{name}[b])" if f"n{name}" in lengths else f"size({name})" for name in axes[1:-1]]
        return f"m[b,{axes[-1]}] = sum[{','.join(axes[1:-1])}](x[{','.join(axes)}])/({'*'.join(counts)})"


@dataclass(frozen=True, repr=False)
class _AdaptivePool(Layer):
    """Bin p of P along an axis of H positions is ⌊pH/P⌋ … ⌈(p+1)H/P⌉ - 1: the h with pH < P(h+1) and Ph < (p+1)H."""

    size: Counts

    def __post_init__(self) -> None:
        super().__post_init__()
        rank = len(self.size) if isinstance(self.size, tuple) else 1
        if rank not in PLACES:
            raise ChainruleError(f"{type(self).__name__}: size is a number or up to three, not {self.size!r}")
        counts(type(self).__name__, "size", self.size, rank)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many outputs there are along each axis."""
        return self.size if isinstance(self.size, tuple) else (self.size,)

    @property
    def equations(self) -> str:  # type: ignore[override]
        return self._text(())

    def compose(self, under: Composition, x: Tensor) -> Tensor:
        scope = under.scope(self.family)
        rank = len(self.sizes)
        if len(x.axes) <= rank or x.axes[0] != "b":
            raise ChainruleError(f"{scope}: {self!r} reads x[b,{','.join(PLACES[rank])},…]; it is given {x}")
        axes = x.axes[1 : rank + 1]
        slid = [next_axis(under, name) for name in axes]
        ragged = {h: under.lengths[name] for h, name in zip(PLACES[rank], axes, strict=True) if name in under.lengths}
        definition = definition_system(self._text(tuple(ragged)), type(self).__name__)
        made = under.place(
            definition,
            scope,
            {"x": inside(under, scope, x), **{f"n{h}": lengths for h, lengths in ragged.items()}},
            axes=dict(zip(SLID[rank], ((name,) for name in slid), strict=True)),
        )
        return made[definition.equations[-1].name]

    def _text(self, ragged: Sequence[str]) -> str:
        """The equations; ``ragged``: the axes along which row b has only n[b] positions."""
        raise NotImplementedError

    def _head(self, ragged: Sequence[str]) -> list[str]:
        rank = len(self.sizes)
        sizes = ", ".join(f"{p} = {size}" for p, size in zip(SLID[rank], self.sizes, strict=True))
        return [f"axis {sizes}", f"data x[b,{','.join(PLACES[rank])},...]", *(f"integer n{h}[b]" for h in ragged)]

    def _bins(self, ragged: Sequence[str]) -> list[str]:
        """For each axis, the brackets that say whether position h is in bin p."""
        rank = len(self.sizes)
        return [
            f"[{p}*{length} < {size}*({h} + 1)]*[{size}*{h} < ({p} + 1)*{length}]"
            for h, p, size in zip(PLACES[rank], SLID[rank], self.sizes, strict=True)
            for length in (f"n{h}[b]" if h in ragged else f"size({h})",)
        ]


@dataclass(frozen=True, repr=False)
class AdaptiveMaxPool(_AdaptivePool):
    """The greatest number in each of ``size`` bins along an axis, from ``x[b,h,...]`` to ``m[b,p,...]``.

    A tuple of sizes pools over as many axes after b.
    """

    source = "He et al., Spatial Pyramid Pooling in Deep Convolutional Networks (2014), §2.2"

    def _text(self, ragged: Sequence[str]) -> str:
        rank = len(self.sizes)
        places, out = ",".join(PLACES[rank]), ",".join(SLID[rank])
        greatest = f"max[{places}](where({'*'.join(self._bins(ragged))}, x[b,{places},...], -∞))"
        some = "*".join(f"[n{h}[b] > 0]" for h in ragged)
        equation = f"m[b,{out},...] = {f'where({some}, {greatest}, 0)' if ragged else greatest}"
        return "\n".join([*self._head(ragged), equation])


@dataclass(frozen=True, repr=False)
class AdaptiveAvgPool(_AdaptivePool):
    """The mean in each of ``size`` bins along an axis, from ``x[b,h,...]`` to ``m[b,p,...]``.

    A tuple of sizes pools over as many axes after b, one after the other.
    """

    source = "He et al., Spatial Pyramid Pooling in Deep Convolutional Networks (2014), §2.2"

    def _text(self, ragged: Sequence[str]) -> str:
        rank = len(self.sizes)
        lines, before, axes = self._head(ragged), "x", list(PLACES[rank])
        for k, (h, p, bins) in enumerate(zip(PLACES[rank], SLID[rank], self._bins(ragged), strict=True)):
            rows = "b," if h in ragged else ""
            name = "m" if k == rank - 1 else f"m{k + 1}"
            read = f"{before}[b,{','.join(axes)},...]"
            axes[k] = p
            count = f"sum[{h}](R{k + 1}[{rows}{p},{h}])"
            lines += [
                f"R{k + 1}[{rows}{p},{h}] = {bins}",
                f"N{k + 1}[{rows}{p}] = {f'max(1, {count})' if rows else count}",
                f"{name}[b,{','.join(axes)},...] = sum[{h}]({read}*R{k + 1}[{rows}{p},{h}])/N{k + 1}[{rows}{p}]",
            ]
            before = name
        return "\n".join(lines)
