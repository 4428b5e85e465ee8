"""Python names for tensors: readable, valid, no two alike.

``dense1.W`` → ``dense1_W``, ``∂dense1.W`` → ``dense1_dW``, ``W'`` → ``W_next``, ``z₁`` → ``z1``; Greek letters stay.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata


def python_name(name: str) -> str:
    """A valid identifier that reads like the name of the tensor."""
    scope, _, own = name.rpartition(".")
    derivatives = re.match(r"(?:∂[²³]?)*", name)
    prefix = derivatives[0] if derivatives else ""
    scope = scope.removeprefix(prefix)
    own = own.removeprefix(prefix)
    order = prefix.replace("∂²", "d2").replace("∂³", "d3").replace("∂", "d")
    text = f"{scope}_{order}{own}" if scope else order + own
    primes = len(text) - len(text.rstrip("'"))
    text = text.rstrip("'") + "_next" * primes
    text = unicodedata.normalize("NFKC", text)
    text = "".join(letter if ("_" + letter).isidentifier() else "_" for letter in text)
    return text if text.isidentifier() else "_" + text


class Names:
    """Gives out names, each only once."""

    def __init__(self, reserved: set[str]) -> None:
        self.taken = {"np", "step", "prepare", *reserved}

    def fresh(self, wanted: str) -> str:
        """``wanted`` as a Python name, with a number behind it where it is taken or means something to Python."""
        base = name = python_name(wanted)
        number = 2
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name = f"{base}_{number}"
            number += 1
        self.taken.add(name)
        return name
