"""Ctrl-C pressed twice."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from chainrule.estimators import Classifier
from chainrule.training.callbacks import Callback, Run


class Insist(Callback):
    def on_steps(self, run: Run) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_the_second_press_is_passed_on() -> None:
    model = Classifier(callbacks=Insist(), random_state=0)
    with pytest.warns(UserWarning, match="interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(np.eye(4), [0, 1] * 2)
    assert model.predict(np.eye(4)).shape == (4,)
