"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.definition import check_count, check_instance
from chainrule.errors import ChainruleError
from chainrule.layers import Dense, Dropout, Layer, Network, ReLU

_RELU = ReLU()


def mlp(sizes: Sequence[int], activation: Layer = _RELU, dropout: float = 0.0) -> Network:
    """Dense layers with an activation between them: ``mlp((300, 100, 10))``, from ``x[b,...]`` to ``z[b,k]``.

    ``sizes``: the units of each layer, the last those of the output; the input has the size that it is given with.
    ``dropout``: the share of the hidden units left out in training.
    Source: Rumelhart, Hinton, Williams, Learning Representations by Back-Propagating Errors (1986).
    """
    check_sizes("mlp", sizes)
    check_instance("mlp", "activation", activation, Layer)
    *hidden, last = sizes
    dropped = (Dropout(dropout),) if dropout else ()
    layers = [layer for units in hidden for layer in (Dense(units), activation, *dropped)]
    return Network(*layers, Dense(last))


def check_sizes(owner: str, sizes: Sequence[int], name: str = "sizes") -> None:
    """Raise ChainruleError unless ``sizes`` are whole numbers of at least 1, one or more."""
    if not isinstance(sizes, list | tuple) or not sizes:
        raise ChainruleError(f"{owner}: {name} are whole numbers, one for each layer, not {sizes!r}")
    for size in sizes:
        check_count(owner, f"every one of {name}", size)
