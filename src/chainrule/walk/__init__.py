"""One example through a network and back: every quantity of a training step, with its equation and its numbers."""

from chainrule.walk.element import Element, Operand, Place
from chainrule.walk.exact import exact_value, magnitude
from chainrule.walk.forming import Forming, formed
from chainrule.walk.walk import Quantity, Said, Walk, walk, walk_forward

__all__ = [
    "Element",
    "Forming",
    "Operand",
    "Place",
    "Quantity",
    "Said",
    "Walk",
    "exact_value",
    "formed",
    "magnitude",
    "walk",
    "walk_forward",
]
