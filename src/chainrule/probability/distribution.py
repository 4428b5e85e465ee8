"""Distributions of what is predicted: one for each row [b], or for each target of each row [b,o].

Densities, masses, quantiles and random numbers are those of scipy.stats; what is here gives them one form, in the unit
of what is predicted, and mixes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import elementwise
from sklearn.utils import check_random_state

from chainrule.errors import ChainruleError

Array = NDArray[Any]


class Distribution(ABC):
    """One distribution at each place [b] or [b,o].  ``discrete``: of counts, so that ``log_prob`` is of a mass."""

    discrete: ClassVar[bool] = False

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes of the places."""

    @property
    @abstractmethod
    def mean(self) -> Array: ...

    @property
    @abstractmethod
    def variance(self) -> Array:
        """In the square of the unit."""

    @property
    def std(self) -> Array:
        """The standard deviation."""
        return np.sqrt(self.variance)

    @abstractmethod
    def log_prob(self, y: ArrayLike) -> Array:
        """The logarithm of the density (of the mass, of counts) at y, in nats.

        y: one number for all places, or the places as its last axes; ChainruleError for another shape.
        """

    @abstractmethod
    def cdf(self, y: ArrayLike) -> Array:
        """The probability of at most y, which is as for ``log_prob``."""

    @abstractmethod
    def quantile(self, q: float) -> Array:
        """The least value that is exceeded with a probability of at most 1 - q.

        Raises ChainruleError for a level ``q`` that is not between 0 and 1.
        """

    @abstractmethod
    def take(self, places: Array) -> Self:
        """Those at some of the places [p], by their numbers in the order of the axes."""

    @abstractmethod
    def sample(self, n: int, random_state: Any = None) -> Array:
        """``n`` values of each place, [n, …]; ``random_state`` as scikit-learn's."""

    @abstractmethod
    def affine(self, factor: Array, shift: Array) -> Self:
        """The distribution of ``factor``·y + ``shift``, factor > 0; both [] or [o]."""

    @property
    def median(self) -> Array:
        return self.quantile(0.5)

    def interval(self, level: float) -> tuple[Array, Array]:
        """Its lower and upper end, beyond each of which lies the probability (1 - level)/2.

        Raises ChainruleError for a level that is not between 0 and 1.
        """
        low, high = ends(level)
        return self.quantile(low), self.quantile(high)


