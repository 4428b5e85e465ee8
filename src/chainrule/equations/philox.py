"""Randomness as an input: a number is a function of (seed, step, tensor name, element), the same on every backend.

Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from __future__ import annotations

import zlib
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Ten rounds on counters of four 32-bit words: an array [4, n] of uint64 to one of the same shape."""
    a, b, c, d = (word & _LOW for word in counter)
    for turn in range(10):
        left, right = ((key[i] + turn * _WEYL[i]) & 0xFFFFFFFF for i in range(2))
        product, other = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b, c, d = (
            (other >> _HALF) ^ b ^ np.uint64(left),
            other & _LOW,
            (product >> _HALF) ^ d ^ np.uint64(right),
            product & _LOW,
        )
    return np.stack([a, b, c, d])


def random_values(distribution: str, seed: int, step: int, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of a random tensor: uniform on [0, 1) with 24 bits, or standard normal (Box and Muller 1958).

    Element n is word n % 4 of block n // 4; the counter is (block, step, high word of step, 0), the key
    (seed, CRC-32 of the name).
    """
    count = prod(shape)
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    counter = np.stack([blocks, *(np.full_like(blocks, word) for word in (step & 0xFFFFFFFF, step >> 32, 0))])
    words = philox(counter, (seed & 0xFFFFFFFF, zlib.crc32(name.encode())))
    uniform = (words >> np.uint64(8)).astype(np.float64) * 2.0**-24
    if distribution == "normal":
        radius = np.sqrt(-2 * np.log(1 - uniform[::2]))
        angle = 2 * np.pi * uniform[1::2]
        uniform = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(4, -1)
    return uniform.T.reshape(-1)[:count].reshape(shape)
