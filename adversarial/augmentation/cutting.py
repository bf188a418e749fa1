"""Pixels taken from other places, and pixels left out."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def pixels_at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Takes for each place the pixel from another place of the same image.

    Its derivatives, of any order, are those of a gather.

    Args:
        images: Shape (batch, height, width, channels).
        rows: Where from, shape (batch, ...), int32, in range.
        columns: The same across.

    Returns:
        Shape (batch, ..., channels).
    """
    shape, wanted = ops.shape(images), ops.shape(rows)
    places = ops.reshape(rows * shape[2] + columns, (shape[0], -1, 1))
    flat = ops.reshape(images, (shape[0], -1, shape[3]))
    taken = ops.take_along_axis(flat, places, axis=1)
    return ops.reshape(taken, (*wanted, shape[3]))


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the number of each row and column, which broadcast.

    Returns:
        Shapes (1, height, 1) and (1, 1, width), of the dtype of the images.
    """
    _, height, width, _ = ops.shape(images)
    rows = ops.cast(ops.arange(height), images.dtype)
    columns = ops.cast(ops.arange(width), images.dtype)
    return ops.reshape(rows, (1, -1, 1)), ops.reshape(columns, (1, 1, -1))


def column(x: Tensor, number: int) -> Tensor:
    """Returns a column of drawn numbers, shape (batch, 1, 1)."""
    return ops.reshape(x[:, number], (-1, 1, 1))


def shifted(images: Tensor, shift: Tensor, fill: float) -> Tensor:
    """Moves images by whole pixels, and fills the rest.

    Args:
        images: Shape (batch, height, width, channels).
        shift: How far down and to the right, shape (batch, 2), whole numbers.
        fill: The value of what has no pixel.
    """
    _, height, width, _ = ops.shape(images)
    rows, columns = grid(images)
    rows, columns = rows - column(shift, 0), columns - column(shift, 1)
    rows = ops.cast(rows, "int32") + ops.zeros_like(columns, "int32")
    columns = ops.cast(columns, "int32") + ops.zeros_like(rows)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    taken = pixels_at(
        images, ops.clip(rows, 0, height - 1), ops.clip(columns, 0, width - 1)
    )
    return ops.where(ops.expand_dims(inside, -1), taken, fill)


def blanked(images: Tensor, hole: Tensor, fill: float) -> Tensor:
    """Fills the places where `hole`, (batch, height, width), is true."""
    return ops.where(ops.expand_dims(hole, -1), fill, images)