def at_places(y: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Values at places of this shape, […, *shape]; one number is for all.  Raises ChainruleError for other shapes."""
    values = np.asarray(y)
    if values.ndim and values.shape[values.ndim - len(shape) :] != shape:
        raise ChainruleError(
            f"y has shape {values.shape} and the distributions {shape}; these must be the last axes of y"
        )
    return values


def check_level(level: Any) -> float:
    """A probability between 0 and 1, both excluded, or ChainruleError."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < float(level) < 1:
        raise ChainruleError(f"a level is a number between 0 and 1, such as 0.9, not {level!r}")
    # 0.9 also where it was written in fewer digits, as a float32
    return float(str(level)) if isinstance(level, np.floating) else float(level)


def ends(level: float) -> tuple[float, float]:
    """The levels of the two ends of an interval; of 0.9, 0.05 and not the 0.04999… that rounding makes of it."""
    exact = Fraction(str(check_level(level)))
    return float((1 - exact) / 2), min(float((1 + exact) / 2), float(np.nextafter(1, 0)))


def known_ends(level: float, known: tuple[float, ...]) -> tuple[float, float]:
    """``ends``, which must lie within the rising levels of quantiles that are ``known``; else ChainruleError."""
    low, high = ends(level)
    if low < known[0] or high > known[-1]:
        raise ChainruleError(
            f"an interval of level {level:g} ends at the quantiles {low:g} and {high:g}, and those that are learnt go "
            f"from {known[0]:g} to {known[-1]:g}; learn others: Quantiles(levels=…)"
        )
    return low, high


@dataclass(frozen=True, eq=False)
class _Family(Distribution):
    """A family of scipy.stats; the fields are arrays of its parameters, of one shape."""

    law: ClassVar[Any]  # the family of scipy.stats; a frozen one of it would take longer to make than to ask

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self)]
        arrays = np.broadcast_arrays(*(np.asarray(getattr(self, name), dtype=np.float64) for name in names))
        for name, array in zip(names, arrays, strict=True):
            object.__setattr__(self, name, array)

    @property
    @abstractmethod
    def arguments(self) -> tuple[Array, ...]:
        """What the family is asked with."""

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(getattr(self, fields(self)[0].name))

    @property
    def mean(self) -> Array:
        return np.asarray(self.law.mean(*self.arguments))

    @property
    def variance(self) -> Array:
        return np.asarray(self.law.var(*self.arguments))

    def log_prob(self, y: ArrayLike) -> Array:
        return np.asarray(
            (self.law.logpmf if self.discrete else self.law.logpdf)(at_places(y, self.shape), *self.arguments)
        )

    def cdf(self, y: ArrayLike) -> Array:
        return np.asarray(self.law.cdf(at_places(y, self.shape), *self.arguments))

    def quantile(self, q: float) -> Array:
        return np.asarray(self.law.ppf(check_level(q), *self.arguments))

    def take(self, places: Array) -> Self:
        return replace(self, **{field.name: np.ravel(getattr(self, field.name))[places] for field in fields(self)})

    def sample(self, n: int, random_state: Any = None) -> Array:
        return np.asarray(
            self.law.rvs(*self.arguments, size=(n, *self.shape), random_state=check_random_state(random_state))
        )


@dataclass(frozen=True, eq=False)
class _LocationScale(_Family):
    """A family that stays itself when the unit changes."""

    location: Array
    scale: Array

    @property
    def arguments(self) -> tuple[Array, ...]:
        return self.location, self.scale

    def affine(self, factor: Array, shift: Array) -> Self:
        return replace(self, location=self.location * factor + shift, scale=self.scale * factor)


class Normal(_LocationScale):
    """Normal distributions of mean ``location`` and standard deviation ``scale``."""

    law = stats.norm


class Laplace(_LocationScale):
    """Laplace distributions of median ``location``; ``scale`` is the mean distance from it."""

    law = stats.laplace


@dataclass(frozen=True, eq=False)
class StudentT(_LocationScale):
    """Student's t of so many ``degrees`` of freedom."""

    law = stats.t

    degrees: Array

    @property
    def arguments(self) -> tuple[Array, ...]:
        return self.degrees, self.location, self.scale


class _Counts(_Family):
    discrete = True

    def affine(self, factor: Array, shift: Array) -> Self:
        raise ChainruleError(f"a {type(self).__name__} distribution is of counts, which have no other unit")


@dataclass(frozen=True, eq=False)
class Poisson(_Counts):
    """Counts of mean and variance ``rate``."""

    law = stats.poisson

    rate: Array

    @property
    def arguments(self) -> tuple[Array, ...]:
        return (self.rate,)


LEAST_EXCESS = 1e-8  # of variance over mean, of counts: 1/(1 + excess) would lose the digits of a smaller one


@dataclass(frozen=True, eq=False)
class NegativeBinomial(_Counts):
    """Counts of mean ``rate``, whose variance is rate + ``dispersion``·rate²; without dispersion, Poisson's."""

    law = stats.nbinom

    rate: Array
    dispersion: Array

    @property
    def arguments(self) -> tuple[Array, ...]:
        excess = np.maximum(self.rate * self.dispersion, LEAST_EXCESS)
        return np.maximum(self.rate, np.finfo(np.float64).tiny) / excess, 1 / (1 + excess)

    def log_prob(self, y: ArrayLike) -> Array:
        # scipy's logarithm of the mass is a difference of log-gamma functions, which are enormous where the dispersion
        # is small; the mass itself keeps its digits until it is too small for a number.
        mass = np.asarray(self.law.pmf(at_places(y, self.shape), *self.arguments))
        normal = mass >= np.finfo(np.float64).tiny
        return np.where(normal, np.log(np.where(normal, mass, 1)), super().log_prob(y))


