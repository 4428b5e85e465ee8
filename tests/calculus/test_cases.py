"""Every hand-written system: derived, checked against finite differences, and kept as text."""

from __future__ import annotations

import pytest

from cases import CASES, Case
from chainrule.calculus.derivation import Log
from chainrule.calculus.differences import check_gradients
from chainrule.calculus.reverse import derive
from chainrule.equations.check import check
from chainrule.equations.parse import parse

# Max pooling has kinks, where finite differences mean nothing; everything else is smooth.
KINKED = ("max_pool1d", "max_pool2d")

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def as_text(log: Log) -> str:
    lines = [f"derivatives of {log.cost} with respect to {', '.join(log.gradients)}", ""]
    return "\n".join([*lines, *map(str, log.equations)]) + "\n"


@every_case
def test_golden(case: Case, golden) -> None:
    golden.check(f"calculus/{case.name}.txt", as_text(derive(case.system, "C", case.wrt)))


@every_case
def test_finite_differences(case: Case) -> None:
    checks = check_gradients(case.system, "C", case.values, case.wrt, elements=10)
    assert [check.tensor for check in checks] == list(case.wrt)
    for check_ in checks:
        assert check_.error < 1e-6, str(check_)
        assert check_.checked > 0
        assert check_.kinks == 0 or case.name in KINKED, str(check_)


@every_case
def test_derived_system_is_a_system(case: Case) -> None:
    log = derive(case.system, "C", case.wrt)
    check(log.system)
    assert parse(str(log.system)) == log.system


@every_case
def test_log_is_a_chain(case: Case) -> None:
    """Each rewrite starts where the one before it ended, and the last one ends in the equation of the result."""
    log = derive(case.system, "C", case.wrt)
    final = {equation.name: equation for equation in log.equations}
    for tensor, adjoint in log.adjoints.items():
        steps = log.steps_of(tensor)
        assert steps, tensor
        assert steps[-1].after is final[adjoint]
        reached = set()
        for step in steps:
            assert step.before is None or step.before in reached
            assert step.reason
            reached.add(step.after)
