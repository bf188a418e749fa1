"""Random numbers for each image of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

Tensor = Any


@dataclass(frozen=True)
class Dice:
    """Draws one row of random numbers per image.

    Draw once what is needed of a kind: XLA takes its time over each draw.

    Args:
        seed: What the numbers come from; each draw moves it on.
        shape: The shape (images, height, width, channels), of which any may
            be known only when the model runs.
        dtype: The dtype of the numbers.
    """

    seed: keras.random.SeedGenerator
    shape: tuple[Any, ...]
    dtype: str

    def uniform(self, columns: int) -> Tensor:
        """Draws shape (images, columns), at least 0, below 1."""
        return keras.random.uniform(
            (self.shape[0], columns), dtype=self.dtype, seed=self.seed
        )

    def normal(self, columns: int) -> Tensor:
        """Draws shape (images, columns) with mean 0 and deviation 1."""
        return keras.random.normal(
            (self.shape[0], columns), dtype=self.dtype, seed=self.seed
        )

    def field(self) -> Tensor:
        """Draws a normal number for each entry of each image."""
        return keras.random.normal(self.shape, dtype=self.dtype, seed=self.seed)

    @property
    def sizes(self) -> tuple[Tensor, Tensor]:
        """The height and the width, as floats."""
        _, height, width, _ = self.shape
        return ops.cast(height, self.dtype), ops.cast(width, self.dtype)


def whole(uniform: Tensor, low: Any, count: Any) -> Tensor:
    """Makes whole numbers, `low` to `low + count - 1`, of uniform ones.

    The bounds may be tensors, unlike those of `keras.random.randint`. In
    float32 the largest number below 1 times a count is below the count.

    Args:
        uniform: At least 0 and below 1.
        low: The least number.
        count: How many numbers there are.

    Returns:
        Floats of the shape of `uniform`.
    """
    return low + ops.floor(uniform * count)
