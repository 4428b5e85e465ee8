"""LeNet-5."""

from __future__ import annotations

from chainrule.definition import check_count
from chainrule.layers import Conv2D, Dense, MaxPool2D, Network, ReLU


def lenet5(classes: int) -> Network:
    """LeNet-5 as it is used today, from images of 28×28, ``x[b,h,w]`` or ``x[b,h,w,c]``, to logits ``z[b,k]``.

    Two convolutions with windows of 5×5 and pooling, then dense layers of 120 and 84: the sizes of the paper, with
    rectifiers, the maximum as pooling, and every map of the second convolution reading all of the first.  The images
    are padded by 2, to the 32×32 of the paper; 61,706 parameters with one channel and ten classes.
    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998), §II.B.
    """
    check_count("lenet5", "classes", classes)
    return Network(
        *(Conv2D(6, 5, padding=2), ReLU(), MaxPool2D(2)),
        *(Conv2D(16, 5), ReLU(), MaxPool2D(2)),
        *(Dense(120), ReLU()),
        *(Dense(84), ReLU()),
        Dense(classes),
    )
