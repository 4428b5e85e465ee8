"""Ready networks: functions that return the layers of a well-known architecture.  ``NETWORKS`` is their catalogue.

What they return is an ordinary ``Network``, which prints as its layers.  ``classes`` is how many outputs there are,
for each row or each position, and ``vocabulary`` how many symbols are read; estimators know both, so a network that
needs no more goes by its name alone: ``Classifier("lenet5")``.
"""

from collections.abc import Callable

from chainrule.layers import Network
from chainrule.networks.autoencoder import autoencoder, convolutional_autoencoder
from chainrule.networks.convnet import convnet
from chainrule.networks.gpt import gpt
from chainrule.networks.lenet import lenet5
from chainrule.networks.lstm import lstm_classifier
from chainrule.networks.mlp import mlp
from chainrule.networks.resnet import resnet
from chainrule.networks.seq2seq import seq2seq, transformer
from chainrule.networks.unet import unet

_ALL: tuple[Callable[..., Network], ...] = (
    mlp,
    lenet5,
    convnet,
    resnet,
    lstm_classifier,
    gpt,
    seq2seq,
    transformer,
    autoencoder,
    convolutional_autoencoder,
    unet,
)

NETWORKS: dict[str, Callable[..., Network]] = {function.__name__: function for function in _ALL}

__all__ = [
    "NETWORKS",
    "autoencoder",
    "convnet",
    "convolutional_autoencoder",
    "gpt",
    "lenet5",
    "lstm_classifier",
    "mlp",
    "resnet",
    "seq2seq",
    "transformer",
    "unet",
]
