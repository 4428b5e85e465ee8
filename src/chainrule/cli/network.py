"""The text of ``--network``: layers, a ready network, files of equations."""

from __future__ import annotations

import re
from typing import Any

from chainrule.estimators.settings import is_ready, read_call

# A name ending in .eq that stands alone between commas: quotes need not be written around it.
_FILE = re.compile(r"(?:^|(?<=[,(]))\s*([^\s,()'\"=]+\.eq)\s*(?=[,)]|$)")


def read_network(text: str) -> Any:
    """The network that layers separated by commas make; ``layer.eq`` among them is the file of that name.

    A ready network stays text: the estimator, which knows how many classes there are, makes it.
    Raises ChainruleError naming what is unknown or cannot be read.
    """
    if is_ready(text):
        return text
    return read_call(f"Network({_FILE.sub(lambda found: repr(found[1]), text)})", "--network")