@dataclass(frozen=True, eq=False)
class Mixture(Distribution):
    """One of the ``components`` [m], each with the probability ``weights``, [m] or [m, …].

    The members of an ensemble, or of a mixture density.  Raises ChainruleError where shapes or weights do not fit.
    """

    components: tuple[Distribution, ...]
    weights: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", tuple(self.components))
        shapes = {component.shape for component in self.components}
        if len(shapes) != 1:
            raise ChainruleError("a mixture is of one or more distributions, all of one shape")
        weights = np.asarray(self.weights, dtype=np.float64)
        (shape,) = shapes
        weights = weights.reshape(*weights.shape, *(1,) * (1 + len(shape) - weights.ndim))
        if len(weights) != len(self.components) or not np.allclose(weights.sum(axis=0), 1) or (weights < 0).any():
            raise ChainruleError("a mixture wants a weight of at least 0 for each component, with the sum 1")
        object.__setattr__(self, "weights", np.broadcast_to(weights, (len(weights), *shape)))

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self.components[0].discrete

    @property
    def shape(self) -> tuple[int, ...]:
        return self.components[0].shape

    @property
    def mean(self) -> Array:
        return self._averaged(lambda one: one.mean)

    @property
    def aleatoric_variance(self) -> Array:
        """The mean of the components' variances: the noise that remains, whichever of them is right."""
        return self._averaged(lambda one: one.variance)

    @property
    def epistemic_variance(self) -> Array:
        """The variance of the components' means: how much they disagree."""
        middle = self.mean
        return self._averaged(lambda one: (one.mean - middle) ** 2)

    @property
    def variance(self) -> Array:
        """By the law of total variance, the sum of the aleatoric and the epistemic."""
        return self.aleatoric_variance + self.epistemic_variance

    def log_prob(self, y: ArrayLike) -> Array:
        each = np.stack([component.log_prob(y) for component in self.components])
        more = each.ndim - self.weights.ndim  # y may have axes in front of the places
        weights = self.weights.reshape(len(self.weights), *(1,) * more, *self.shape)
        return np.asarray(special.logsumexp(each, b=weights, axis=0))

    def cdf(self, y: ArrayLike) -> Array:
        return self._averaged(lambda one: one.cdf(y))

    def quantile(self, q: float) -> Array:
        check_level(q)
        each = np.stack([component.quantile(q) for component in self.components])
        bracket = each.min(axis=0), each.max(axis=0)
        return self._count(q, *bracket) if self.discrete else self._root(q, *bracket)

    def take(self, places: Array) -> Self:
        weights = self.weights.reshape(len(self.weights), -1)[:, places]
        return replace(self, components=tuple(one.take(places) for one in self.components), weights=weights)

    def sample(self, n: int, random_state: Any = None) -> Array:
        generator = check_random_state(random_state)
        chosen = generator.random_sample((n, *self.shape))
        drawn = np.zeros((n, *self.shape))
        below = np.zeros(self.shape)
        for component, weight in zip(self.components, self.weights, strict=True):
            this = (below <= chosen) & (chosen < below + weight)
            below = below + weight
            drawn = np.where(this, component.sample(n, generator), drawn)
        return drawn

    def affine(self, factor: Array, shift: Array) -> Self:
        return replace(self, components=tuple(component.affine(factor, shift) for component in self.components))

    def parts(self) -> Mixture:
        """The same as a mixture of what is no mixture itself."""
        components: list[Distribution] = []
        weights: list[Array] = []
        for component, weight in zip(self.components, self.weights, strict=True):
            within = component.parts() if isinstance(component, Mixture) else equal_mixture([component])
            components += within.components
            weights += list(within.weights * weight)
        return Mixture(tuple(components), np.stack(weights))

    def _averaged(self, of: Callable[[Distribution], Array]) -> Array:
        """Σ_m w[m] f(component m)."""
        terms = [weight * of(one) for one, weight in zip(self.components, self.weights, strict=True)]
        return np.asarray(np.sum(terms, axis=0))

    def _root(self, q: float, low: Array, high: Array) -> Array:
        """Where the distribution function is q: the mixture's quantile lies between those of its components."""
        low, high = low.ravel(), high.ravel()
        everywhere = np.arange(low.size)
        reached = np.ravel(self.cdf(low.reshape(self.shape))) >= q
        # Where components agree, both ends are the quantile but for rounding, and F − q need not differ in sign.
        found = np.where(reached, low, high)
        between = everywhere[~reached & (np.ravel(self.cdf(high.reshape(self.shape))) > q)]

        def excess(y: Array, place: Array) -> Array:
            return self.take(place.astype(np.int64)).cdf(y) - q

        if len(between):
            root = elementwise.find_root(excess, (low[between], high[between]), args=(between,))
            if not root.success.all():
                row = int(between[~root.success][0]) + 1
                raise ChainruleError(f"the quantile of level {q:g} of a mixture was not found, at place {row}")
            found[between] = root.x
        return found.reshape(self.shape)

    def _count(self, q: float, low: Array, high: Array) -> Array:
        """The least count of which the distribution function is at least q, by halving what is between the ends."""
        while (low < high).any():
            middle = np.floor((low + high) / 2)
            enough = self.cdf(middle) >= q
            low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
        return np.asarray(low)


