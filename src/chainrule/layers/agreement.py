"""Whether tensors have the same sizes where they are added or laid side by side.

A system may read a tensor outside its range, where it is 0; so adding a small one to a large one has a meaning, but
never the one that was wanted.  Layers that add refuse it, as far as sizes are known before the data.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.equations.node import base_axis
from chainrule.equations.sizes import size_value
from chainrule.equations.system import size_names
from chainrule.errors import ChainruleError
from chainrule.layers.composition import Composition, Tensor

# Sizes tried for an axis of which only the data say it: one that most products of strides divide, and others.
TRIED = (20160, 20161, 20163)


def refuse_other_sizes(under: Composition, scope: str, tensors: tuple[Tensor, ...], remedy: str) -> None:
    """Raise ChainruleError, ending in the remedy, unless all tensors can have the same sizes."""
    _refuse(under, scope, tensors, len(tensors[0].axes), frozenset(), remedy)


def refuse_other_places(under: Composition, scope: str, tensors: tuple[Tensor, ...], remedy: str) -> None:
    """Raise ChainruleError, ending in the remedy, unless all tensors can have the same sizes but along the last axis.

    Sizes that differ for the input at hand may differ only by what was rounded off: half of 5 positions, doubled, are
    4, which agrees with the 6 of an input of 6.  What is missing at the end is 0.
    """
    inputs = frozenset(axis for tensor in under.inputs if tensor.role == "data" for axis in tensor.axes)
    _refuse(under, scope, tensors, len(tensors[0].axes) - 1, inputs, remedy)


def _refuse(
    under: Composition, scope: str, tensors: tuple[Tensor, ...], axes: int, inputs: frozenset[str], remedy: str
) -> None:
    first = tensors[0]
    for other in tensors[1:]:
        pairs = zip(first.axes[:axes], other.axes[:axes], strict=True)
        if not all(_may_agree(under, one, two, inputs) for one, two in pairs):
            raise ChainruleError(
                f"{scope}: {_described(under, first)} and {_described(under, other)} differ in size; {remedy}"
            )


def _may_agree(under: Composition, one: str, other: str, inputs: frozenset[str]) -> bool:
    """Whether two axes have one size, for some sizes of the axes without a known one and of those in ``inputs``.

    Axes that depend on different ones, of which nothing is known yet, may always agree.
    """
    known = under.size(one), under.size(other)
    if one == other or (None not in known and known[0] == known[1]):
        return True
    roots = _roots(under, one, inputs)
    if roots != _roots(under, other, inputs):
        return None in known
    for size in TRIED:
        given = dict.fromkeys(roots, size)
        if _size(under, one, given) == _size(under, other, given):
            return True
    return False


def _roots(under: Composition, axis: str, inputs: frozenset[str]) -> frozenset[str]:
    """The axes on whose sizes that of the axis depends: without a size of their own, or in ``inputs``."""
    name = base_axis(axis)
    relation = under.sizes.get(name)
    if relation is None or name in inputs:
        return frozenset({name})
    return frozenset().union(*(_roots(under, other, inputs) for other in size_names(relation)))


def _size(under: Composition, axis: str, given: Mapping[str, int]) -> int:
    name = base_axis(axis)
    relation = under.sizes.get(name)
    if relation is None or name in given:
        return given[name]
    return size_value(relation, {other: _size(under, other, given) for other in size_names(relation)})


def _described(under: Composition, tensor: Tensor) -> str:
    """The tensor with the sizes of its axes that are known: ``x[b,h,w,c] (h = 8, w = 8, c = 3)``."""
    known = [(axis, under.size(axis)) for axis in tensor.axes]
    sizes = ", ".join(f"{axis} = {size}" for axis, size in known if size is not None)
    return f"{tensor} ({sizes})" if sizes else str(tensor)
