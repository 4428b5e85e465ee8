"""Settings that are numbers of something."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ChainruleError


def count(name: str, given: Any, default: int, most: int | None = None) -> int:
    """The setting ``name``, a whole number of at least 1, ``default`` where it is None, and ``most`` where it is more.

    Raises ChainruleError naming the setting.
    """
    value = default if given is None else given
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ChainruleError(f"{name} is a whole number of at least 1, not {given!r}")
    return int(value) if most is None else min(int(value), most)
