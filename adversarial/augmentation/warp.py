"""Images seen through an affine map of their places."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.augmentation.affine import Affine
from adversarial.augmentation.cutting import grid, pixels_at

Tensor = Any


def warped(images: Tensor, source: Affine) -> Tensor:
    """Takes each pixel from where a map says, between four pixels.

    Outside of the image is its mirror image, without the edge pixels twice.
    Linear in the images, with derivatives of every order; the places get no
    gradient.

    Args:
        images: Shape (batch, height, width, channels), float32 or float64.
        source: The map from the place (x, y) of a pixel of the result to that
            in the image, in pixels from the center, to the right and down.

    Returns:
        The same shape.
    """
    height, width = (ops.cast(n, images.dtype) for n in ops.shape(images)[1:3])
    i, j = grid(images)
    x, y = j - (width - 1) / 2, i - (height - 1) / 2
    columns = _coordinate(source, 0, x, y) + (width - 1) / 2
    rows = _coordinate(source, 1, x, y) + (height - 1) / 2
    low_row, low_column = ops.floor(rows), ops.floor(columns)
    down, right = rows - low_row, columns - low_column
    # One gather of all four neighbours: XLA compiles that faster than four.
    rows = ops.stack([low_row, low_row, low_row + 1, low_row + 1], axis=1)
    columns = ops.stack([low_column, low_column + 1] * 2, axis=1)
    taken = pixels_at(images, mirrored(rows, height), mirrored(columns, width))
    up, left = 1 - down, 1 - right
    weights = ops.stack(
        [up * left, up * right, down * left, down * right], axis=1
    )
    return ops.sum(ops.expand_dims(weights, -1) * taken, axis=1)


def mirrored(places: Tensor, size: Tensor) -> Tensor:
    """Brings whole numbers into 0 .. size - 1 by mirrors at both ends.

    Args:
        places: Whole numbers as floats.
        size: The number of places, a float.

    Returns:
        The shape of `places`, int32.
    """
    period = ops.maximum(2 * size - 2, 1)
    places = places - period * ops.floor(places / period)
    places = ops.minimum(places, 2 * size - 2 - places)
    # A far place, rounded, could come out beyond an end.
    return ops.cast(ops.clip(places, 0, size - 1), "int32")


def _coordinate(source: Affine, axis: int, x: Tensor, y: Tensor) -> Tensor:
    """One coordinate of the map, at all places."""
    linear = ops.reshape(source.linear[:, axis], (-1, 2, 1, 1))
    offset = ops.reshape(source.offset[:, axis], (-1, 1, 1))
    return linear[:, 0] * x + linear[:, 1] * y + offset
