"""A run that is taken up again is the run that was never interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from chainrule.errors import ChainruleError
from chainrule.estimators import Classifier
from chainrule.layers import Dense, Dropout, Network, ReLU
from chainrule.optimizers import Adam, CosineDecay
from chainrule.training.callbacks import Run
from chainrule.training.checkpoint import Checkpoint

X, Y = load_iris(return_X_y=True)


def classifier(callbacks: Any = None, **settings: Any) -> Classifier:
    network = Network(Dense(8), ReLU(), Dropout(0.2), Dense(3))
    given = {"optimizer": Adam(CosineDecay(0.01)), "epochs": 6, "random_state": 0, **settings}
    return Classifier(network, **given, callbacks=callbacks)


def stop_after_three(run: Run) -> None:
    if run.epoch == 3:
        raise KeyboardInterrupt


def test_taken_up_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.safetensors")
    whole = classifier().fit(X, Y)
    with pytest.warns(UserWarning, match="interrupted"):
        classifier([checkpoint, stop_after_three]).fit(X, Y)
    again = classifier(checkpoint).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))
    assert again.history_["loss"] == whole.history_["loss"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_of_another_run(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.safetensors", every=2)
    classifier(checkpoint, epochs=2).fit(X, Y)
    with pytest.raises(ChainruleError, match="a checkpoint of another run"):
        classifier(checkpoint, random_state=1).fit(X, Y)
    (tmp_path / "run.safetensors").write_text("no")
    with pytest.raises(ChainruleError, match="no checkpoint, or damaged"):
        classifier(checkpoint).fit(X, Y)
    with pytest.raises(ChainruleError, match="no such file"):
        classifier(Checkpoint(tmp_path / "nowhere" / "run")).fit(X, Y)
