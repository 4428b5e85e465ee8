"""Classifier and Regressor: networks as scikit-learn estimators."""

from chainrule.estimators.classifier import Classifier
from chainrule.estimators.regressor import Regressor
from chainrule.estimators.saving import load

__all__ = ["Classifier", "Regressor", "load"]
