"""Random numbers in compiled code are those of equations/philox.py."""

import ctypes
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.backends.native import random
from chainrule.backends.native.ir import Function, Module, integer, vector
from chainrule.backends.native.jit import library
from chainrule.backends.native.target import host
from chainrule.equations.philox import philox, random_values

TYPES = {"float": np.float32, "double": np.float64}
WRITERS = {"uniform": random.random_uniform, "normal": random.random_normal}

# counter, key, result: the known-answer tests of the authors' Random123 library
KNOWN = [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0], "d16cfe09 94fdcceb 5001e420 24126ea1"),
]

# first, count, seed, step
PLACES = [
    (0, 1000, 0, 0),
    (1, 1, 5, 1),
    (3, 2, 5, 2**40 + 7),
    (37, 1001, 2**40 + 3, 2**32 - 1),
    (4, 32, 7, 2**62),
    (5, 31, 8, 9),
    (0, 3, 1, 1),
    (128, 0, 1, 1),
    (2999, 77, 2**63 - 1, 12),
]


def generator(distribution: str, element: str, lanes: int, fma: bool = True) -> Callable[..., np.ndarray]:
    """``values(first, count, seed, name, step)``; one element before and after them must stay as it is."""
    module = Module(fma)
    name = WRITERS[distribution](module, element, lanes)
    loaded = library(module.text, host())
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 5)(loaded.address(name))

    def values(first: int, count: int, seed: int, name: str, step: int, library: object = loaded) -> np.ndarray:
        out = np.full(count + 2, 7, TYPES[element])
        call(out.ctypes.data + out.itemsize, first, count, seed, zlib.crc32(name.encode()), step)
        assert out[0] == out[-1] == 7
        return out[1:-1]

    return values


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_known_answers(lanes: int) -> None:
    kind = vector("i64", lanes)
    f = Function(Module(), "rounds", [("ptr", "words"), ("ptr", "key")], linkage="dso_local")
    words, key = f.arguments
    left, right = (f.load("i64", f.pointer(key, "i64", integer(n))) for n in range(2))
    counter = [f.load(kind, f.pointer(words, kind, integer(n))) for n in range(4)]
    for n, word in enumerate(random.philox(f, counter, random.round_keys(f, (left, right), lanes))):
        f.store(word, f.pointer(words, kind, integer(n)))
    f.ret()
    f.module.add(f)
    loaded = library(f.module.text, host())
    call: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(loaded.address("rounds"))
    for counters, keys, result in KNOWN:
        block, given = np.repeat(np.array(counters), lanes), np.array(keys)
        call(block.ctypes.data, given.ctypes.data)
        np.testing.assert_array_equal(block, np.repeat([int(word, 16) for word in result.split()], lanes))


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("element", TYPES)
def test_uniform_numbers_are_the_same_bit_for_bit(element: str, lanes: int) -> None:
    values = generator("uniform", element, lanes)
    for first, count, seed, step in PLACES:
        expected = random_values("uniform", seed, step, "mask", (first + count,))[first:]
        got = values(first, count, seed, "mask", step)
        np.testing.assert_array_equal(got, expected.astype(TYPES[element]))


@pytest.mark.parametrize("fma", [True, False])
@pytest.mark.parametrize("lanes", [1, 4, 8, 16])
@pytest.mark.parametrize("element", TYPES)
def test_normal_numbers_are_the_same_to_rounding(element: str, lanes: int, fma: bool) -> None:
    values, epsilon = generator("normal", element, lanes, fma), float(np.finfo(TYPES[element]).eps)
    for first, count, seed, step in PLACES:
        expected = random_values("normal", seed, step, "noise", (first + count,))[first:]
        got = values(first, count, seed, "noise", step)
        # The reference has an error of its own: its angle, up to 2π, is rounded before its cosine is taken.
        np.testing.assert_allclose(got, expected, rtol=4 * epsilon, atol=12 * epsilon)


def test_parts_of_a_tensor_are_those_of_the_whole() -> None:
    values = generator("normal", "float", 8)
    whole = values(0, 500, 3, "z", 4)
    parts = [values(first, min(37, 500 - first), 3, "z", 4) for first in range(0, 500, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_elements_of_a_large_tensor() -> None:
    values = generator("uniform", "double", 4)
    first = 2**33 + 5
    blocks = np.arange(first // 4, first // 4 + 3, dtype=np.uint64)
    words = philox(np.stack([blocks, *np.zeros((3, 3), np.uint64)]), (1, zlib.crc32(b"u")))
    expected = (words >> np.uint64(8)).T.ravel()[first % 4 :][:7] * 2.0**-24
    np.testing.assert_array_equal(values(first, 7, 1, "u", 0), expected)
