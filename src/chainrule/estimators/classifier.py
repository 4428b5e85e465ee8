"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from chainrule.data.augment import Augmentation, as_augmentations, mixup_of
from chainrule.data.rows import class_weights
from chainrule.data.rule import ReadingRule
from chainrule.data.target import Labels, fit_labels, read_labels
from chainrule.errors import ChainruleError
from chainrule.estimators import defaults
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.inspect import Inspection
from chainrule.estimators.model import plain_loss, target_shape
from chainrule.estimators.rows import Rows
from chainrule.layers import Layer
from chainrule.losses import Hinge, Loss, MulticlassHinge
from chainrule.optimizers import Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.members import Ensemble
from chainrule.training.metrics import class_score
from chainrule.training.step import TrainingStep

Array = NDArray[Any]


def _gives_probabilities(estimator: Classifier) -> bool:
    return not isinstance(plain_loss(estimator.loss), Hinge | MulticlassHinge)


class Classifier(ClassifierMixin, Inspection, NetworkEstimator):  # type: ignore[misc]
    """A neural network that tells classes apart, as a scikit-learn estimator.

    Tables may hold numbers, true/false, text and gaps: numbers are scaled, texts become one column for each category,
    gaps are marked (``summary()`` says how each column is read).  Images come as a folder with a folder for each class,
    as files or arrays (see ``fit``).  With ``y`` [row, label] of 0 and 1, each row has any
    number of labels.

    Parameters
    ----------
    network : layers whose last gives one value for each class (logits), or None for two hidden layers of 128.
    loss : None for cross-entropy of labels smoothed by 0.05 (binary cross-entropy of each label where a row may have
        several).
    optimizer : with its learning rate or schedule; None for AdamW along a cosine.
    epochs, batch_size : None for what suits the number of rows.
    regularizer : one, or a tuple of them, added to the loss.
    clipping : of the gradients.
    ensemble : how many networks to train at once, each from first values and with an order of rows of its own (texts,
        sequences and augmented images come to all in one order); the prediction is the mean of theirs (``member(0)``
        is one of them).  None for one network; ``BatchEnsemble()`` and ``TabM()`` for networks that share weights,
        ``Snapshots()``, ``SWA()`` and ``SWAG()`` for those of one run.
    early_stopping : True, or ``EarlyStopping(metric, patience)``; None keeps the best epoch where there are
        validation rows; False keeps the last.
    validation_fraction : share of the rows set aside, the same of every class; None for 0.1 from 4,000 rows on.
    class_weight : ``"balanced"`` or a mapping of class to weight.
    reading : how texts, sound or series are read: ``Words()``, ``Characters()``, ``BytePairs()``, ``LogMel()``,
        ``MFCC()``, ``Channels()``; None for what suits the rows.
    augmentation : of images, in training: ``Shift(2) + Flip()``, or a tuple.
    callbacks : functions of the ``Run`` called after each epoch, or ``Callback``s.
    backend : ``"native"``, compiled for this processor, or ``"numpy"``; None for what CHAINRULE_BACKEND says, else
        native where it can be.
    n_jobs : threads that fitting and predicting may use, -1 for all; None for what CHAINRULE_NUM_THREADS or
        OMP_NUM_THREADS says, else all.  Small networks use one.  Compiled code gives the same results with any number.
    random_state : a whole number makes fitting repeatable, to the bit.
    verbose : show progress.

    Attributes
    ----------
    classes_ : the classes, in the order of the columns of ``predict_proba``.
    history_ : losses, metrics, learning rate, gradient norm and seconds by epoch.
    parameters_ : name → array, axes as in the equations; once they predict, arrays are read-only: to change one, put
        another in its place.
    n_features_in_, feature_names_in_, n_iter_ (epochs), best_epoch_.
    """

    def __init__(
        self,
        network: Layer | None = None,
        loss: Loss | None = None,
        optimizer: Optimizer | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        regularizer: Regularizer | tuple[Regularizer, ...] | None = None,
        clipping: Clipping | None = None,
        ensemble: int | Ensemble | None = None,
        early_stopping: EarlyStopping | bool | None = None,
        validation_fraction: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        reading: ReadingRule | None = None,
        augmentation: Augmentation | tuple[Augmentation, ...] | None = None,
        callbacks: Any = None,
        backend: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.regularizer = regularizer
        self.clipping = clipping
        self.ensemble = ensemble
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.reading = reading
        self.augmentation = augmentation
        self.callbacks = callbacks
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch more, on these rows only, at a constant learning rate (the highest of the schedule).

        The first call decides how columns are scaled; ``classes`` names all classes there will be, if these rows do
        not have them all.
        """
        self._all_classes = None if classes is None else np.unique(read_labels(classes))
        try:
            with self._threads():
                return self._fit_more(X, y, sample_weight)
        finally:
            del self._all_classes

    def predict(self, X: Any) -> Array:
        """The most probable class of each row [b]; for several labels a row, [b, k] of 0 and 1."""
        scores = self._scores(X)
        if self.target_.several:  # type: ignore[union-attr]
            middle = 0.5 if _gives_probabilities(self) else 0.0
            return (scores > middle).astype(np.int64)
        return np.asarray(self.classes_[scores.argmax(axis=1)])

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:
        """The probability of each class [b, k], or of each label where a row may have several.

        With smoothed labels, the smoothing is taken back.  With a loss that is no likelihood (quadratic cost), the
        outputs are brought to non-negative values of sum 1.
        """
        scores = self._scores(X)
        loss = plain_loss(self.specification_.loss)
        if self.target_.several or (loss.task == "classes" and loss.prediction):  # type: ignore[union-attr]
            return scores
        return sum_to_one(scores)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of rows whose class (or whose labels, all of them) is predicted; None for ``y``: the labels that
        came with the rows, such as the names of folders.
        """
        if y is None:
            X = self._read_input(X, self._text_at(), reset=False)
            y = read_labels(self._labels(X))
        return float(super().score(X, y, sample_weight))

    def _scores(self, X: Any) -> Array:
        """A score for each class [b, k]; the highest is predicted."""
        return self._two_columns(self._predict(X))

    def _two_columns(self, prediction: Array) -> Array:
        if prediction.shape[1] == 1 and not self.target_.several:  # type: ignore[union-attr]
            other = 1 - prediction if _gives_probabilities(self) else -prediction
            return np.hstack([other, prediction])
        return prediction

    # --- targets ------------------------------------------------------------------------------------------------------

    def _read_target(self, y: Any) -> Array:
        return read_labels(y)

    def _fit_target(self, y: Array, weights: Array) -> Labels:
        given = getattr(self, "_all_classes", None)
        labels = fit_labels(y) if given is None or y.ndim == 2 else Labels(given)
        if labels.several and self.class_weight is not None:
            raise ChainruleError("class_weight is for one class a row; use sample_weight for several")
        self.classes_ = labels.classes
        return labels

    def _default_loss(self) -> Loss:
        several = self.target_.several  # type: ignore[union-attr]
        if mixup_of(as_augmentations(self.augmentation)) is not None and not several:
            return defaults.mixed_class_loss()
        return defaults.class_loss(several)

    def _units(self, loss: Loss) -> int | tuple[int, ...]:
        labels = self.target_
        assert isinstance(labels, Labels)
        if labels.several and "t" in loss.system.input_by_name:
            raise ChainruleError(f"{loss!r} is for one class a row; for several use BinaryCrossEntropy()")
        if loss.task == "binary" and labels.size == 2 and not labels.several:
            return 1
        units = loss.units(labels.size)
        if isinstance(units, tuple):
            raise ChainruleError(f"{loss!r} is for numbers, not for classes; use {self._default_loss()!r}")
        return units

    def _accepted(self, loss: Loss) -> set[tuple[int, ...]]:
        # Two classes may also have one output each.
        two = loss.task == "binary" and self._units(loss) == 1 and self.target_.size == 2
        return super()._accepted(loss) | ({(2,)} if two else set())

    def _described(self) -> str:
        return f"{self.target_.size} {'labels' if self.target_.several else 'classes'}"  # type: ignore[union-attr]

    def _learnt(self, y: Array, step: TrainingStep) -> Array:
        learnt = self.target_.encode(y)
        if "t" in step.sources or learnt.ndim == 2:
            return learnt
        if target_shape(step) == (1,):
            return learnt[:, None].astype(np.float32)
        return np.eye(self.target_.size, dtype=np.float32)[learnt]

    def _weigh(self, rows: Rows) -> Array:
        assert isinstance(self.target_, Labels)
        if self.class_weight is None:
            return rows.weights
        return class_weights(self.class_weight, self.target_, self.target_.encode(rows.y), rows.weights)

    def _strata(self, y: Array) -> Array | None:
        return None if y.ndim == 2 else self.target_.encode(y)

    def _metrics(self, names: tuple[str, ...], y: Array, prediction: Array) -> dict[str, float]:
        scores, several = self._two_columns(prediction), self.target_.several  # type: ignore[union-attr]
        return {
            name: class_score(name, y, scores, self.classes_, several) for name in dict.fromkeys(("accuracy", *names))
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


def sum_to_one(scores: Array) -> Array:
    """Scores [b, k] as probabilities: those below 0 count as 0, and a row without any above has all alike."""
    scores = np.maximum(scores, 0)
    total = np.add.reduce(scores, axis=1, keepdims=True)
    return np.where(total > 0, scores / np.where(total > 0, total, 1), 1 / scores.shape[1])
