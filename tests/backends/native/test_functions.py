"""The scalar functions in compiled code: every one of the catalogue, its stated error, its special values."""

import itertools

import numpy as np
import pytest
from benchmarks.ulp import CHUNK, REFERENCES, TYPES, compiled, doubles, floats, reference, ulps

from chainrule.backends.native.functions import ERRORS, IMPLEMENTATIONS, apply
from chainrule.backends.native.ir import Function, Module
from chainrule.equations.functions import COMPARISONS, CONSTANTS, FUNCTIONS

# The kernels write these themselves: integers have their own forms of them.
ELSEWHERE = {"+", "*", "//", "%", "where", *COMPARISONS, *CONSTANTS}
WIDTHS = (1, 4, 8, 16)
EVERY = [(name, element) for name in IMPLEMENTATIONS for element in TYPES]

# Overflow and underflow of exp, where branches of the methods meet, multiples of π/2, the first great argument of sin
PLACES = [
    *(88.72284, -87.33655, -103.97208, 709.782712893384, -708.3964185322641, -745.1332191019411),
    *(0.34657359, 0.5, 0.625, 0.7071067811865476, 0.9, 0.92, 1.0, 1.4142135623730951, 2.0, 3.95, 6.0, 25.0, 104.0),
    *(0.41421356237309503, np.pi / 4, np.pi / 2, np.pi, 355.0, 2.0**20, 2.0**24, 6381956970095103 * 2.0**797),
]


def special_values(element: str) -> np.ndarray:
    """Zeros, infinities, what is not a number, the limits of the format, and the places with their neighbours."""
    kind, limits = TYPES[element], np.finfo(TYPES[element])
    with np.errstate(over="ignore"):
        places = np.array([*PLACES, 0.0, limits.tiny, limits.max, limits.smallest_subnormal], kind)
        around = [places, np.nextafter(places, kind(np.inf)), np.nextafter(places, kind(-np.inf))]
    values = np.concatenate([*around, np.array([np.inf, np.nan], kind)])
    return np.concatenate([values, -values])


def padded(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values, np.ones(-len(values) % max(WIDTHS), values.dtype)])


def sample(name: str, element: str) -> tuple[np.ndarray, ...]:
    """Special values, for two arguments all pairs of them; every 8191st float or random doubles."""
    special, random = special_values(element), np.random.default_rng(1)
    if element == "float":
        many = np.concatenate([floats(index, 8191) for index in range(2**32 // 8191 // CHUNK + 1)])
    else:
        many = doubles(random, 2**16)
    if FUNCTIONS[name].arity == 1:
        return (padded(np.concatenate([special, many])),)
    x, y = (each.ravel() for each in np.meshgrid(special, special))
    many = random.permutation(many)[: 2**17]
    near = np.linspace(-60, 60, len(many), dtype=TYPES[element])
    return padded(np.concatenate([x, many, np.abs(near)])), padded(np.concatenate([y, np.roll(many, 1), near[::-1]]))


def test_every_function_of_the_catalogue_has_a_form() -> None:
    assert set(IMPLEMENTATIONS) == set(FUNCTIONS) - ELSEWHERE
    assert set(ERRORS) == set(IMPLEMENTATIONS) == set(REFERENCES)


@pytest.mark.parametrize(("name", "element"), EVERY)
def test_the_stated_error(name: str, element: str) -> None:
    given = sample(name, element)
    few = [each[: 16 * 4096] for each in given]
    exact, measure = reference(name, element, given)
    for fma in (True, False):
        got = compiled(name, element, 8, fma)(*given)
        errors = ulps(got, exact, measure)
        worst = errors.argmax()
        assert errors[worst] <= ERRORS[name][element], [each[worst] for each in given]
        for lanes in WIDTHS:
            np.testing.assert_array_equal(compiled(name, element, lanes, fma)(*few), got[: len(few[0])])


@pytest.mark.parametrize("element", TYPES)
@pytest.mark.parametrize("name", ["neg", "sqrt", "abs", "floor", "expm1", "log1p", "sin", "tanh", "erf"])
def test_the_sign_of_zero(name: str, element: str) -> None:
    x = np.array([0.0, -0.0, 0.0, -0.0], TYPES[element])
    np.testing.assert_array_equal(np.signbit(compiled(name, element, 4)(x)), np.signbit(REFERENCES[name](x)))


@pytest.mark.parametrize("element", TYPES)
def test_powers_of_special_values_have_the_signs_of_c99(element: str) -> None:
    values = np.array([0.0, 1, 2, 3, 2.5, 0.5, np.inf, 2.0**60], TYPES[element])
    x, y = (padded(each.ravel()) for each in np.meshgrid(*[np.concatenate([values, -values])] * 2))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    got = compiled("^", element, 8)(x, y)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(got), ~known)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(expected)[known])


def test_integers_have_a_sign_a_greatest_and_a_least() -> None:
    f = Function(Module(), "run", [("i64", "x"), ("i64", "y")], "i64", "dso_local")
    x, y = f.arguments
    results = [apply(f, "neg", x), apply(f, "max", x, y), apply(f, "min", x, y)]
    assert all(result.type == "i64" for result in results)


def test_code_is_self_contained() -> None:
    for name, element, lanes in itertools.product(IMPLEMENTATIONS, TYPES, WIDTHS):
        module = Module(fma=False)
        kind = element if lanes == 1 else f"<{lanes} x {element}>"
        f = Function(module, "run", [(kind, "x"), (kind, "y")], kind)
        f.ret(apply(f, name, *f.arguments[: FUNCTIONS[name].arity]))
        module.add(f)
        calls = [name for name in module.declarations if not name.startswith("llvm.")]
        libm = [
            name for name in module.declarations if name.startswith(("llvm.fma", "llvm.exp", "llvm.log", "llvm.sin"))
        ]
        assert not calls and not libm
