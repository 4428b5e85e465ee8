"""Derived gradients against PyTorch's automatic differentiation, in float64."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cases import CASES, Case
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_torch(case: Case) -> None:
    torch = pytest.importorskip("torch")
    from calculus.torch_forward import FORWARD

    log = derive(case.system, "C", case.wrt)
    ours = evaluate(log.system, case.values)
    theirs = {tensor.name: torch.tensor(ours[tensor.name]) for tensor in case.system.inputs}
    for name in case.wrt:
        theirs[name].requires_grad_()
    cost = FORWARD[case.name](SimpleNamespace(**theirs))
    cost.backward()
    assert cost.item() == pytest.approx(float(ours["C"]), rel=1e-12)
    for name in case.wrt:
        expected = theirs[name].grad.numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours[log.gradients[name]], expected, rtol=1e-8, atol=1e-10 * scale, err_msg=name)