@dataclass(frozen=True, eq=False)
class KnownQuantiles:
    """Quantiles of rising ``levels`` [q], ``values`` […, q]; nothing is known of a density, or beyond the levels."""

    levels: tuple[float, ...]
    values: Array

    def quantile(self, q: float) -> Array:
        """The quantile of a level, on a line between those beside it.

        Raises ChainruleError for a level below the lowest or above the highest.
        """
        check_level(q)
        if not self.levels[0] <= q <= self.levels[-1]:
            raise ChainruleError(
                f"level {q:g} lies beyond the quantiles that were learnt, {self.levels[0]:g} to {self.levels[-1]:g}; "
                f"learn others: Quantiles(levels=…)"
            )
        weights = [np.interp(q, self.levels, unit) for unit in np.eye(len(self.levels))]
        return np.asarray(self.values @ np.array(weights))

    def interval(self, level: float) -> tuple[Array, Array]:
        """Its lower and upper end, beyond each of which lies the probability (1 - level)/2.

        Raises ChainruleError for a level whose ends are below the lowest or above the highest.
        """
        low, high = known_ends(level, self.levels)
        return self.quantile(low), self.quantile(high)

    def affine(self, factor: Array, shift: Array) -> KnownQuantiles:
        """The quantiles of ``factor``·y + ``shift``, factor > 0; both [] or [o]."""
        return replace(self, values=self.values * np.expand_dims(factor, -1) + np.expand_dims(shift, -1))


def normal_mixture(weights: Array, means: Array, deviations: Array) -> Mixture:
    """Mixtures of normal distributions, all [..., k]."""
    means, deviations, weights = (np.moveaxis(value, -1, 0) for value in (means, deviations, weights))
    return Mixture(tuple(map(Normal, means, deviations)), weights)


def equal_mixture(components: Sequence[Distribution]) -> Mixture:
    """The mixture of distributions that count the same: the members of an ensemble."""
    return Mixture(tuple(components), np.full(len(components), 1 / len(components)))


# What ``Loss.distribution`` names, made of the arrays that ``Loss.parameters`` lists.
FAMILIES: Mapping[str, Callable[..., Distribution]] = {
    "Normal": Normal,
    "Laplace": Laplace,
    "StudentT": lambda degrees, location, scale: StudentT(location, scale, degrees),
    "Poisson": Poisson,
    "NegativeBinomial": NegativeBinomial,
    "NormalMixture": normal_mixture,
}
