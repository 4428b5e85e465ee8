"""Whether the arithmetic that a walk prints is the arithmetic that was done: printed, read back, computed, compared.

    python -m benchmarks.walk              # 1,000 elements of each of three models
    python -m benchmarks.walk 100          # fewer

Each model is trained, one row is walked through in float64, and elements of all phases are chosen at random.  The text
of each element's arithmetic, every digit and long sums shortened to six terms and a rest, is parsed and evaluated anew.
Its distance from the stored value is told relative to that value or, where a sum cancels, to what it would be if its
terms did not cancel: rounding is relative to the terms.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np
from sklearn.datasets import load_digits

import chainrule as cr
from chainrule.walk import Element, Walk, exact_value, magnitude

TOLERANCE = 1e-9


def walks() -> Iterator[tuple[str, Walk]]:
    """A walk of each model, trained for a few epochs."""
    digits = load_digits()
    warnings.simplefilter("ignore", UserWarning)  # of constant columns
    mlp = cr.Classifier(cr.Network(cr.Dense(30), cr.Sigmoid(), cr.Dense(10)), epochs=5, random_state=0)
    yield "digits, dense", mlp.fit(digits.data, digits.target).walk(digits.data[3:4], digits.target[3:4])
    network = cr.Network(cr.Conv2D(8, 3), cr.BatchNorm(), cr.ReLU(), cr.MaxPool2D(2), cr.Dropout(0.2), cr.Dense(10))
    convolutional = cr.Classifier(network, epochs=3, random_state=0).fit(digits.images, digits.target)
    yield "digits, convolutional", convolutional.walk(digits.images[3:4], digits.target[3:4])
    lines = cr.Classifier(cr.Network(cr.LSTM(16), cr.Dense(10)), epochs=3, random_state=0)
    yield (
        "digits by line, LSTM",
        lines.fit(digits.images, digits.target).walk(digits.images[3:4], digits.target[3:4]),
    )


def chosen(walk: Walk, count: int, seed: int = 0) -> Iterator[Element]:
    """Elements at random: a phase, a quantity of it that has an equation, a position.

    Of the loss, which has few elements, there are fewer.
    """
    generator = np.random.default_rng(seed)
    phases = ("loss", *("forward", "backward", "update") * 6)
    of = {phase: [q for q in walk.quantities if q.phase == phase and q.equation is not None] for phase in phases}
    for number in range(count):
        quantities = of[phases[number % len(phases)]]
        quantity = quantities[generator.integers(len(quantities))]
        yield walk.element(quantity.name, [int(generator.integers(size)) for size in quantity.shape])


def error(element: Element) -> tuple[float, bool]:
    """How far the printed arithmetic is from the value, relative; whether it is relative to terms that cancel."""
    text = element.exact()
    distance = abs(exact_value(text) - element.value)
    if distance == 0:
        return 0.0, False
    plain = distance / abs(element.value) if element.value else float("inf")
    return (plain, False) if plain <= TOLERANCE else (distance / magnitude(text), True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    worst = 0.0
    for name, walk in walks():
        phases: Counter[str] = Counter()
        largest, where, cancelled = 0.0, "", 0
        for element in chosen(walk, count):
            found, terms = error(element)
            phases[element.quantity.phase] += 1
            cancelled += terms
            if found > largest:
                largest, where = found, element.name
        told = ", ".join(f"{number} {phase}" for phase, number in phases.items())
        print(f"{name:22} {count:,} elements ({told})")
        print(f"{'':22} worst relative error {largest:.1e}, {where}; {cancelled} told relative to terms that cancel")
        worst = max(worst, largest)
    print(f"worst of all {worst:.1e}, {'within' if worst <= TOLERANCE else 'NOT within'} {TOLERANCE:g}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
