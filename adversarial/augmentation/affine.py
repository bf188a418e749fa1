"""Affine maps, one per image, composed without matrix products.

Accelerators round the operands of matrix products in float32 to 11 bits or
so, which would move pixels about. Sums of products are exact where they can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

Tensor = Any


@dataclass(frozen=True)
class Affine:
    """The maps x -> linear x + offset.

    Args:
        linear: Shape (batch, k, k), or (1, k, k) if it is one for all.
        offset: Shape (batch, k), or (1, k) if it is one for all; one of both
            has the batch.
    """

    linear: Tensor
    offset: Tensor

    def after(self, first: Affine) -> Affine:
        """Returns the map that makes `first`, then this."""
        rows = ops.expand_dims(self.linear, -1)
        columns = ops.expand_dims(first.linear, 1)
        return Affine(
            ops.sum(rows * columns, axis=2),
            ops.sum(self.linear * ops.expand_dims(first.offset, 1), axis=2)
            + self.offset,
        )


def scaling(factors: Sequence[Tensor]) -> Affine:
    """Multiplies each coordinate by a factor of shape (batch, 1)."""
    diagonal = ops.concatenate(list(factors), axis=1)
    eye = ops.eye(len(factors), dtype=diagonal.dtype)
    return _without_offset(eye * ops.expand_dims(diagonal, 1))


def shifting(offset: Tensor) -> Affine:
    """Adds an offset of shape (batch, k)."""
    eye = ops.eye(offset.shape[1], dtype=offset.dtype)
    return Affine(eye[None], offset)


def turning(cos: Tensor, sin: Tensor) -> Affine:
    """Turns the first of two coordinates towards the second.

    Args:
        cos: The cosines of the angles, shape (batch, 1).
        sin: The sines.
    """
    linear = ops.concatenate([cos, -sin, sin, cos], axis=1)
    return _without_offset(ops.reshape(linear, (-1, 2, 2)))


def along(axis: Sequence[float], scale: Tensor, rest: Tensor) -> Affine:
    """Multiplies the part along an axis by one factor, the rest by another.

    Args:
        axis: A vector, not 0.
        scale: The factor along it, shape (batch, 1).
        rest: The factor of what is perpendicular to it, shape (batch, 1).
    """
    unit = np.asarray(axis) / np.linalg.norm(axis)
    onto = ops.convert_to_tensor(np.outer(unit, unit), dtype=scale.dtype)
    eye = ops.eye(len(unit), dtype=scale.dtype)
    scale, rest = ops.expand_dims(scale, -1), ops.expand_dims(rest, -1)
    # In this order the factors 1 and 1 give exactly the identity.
    return _without_offset(eye * rest + onto * (scale - rest))


def spinning(axis: Sequence[float], cos: Tensor, sin: Tensor) -> Affine:
    """Turns three coordinates around an axis.

    Args:
        axis: A vector, not 0.
        cos: The cosines of the angles, shape (batch, 1).
        sin: The sines.
    """
    x, y, z = unit = np.asarray(axis) / np.linalg.norm(axis)
    onto = ops.convert_to_tensor(np.outer(unit, unit), dtype=cos.dtype)
    cross = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    cross = ops.convert_to_tensor(cross, dtype=cos.dtype)
    eye = ops.eye(3, dtype=cos.dtype)
    cos, sin = ops.expand_dims(cos, -1), ops.expand_dims(sin, -1)
    return _without_offset(eye * cos + onto * (1 - cos) + cross * sin)


def _without_offset(linear: Tensor) -> Affine:
    return Affine(linear, ops.zeros((1, linear.shape[-1]), linear.dtype))
