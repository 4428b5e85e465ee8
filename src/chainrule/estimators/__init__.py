"""Classifier, Regressor and LanguageModel: networks as scikit-learn estimators."""

from chainrule.estimators.classifier import Classifier
from chainrule.estimators.language_model import LanguageModel
from chainrule.estimators.regressor import Regressor
from chainrule.estimators.saving import load

__all__ = ["Classifier", "LanguageModel", "Regressor", "load"]
