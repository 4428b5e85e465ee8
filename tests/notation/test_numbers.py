"""Numbers put in: what is printed gives what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cases import CASES, Case
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.notation.names import Names
from chainrule.notation.numbers import VALUE_DIGITS, evaluate_numbers, worked
from chainrule.notation.story import names_of

BY_HAND = "z1[b,j] = sum[i](x[b,i]*W1[i,j]) + β[j]\ns = sum[b,i](x[b,i])"
VALUES = {
    "x": np.array([[0.12, -0.3, 2.0]]),
    "W1": np.array([[0.5], [1.2], [0.25]]),
    "β": np.array([0.05]),
}


def test_by_hand() -> None:
    system = parse(BY_HAND)
    found = worked(system, evaluate(system, VALUES), "z1", (0, 0))
    assert found.text(Names(system)) == (
        "z⁽¹⁾_{0,0} = Σᵢ x_{0,i} W⁽¹⁾_{i,0} + β₀ = 0.12·0.5 + (−0.3)·1.2 + 2·0.25 + 0.05 = 0.25"
    )
    assert r"&= 0.12 \cdot 0.5 + (-0.3) \cdot 1.2 + 2 \cdot 0.25 + 0.05" in found.latex(Names(system))
    assert found.mathml(Names(system)).count("<mn>") > 8


def test_long_sums_show_the_terms_that_matter() -> None:
    system = parse("s = sum[i](x[i]*w[i])")
    x = np.full(40, 0.001)
    x[[3, 17]] = 5.0, -4.0
    found = worked(system, evaluate(system, {"x": x, "w": np.ones(40)}), "s", terms=2)
    assert found.text(Names(system)) == "s = Σᵢ xᵢ wᵢ = 5·1 + (−4)·1 + … + 0.038 (38 more) = 1.038"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("terms", [3, 1000])
def test_printed_terms_give_the_value(case: Case, terms: int) -> None:
    log = derive(case.system, "C", case.wrt)
    values = evaluate(log.system, case.values)
    names = names_of(log)
    for equation in log.system.equations:
        positions = list(itertools.product(*map(range, values[equation.name].shape)))
        for position in positions[:: max(1, len(positions) // 3)]:
            found = worked(log.system, values, equation.name, position, terms)
            assert found.value == values[equation.name][position]
            given = evaluate_numbers(found.expression, found.rests)
            np.testing.assert_allclose(given, found.value, rtol=1e-9, atol=1e-12, err_msg=found.text(names))
            expression, rests, printed = found.printed()
            again = evaluate_numbers(expression, rests)
            if not np.isfinite(printed) or abs(printed) < 1e-12:
                continue
            assert float(f"{again:.{VALUE_DIGITS}g}") == printed, found.text(names)


def test_refused() -> None:
    system = parse(BY_HAND)
    values = evaluate(system, VALUES)
    with pytest.raises(ChainruleError, match="no equation defines x"):
        worked(system, values, "x", (0, 0))
    with pytest.raises(ChainruleError, match=r"shape \(1, 1\); there is no element at \(0, 3\)"):
        worked(system, values, "z1", (0, 3))
