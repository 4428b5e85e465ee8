"""The few functions that generated code calls.  A file that stands on its own contains the text of those it uses."""

from __future__ import annotations

import numpy as np


def windows(x, dimension, start, *runs):  # type: ignore[no-untyped-def]
    """x with one dimension replaced by one for each run (step, length): entry (i, j) is x[start + step·i + step·j].

    Zero outside x.  The result is a view, of x or of a copy of x with zeros around it.
    """
    first = start + sum(min(step * (length - 1), 0) for step, length in runs)
    last = start + sum(max(step * (length - 1), 0) for step, length in runs)
    size = x.shape[dimension]
    before, after = max(-first, 0), max(last + 1 - size, 0)
    if before or after:
        low, high = max(first, 0), min(last + 1, size)
        shape = (*x.shape[:dimension], last + 1 - first, *x.shape[dimension + 1 :])
        padded = np.zeros(shape, x.dtype)
        if low < high:
            inside, source = slice(low - first, high - first), slice(low, high)
            padded[(slice(None),) * dimension + (inside,)] = x[(slice(None),) * dimension + (source,)]
        x, start = padded, start - first
    stride = x.strides[dimension]
    x = x[(slice(None),) * dimension + (slice(start, None),)]
    shape = (*x.shape[:dimension], *(length for _, length in runs), *x.shape[dimension + 1 :])
    strides = (*x.strides[:dimension], *(stride * step for step, _ in runs), *x.strides[dimension + 1 :])
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)


def add_windows(y, size, start, *steps):  # type: ignore[no-untyped-def]
    """The reverse of ``windows``, for the last two dimensions of y: entry (i, j) is added at start + step·i + step·j.

    The two dimensions become one of the given size; what falls outside it is dropped.
    """
    if y.shape[-1] > y.shape[-2]:  # go through the shorter of the two, position by position
        y, steps = y.swapaxes(-1, -2), steps[::-1]
    long, short = steps
    count = y.shape[-2]
    corners = [start + long * i + short * j for i in (0, count - 1) for j in (0, y.shape[-1] - 1)]
    low, high = min(0, *corners), max(size, max(corners) + 1)
    total = np.zeros((*y.shape[:-2], high - low), y.dtype)
    for j in range(y.shape[-1]):
        first = start + short * j - low
        places = first + long * np.arange(count) if long <= 0 else slice(first, first + long * (count - 1) + 1, long)
        total[..., places] += y[..., j]
    return total[..., -low : size - low]


def gather(x, *index):  # type: ignore[no-untyped-def]
    """x[index], zero where a position is outside x; slices in the index stay as they are."""
    arrays = [place for place in index if not isinstance(place, slice)]
    sizes = [size for size, place in zip(x.shape, index) if not isinstance(place, slice)]  # noqa: B905
    inside = np.ones(np.broadcast_shapes(*(np.shape(place) for place in arrays)), bool)
    for place, size in zip(arrays, sizes):  # noqa: B905
        inside &= (place >= 0) & (place < size)
    clipped = [
        place if isinstance(place, slice) else np.clip(place, 0, size - 1)
        for size, place in zip(x.shape, index)  # noqa: B905
    ]
    found = x[tuple(clipped)]
    where = [n for n, place in enumerate(index) if not isinstance(place, slice)]
    together = where == list(range(where[0], where[-1] + 1))
    after = sum(isinstance(place, slice) for place in (index[where[-1] :] if together else index))
    return np.where(inside.reshape(inside.shape + (1,) * after), found, found.dtype.type(0))


def logsumexp(x, axis):  # type: ignore[no-untyped-def]
    """log Σ exp(x) along axes, safe from overflow."""
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, top.dtype.type(0))
    return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


def erf(x):  # type: ignore[no-untyped-def]
    """The error function: W. J. Cody, "Rational Chebyshev approximation for the error function" (1969).

    Relative error below 6e-16 in double precision.
    """
    x = np.asarray(x) * 1.0
    z = np.abs(x).astype(np.float64)
    s = np.minimum(z, 0.46875) ** 2
    p = 1.85777706184603153e-1
    for c in (3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3):
        p = p * s + c
    q = 1.0
    for c in (2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3):
        q = q * s + c
    near = np.minimum(z, 0.46875) * p / q
    m = np.clip(z, 0.46875, 6)  # from 6 on, erf is 1 in double precision
    p = 2.15311535474403846e-8
    for c in (5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
              8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3):  # fmt: skip
        p = p * m + c
    q = 1.0
    for c in (1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
              3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3):  # fmt: skip
        q = q * m + c
    far = 1 - np.exp(-m * m) * p / q
    return (np.sign(x) * np.where(z <= 0.46875, near, far)).astype(x.dtype)
