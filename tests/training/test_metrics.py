"""Metrics are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from chainrule.errors import ChainruleError
from chainrule.training.metrics import check_metric, class_score, value_score

LABELS = np.array(["a", "b", "b", "a", "b"], dtype=object)
PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9]])
CLASSES = np.array(["a", "b"], dtype=object)


def test_classes() -> None:
    assert class_score("accuracy", LABELS, PROBABILITIES, CLASSES, False) == 0.8
    predicted = CLASSES[PROBABILITIES.argmax(axis=1)]
    assert class_score("f1_macro", LABELS, PROBABILITIES, CLASSES, False) == f1_score(
        LABELS, predicted, average="macro"
    )
    area = roc_auc_score(LABELS == "b", PROBABILITIES[:, 1])
    assert class_score("roc_auc", LABELS, PROBABILITIES, CLASSES, False) == area


def test_several_labels_and_values() -> None:
    y = np.array([[1, 0], [0, 1]])
    assert class_score("accuracy", y, np.array([[0.9, 0.2], [0.3, 0.4]]), np.arange(2), True) == 0.5
    assert value_score("neg_mean_absolute_error", np.array([1.0, 2.0]), np.array([1.0, 3.0])) == -0.5


def test_unknown() -> None:
    with pytest.raises(ChainruleError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        check_metric("acuracy")
    with pytest.raises(ChainruleError, match="'roc_auc' does not fit this task"):
        class_score("roc_auc", np.array([0, 1, 2]), np.eye(3)[[0, 0, 0]] * 0.5, np.arange(3), False)
