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

# Sizes tried for an axis of which only the data say it: with a divisor of most strides, and with few.
TRIED = (5040, 5041, 5043)


def refuse_other_sizes(under: Composition, scope: str, tensors: tuple[Tensor, ...], axes: int, remedy: str) -> None:
    """Raise ChainruleError unless the first ``axes`` axes of all tensors can have the same sizes."""
    first = tensors[0]
    for other in tensors[1:]:
        pairs = zip(first.axes[:axes], other.axes[:axes], strict=True)
        if not all(may_agree(under, one, two) for one, two in pairs):
            raise ChainruleError(
                f"{scope}: {_described(under, first)} and {_described(under, other)} differ in size; {remedy}"
            )


def may_agree(under: Composition, one: str, other: str) -> bool:
    """Whether two axes have one size, for some sizes of the axes that both depend on.

    Axes that depend on different ones, of which nothing is known yet, may always agree.
    """
    roots = _roots(under, one)
    if one == other or roots != _roots(under, other):
        return True
    for size in TRIED:
        given = dict.fromkeys(roots, size)
        if _size(under, one, given) == _size(under, other, given):
            return True
    return False


def _roots(under: Composition, axis: str) -> frozenset[str]:
    """The axes without a size of their own on whose sizes that of the axis depends."""
    name = base_axis(axis)
    relation = under.sizes.get(name)
    if relation is None:
        return frozenset({name})
    return frozenset().union(*(_roots(under, other) for other in size_names(relation)))


def _size(under: Composition, axis: str, given: Mapping[str, int]) -> int:
    name = base_axis(axis)
    relation = under.sizes.get(name)
    if relation is None:
        return given[name]
    return size_value(relation, {other: _size(under, other, given) for other in size_names(relation)})


def _described(under: Composition, tensor: Tensor) -> str:
    """The tensor with the sizes of its axes that are known: ``x[b,h,w,c] (h = 8, w = 8, c = 3)``."""
    known = [(axis, under.size(axis)) for axis in tensor.axes]
    sizes = ", ".join(f"{axis} = {size}" for axis, size in known if size is not None)
    return f"{tensor} ({sizes})" if sizes else str(tensor)
