"""Features of samples as rows of a matrix, and the angles between them."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

Tensor = Any
SMALLEST = 1e-12
"""The squared length below which a row is not made longer."""


def rows(x: Tensor) -> Tensor:
    """Flattens every sample: shape (batch, features)."""
    sizes = tuple(x.shape)[1:]
    if None in sizes:
        return ops.reshape(x, (ops.shape(x)[0], -1))
    return ops.reshape(x, (-1, math.prod(sizes)))


def unit(x: Tensor) -> Tensor:
    """Divides every row by its length; a row of zeros stays as it is."""
    squared = ops.sum(x * x, axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squared, SMALLEST))


def cosines(x: Tensor, y: Tensor) -> Tensor:
    """Returns the cosine of each row of x with each of y, (rows, rows)."""
    return ops.matmul(unit(x), ops.transpose(unit(y)))
