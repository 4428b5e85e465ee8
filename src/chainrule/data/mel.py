"""What is heard in a sound: its energies in bands of the mel scale, frame by frame, and their cepstrum.

Davis and Mermelstein, Comparison of Parametric Representations for Monosyllabic Word Recognition (1980), with the mel
scale of O'Shaughnessy (1987), as in HTK.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError

Array = NDArray[Any]

FLOOR = 1e-10  # the energy of silence
FRAMES_AT_ONCE = 4096


def mel(hertz: Any) -> Any:
    """The mel scale: 1000 Hz is 1000 mel, and equal distances are heard as equal (O'Shaughnessy 1987, p. 150)."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def hertz(mel: Any) -> Any:
    """The inverse of ``mel``."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


@lru_cache(maxsize=16)
def filterbank(bands: int, points: int, rate: int, low: float, high: float) -> Array:
    """The weight of each frequency in each band [frequency, c]: triangles of height 1, each from the top of the one
    before to that of the one behind; the tops are equally far apart in mel.

    ``points``: of the Fourier transform; the frequencies are 0, rate/points, …, rate/2.  Raises ChainruleError for a
    band between two frequencies, which would hear nothing.
    """
    corners = hertz(np.linspace(mel(low), mel(high), bands + 2))
    frequencies = np.arange(points // 2 + 1)[:, None] * rate / points
    rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    if not weights.any(axis=0).all():
        raise ChainruleError(
            f"{bands} bands are too many for frames of {points} points at {rate:,} Hz: band "
            f"{int(np.argmin(weights.any(axis=0))) + 1} lies between two frequencies; take fewer bands or longer frames"
        )
    return np.asarray(weights)


def log_mel(wave: Array, rate: int, frame: float, hop: float, bands: int, low: float, high: float) -> Array:
    """The logarithm of the energies of a sound in bands of the mel scale, [t, c].

    ``wave`` [n], from -1 to 1; ``frame`` and ``hop`` in seconds, ``low`` and ``high`` in Hz.  Frame t is the samples
    from t·hop on, under a Hann window, filled up with zeros to a power of 2.  The wave is at least one frame long.
    """
    length, step = round(frame * rate), round(hop * rate)
    points = 1 << (length - 1).bit_length()
    weights = filterbank(bands, points, rate, low, high)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    frames = np.lib.stride_tricks.sliding_window_view(wave, length)[::step]
    parts = []
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(frames[start : start + FRAMES_AT_ONCE] * window, points)
        power = (spectrum.real**2 + spectrum.imag**2) / points
        parts.append(np.log(np.maximum(power @ weights, FLOOR)))
    return np.concatenate(parts)


@lru_cache(maxsize=16)
def cosines(bands: int, count: int) -> Array:
    """The first ``count`` rows of the orthonormal discrete cosine transform (DCT-II) as [c, k]."""
    k = np.arange(count)
    basis = np.cos(np.pi * (np.arange(bands)[:, None] + 0.5) * k / bands) * np.sqrt(2 / bands)
    basis[:, 0] /= np.sqrt(2)
    return np.asarray(basis)
