"""chainrule: a network is a system of equations; its gradients are derived from them, shown, and compiled.

Public names are resolved when they are first used, so that ``import chainrule`` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# module → the public names that it provides
_PUBLIC = {
    "chainrule.errors": ("ChainruleError", "EquationError"),
    "chainrule.equations.parse": ("parse", "parse_file"),
    "chainrule.equations.system": ("System", "Input"),
    "chainrule.equations.evaluate": ("evaluate",),
    "chainrule.notation.derivation": ("derive", "Derivation"),
    "chainrule.calculus.differences": ("check_gradients", "sample_values", "GradientCheck"),
    "chainrule.calculus.second": ("hessian_vector_product", "jacobian_vector_product", "gauss_newton_product"),
    "chainrule.layers": (
        "Identity", "Sigmoid", "HardSigmoid", "Tanh", "ReLU", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU",
        "TanhGELU", "SiLU", "Mish", "Softplus", "Softsign", "Softmax", "LogSoftmax", "Linear", "Dense", "Dropout",
        "DropoutPrediction", "Equations", "Custom", "Network", "Residual", "Sum", "Branch", "Siamese", "SpatialDropout",
        "GaussianNoise", "NoisePrediction", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D",
        "ConvTranspose1D", "ConvTranspose2D", "ConvTranspose3D", "MaxPool1D", "MaxPool2D", "MaxPool3D", "AvgPool1D",
        "AvgPool2D", "AvgPool3D", "GlobalMaxPool", "GlobalAvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool", "BatchNorm",
        "BatchNormPrediction", "LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "UpSample1D", "UpSample2D",
        "BilinearUpSample2D", "Flatten", "Reshape", "PositionwiseDense", "Embedding", "Unembedding",
        "LearnedPositions", "SinusoidalPositions", "RotaryPositions", "RNN", "LSTM", "GRU", "Backward",
        "Bidirectional", "RecurrentDropout", "Attention", "MultiHeadAttention", "CrossAttention", "FeedForward",
        "TransformerBlock", "PostNormTransformerBlock", "DecoderBlock", "EncoderDecoder", "Shared", "Scale",
        "ScaleShift", "ChannelScale", "ChannelScaleShift",
    ),
    "chainrule.networks": (
        "NETWORKS", "mlp", "lenet5", "convnet", "resnet", "lstm_classifier", "gpt", "seq2seq", "transformer",
        "autoencoder", "convolutional_autoencoder", "unet",
    ),
    "chainrule.losses": (
        "SampleWeighted", "ClassWeighted", "CrossEntropy", "SmoothedCrossEntropy", "SoftCrossEntropy",
        "BinaryCrossEntropy", "CrossEntropyCost", "Hinge", "MulticlassHinge", "Poisson", "Gaussian", "Laplace",
        "QuadraticCost", "SquaredError", "AbsoluteError", "Huber", "Quantile", "CTC", "SequenceCrossEntropy",
        "MaskedCrossEntropy", "Contrastive", "Triplet", "NTXent", "Focal", "BinaryFocal", "Dice", "MulticlassDice",
        "StudentT", "FixedStudentT", "NegativeBinomial", "MixtureDensity", "Quantiles", "Ordinal",
    ),
    "chainrule.optimizers": (
        "ConstantRate", "StepDecay", "ExponentialDecay", "CosineDecay", "CosineCycles", "OneCycle", "WarmUp", "Held",
        "Adagrad", "RMSprop", "Adam", "AdamW", "AMSGrad", "NAdam", "Lion", "GradientDescent", "SGD", "Momentum",
        "Nesterov", "ClipValue", "ClipNorm", "ClipGlobalNorm",
    ),
    "chainrule.initializers": (
        "Zeros", "Constant", "RandomSigns", "Normal", "Uniform", "GlorotUniform", "GlorotNormal", "HeUniform",
        "HeNormal", "LeCunUniform", "LeCunNormal", "Orthogonal", "ForgetGateOnes",
    ),
    "chainrule.regularizers": ("L2", "L1", "ElasticNet", "PerExample"),
    "chainrule.training.callbacks": ("Callback", "EarlyStopping", "Run"),
    "chainrule.training.checkpoint": ("Checkpoint",),
    "chainrule.training.history": ("History",),
    "chainrule.training.members": ("BatchEnsemble", "TabM"),
    "chainrule.training.snapshots": ("Snapshots",),
    "chainrule.training.averaging": ("SWA", "SWAG"),
    "chainrule.data.files": ("read_table", "split_target"),
    "chainrule.data.images": ("read_images",),
    "chainrule.data.text": ("Words", "Characters", "BytePairs"),
    "chainrule.data.audio": ("LogMel", "MFCC"),
    "chainrule.data.recordings": ("recordings", "waves"),
    "chainrule.data.series": ("Channels", "windows"),
    "chainrule.data.augment": (
        "Flip", "Shift", "Rotate", "Zoom", "Crop", "Colour", "Noise", "Cutout", "Mixup",
    ),
    "chainrule.estimators": ("Classifier", "Regressor", "LanguageModel"),
    "chainrule.probability.calibration": ("TemperatureScaling", "VectorScaling", "IsotonicCalibration"),
    "chainrule.probability.conformal": ("ConformalClassifier", "ConformalRegressor"),
    "chainrule.probability.cross_conformal": ("CrossConformalClassifier", "CrossConformalRegressor"),
    "chainrule.probability.spread": ("SpreadScaling",),
    "chainrule.estimators.saving": ("load",),
    "chainrule.probability.laplace_values": ("LaplaceRegressor",),
    "chainrule.probability.laplace_classes": ("LaplaceClassifier",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
