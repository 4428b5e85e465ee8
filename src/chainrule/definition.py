"""What layers, losses, optimizers, initializers and regularizers have in common: each is one text of equations.

A definition is a small frozen class.  Its ``equations`` are the mathematics, ``source`` says where they come from, and
its fields are the constructor's arguments; a field made with ``symbol("α", 0.01)`` is the scalar ``α`` of the
equations.  Two definitions made with the same arguments are equal, and ``repr`` evaluates back.  The classes of each
family form its catalogue, over which tests, documentation and the command line iterate.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from chainrule.equations.parse import parse
from chainrule.equations.system import System
from chainrule.errors import ChainruleError


@dataclass(frozen=True, repr=False)
class Definition:
    """One definition of the vocabulary.

    Raises ChainruleError when an argument is outside what the equations allow.
    """

    equations: ClassVar[str] = ""
    source: ClassVar[str] = ""
    catalogue: ClassVar[dict[str, type[Any]]]

    def __init_subclass__(cls, **options: Any) -> None:
        """A class that gives equations or a source of its own enters the catalogue of its family."""
        super().__init_subclass__(**options)
        if Definition in cls.__bases__:
            cls.catalogue = {}
        elif "source" in vars(cls):
            cls.catalogue[cls.__name__] = cls

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
            if "symbol" in field.metadata:
                check_number(type(self).__name__, field.name, getattr(self, field.name), **field.metadata["bounds"])

    def __repr__(self) -> str:
        """The constructor call, without the arguments that have their default values."""
        arguments = []
        for field in sorted(dataclasses.fields(self), key=lambda field: bool(field.kw_only)):
            value = plain(getattr(self, field.name))
            if field.default is dataclasses.MISSING:
                arguments.append(repr(value))
            elif value != field.default:
                arguments.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @property
    def system(self) -> System:
        """The equations as a System over placeholder axes."""
        return definition_system(self.equations, type(self).__name__)

    @property
    def scalars(self) -> dict[str, float]:
        """The scalars of the equations that the constructor fixed: symbol → value."""
        return {
            field.metadata["symbol"]: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata.get("symbol")
        }


@lru_cache(maxsize=512)
def definition_system(text: str, name: str) -> System:
    return parse(text, name)


def symbol(
    name: str,
    default: float,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """A field that is the scalar ``name`` of the equations: low ≤ value ≤ high, above < value < below."""
    bounds = {"low": low, "high": high, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"symbol": name, "bounds": bounds})


def plain(value: Any) -> Any:
    """The value with Python's own numbers in place of NumPy's, which have no text that reads back; lists are tuples."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(plain(item) for item in value) if isinstance(value, tuple | list) else value


def check_number(
    owner: str,
    name: str,
    value: object,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Raise ChainruleError, naming the argument and its bounds, unless ``value`` is a finite number within them."""
    wanted = [
        f"{words} {bound:g}"
        for words, bound in (("at least", low), ("above", above), ("at most", high), ("below", below))
        if bound is not None
    ]
    phrase = " a number" + (" " + " and ".join(wanted) if wanted else "")
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ChainruleError(f"{owner}: {name} must be{phrase}, not {value!r}")
    number = float(value)
    if (
        (low is not None and number < low)
        or (above is not None and number <= above)
        or (high is not None and number > high)
        or (below is not None and number >= below)
    ):
        raise ChainruleError(f"{owner}: {name} must be{phrase}, not {value!r}")


def check_count(owner: str, name: str, value: object) -> int:
    """The whole number ``value`` ≥ 1, or ChainruleError."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ChainruleError(f"{owner}: {name} must be a whole number of at least 1, not {value!r}")
    return int(value)


def check_instance(owner: str, name: str, value: object, kind: type[Definition]) -> None:
    """Raise ChainruleError, listing the catalogue, unless ``value`` is a definition of this family."""
    refuse_class(owner, name, value, kind)
    if not isinstance(value, kind):
        known = ", ".join(kind.catalogue)
        word = kind.__name__.lower()
        plural = word + ("es" if word.endswith("s") else "s")
        raise ChainruleError(f"{owner}: {name} must be one of the {plural} ({known}), not {value!r}")


def refuse_class(owner: str, name: str, value: object, kind: type[Definition]) -> None:
    """Raise ChainruleError where a class of definitions stands for one of them: ``Adam`` for ``Adam()``."""
    if isinstance(value, type) and issubclass(value, kind):
        raise ChainruleError(f"{owner}: {name}={value.__name__} is a class; write {name}={value.__name__}()")
