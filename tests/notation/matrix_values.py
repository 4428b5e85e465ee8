"""The value of a matrix form, by NumPy's matrix product: what the tests of recognition compare with the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.equations.evaluate import numpy_function
from chainrule.equations.node import Access, Apply, Index, Number
from chainrule.notation.matrix_forms import (
    Bracket,
    Correlation,
    Diagonal,
    Flipped,
    Form,
    Hadamard,
    Identity,
    Mapped,
    MatrixEquation,
    Negative,
    Norm,
    Ones,
    OnesWindow,
    Product,
    Scalar,
    Scaled,
    Softmax,
    Spread,
    Sum,
    SumOver,
    Transposed,
    Whole,
    subforms,
)

Arrays = Mapping[str, np.ndarray]


def values_of(equation: MatrixEquation, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[Any, Any]]:
    """Pairs (left, right) of matrices, one for each value of the fixed axes."""
    windows = any(isinstance(part, Correlation) for part in subforms(equation.right))
    for values in itertools.product(*(range(sizes[axis]) for axis in equation.fixed)):
        reader = (Windows if windows else Reader)(arrays, sizes, dict(zip(equation.fixed, values, strict=True)))
        yield reader.value(equation.left), reader.value(equation.right)


class Reader:
    def __init__(self, arrays: Arrays, sizes: Mapping[str, int], at: dict[str, int]) -> None:
        self.arrays, self.sizes, self.at = arrays, sizes, at

    def value(self, form: Form) -> Any:
        match form:
            case Whole():
                return self.whole(form)
            case Scalar(expression):
                return self.scalar(expression)
            case Ones(axis, transposed):
                return np.ones((1, self.sizes[axis]) if transposed else (self.sizes[axis], 1))
            case Identity(axis):
                return np.eye(self.sizes[axis])
            case Diagonal(column):
                return np.diag(self.value(column)[:, 0])
            case Transposed(inner):
                return self.value(inner).T
            case Product(factors):
                total = self.value(factors[0])
                for factor in factors[1:]:
                    total = total @ self.value(factor)
                return total
            case Hadamard(factors):
                total = self.value(factors[0])
                for factor in factors[1:]:
                    right = self.value(factor)
                    assert right.shape == total.shape
                    total = total * right
                return total
            case Scaled(scalar, inner):
                return self.scalar(scalar) * self.value(inner)
            case Sum(terms):
                values = [self.value(term) for term in terms]
                assert len({v.shape for v in values if np.ndim(v)}) <= 1
                return sum(values[1:], values[0])
            case Negative(inner):
                return -self.value(inner)
            case Mapped(function, arguments):
                return numpy_function(function)(*map(self.value, arguments))
            case Norm(inner):
                return np.sum(self.value(inner) ** 2)
            case SumOver(axis, inner):
                steps = ({**self.at, axis: n} for n in range(self.sizes[axis]))
                return sum(type(self)(self.arrays, self.sizes, at).value(inner) for at in steps)
            case Softmax(inner):
                values = self.value(inner)
                axis = 0 if values.shape[1] == 1 else 1
                powers = np.exp(values - values.max(axis=axis, keepdims=True))
                return powers / powers.sum(axis=axis, keepdims=True)
            case Bracket(statement, rows, columns):
                counts = [1 if axis is None else self.sizes[axis] for axis in (rows, columns)]
                found = np.zeros(counts)
                for place in np.ndindex(*counts):
                    at = {axis: n for axis, n in zip((rows, columns), place, strict=True) if axis is not None}
                    found[place] = Reader(self.arrays, self.sizes, {**self.at, **at}).scalar(statement)
                return found
        raise TypeError(form)

    def whole(self, form: Whole) -> Any:
        """The slice at the positions held, 0 where one is outside; a column or a matrix."""
        array = self.arrays[form.tensor]
        if len(form.indices) != array.ndim:  # all axes as one
            return array.reshape(-1, 1)
        key: list[Any] = []
        inside = 1
        for index, size in zip(form.indices, array.shape, strict=True):
            at = slice(None) if index is None else int(self.scalar(index))
            if index is not None and not 0 <= at < size:
                at, inside = 0, 0
            key.append(at)
        values = np.asarray(array[tuple(key)], dtype=float) * inside
        values = self.column(values)
        return values.T if form.transposed else values

    def column(self, values: Any) -> Any:
        return values.reshape(-1, 1) if values.ndim == 1 else values

    def scalar(self, node: Any) -> Any:
        match node:
            case Number(str(axis)):
                return self.sizes[axis]
            case Number(value):
                return value
            case Index(terms, constant):
                return constant + sum(c * (self.at[a] if isinstance(a, str) else self.scalar(a)) for c, a in terms)
            case Access(tensor, indices):
                return self.arrays[tensor][tuple(map(self.scalar, indices))]
            case Apply("*", arguments):
                return np.prod([self.scalar(argument) for argument in arguments])
            case Apply("+", arguments):
                return sum(self.scalar(argument) for argument in arguments)
            case Apply(function, arguments):
                return numpy_function(function)(*map(self.scalar, arguments))
        raise TypeError(node)


class Windows(Reader):
    """Tensors along the axes of windows, as they are: no columns, no matrices."""

    def value(self, form: Form) -> Any:
        match form:
            case Correlation(source, window, slides):
                values, weights = self.value(source), self.value(window)
                found = np.zeros([self.sizes[slide.axis] for slide in slides])
                paddings = [int(self.scalar(slide.padding)) for slide in slides]
                for place in np.ndindex(found.shape):
                    for element in np.ndindex(weights.shape):
                        under = tuple(
                            slide.stride * p + slide.dilation * u - padding
                            for slide, p, u, padding in zip(slides, place, element, paddings, strict=True)
                        )
                        if all(0 <= at < size for at, size in zip(under, values.shape, strict=True)):
                            found[place] += weights[element] * values[under]
                return found
            case Flipped(inner):
                return np.flip(self.value(inner))
            case Spread(inner, strides):
                values = self.value(inner)
                spread = np.zeros([(n - 1) * s + 1 for n, s in zip(values.shape, strides, strict=True)])
                spread[tuple(slice(None, None, s) for s in strides)] = values
                return spread
            case OnesWindow(axes):
                return np.ones([self.sizes[axis] for axis in axes])
        return super().value(form)

    def column(self, values: Any) -> Any:
        return values
