"""Layers that draw latent samples."""

from __future__ import annotations

import abc
import operator
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.layers.positive import finite
from adversarial.registry import register

Tensor = Any


def _whole(n: Any) -> int:
    if isinstance(n, bool):
        raise TypeError("a bool is not a size")
    return operator.index(n)


class Latent(keras.layers.Layer, abc.ABC):  # type: ignore[misc]
    """Draws latent samples with the batch size of its input.

    Args:
        shape: The shape of one sample, or its length.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if the shape is not made of positive whole numbers.

    Input: any tensor, of which only the batch size is used.
    Output: shape `(batch, *shape)`, in the layer's compute dtype.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sizes = shape if isinstance(shape, list | tuple) else (shape,)
        try:
            self.shape = tuple(map(_whole, sizes))
        except TypeError:
            self.shape = (0,)
        if min(self.shape, default=1) < 1:
            raise ValueError(
                conversation(
                    "`shape` must hold positive whole numbers.",
                    received=f"{shape!r}.",
                )
            )
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    @abc.abstractmethod
    def draw(self, shape: Sequence[Any]) -> Tensor:
        """Draws a tensor of the shape."""

    def call(self, inputs: Tensor) -> Tensor:
        """Draws one sample per row of the input."""
        rows = ops.shape(keras.tree.flatten(inputs)[0])[0]
        return self.draw((rows, *self.shape))

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Returns the shape `(batch, *shape)` and the compute dtype."""
        rows = keras.tree.flatten(inputs)[0].shape[0]
        return keras.KerasTensor((rows, *self.shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"shape": list(self.shape), "seed": self.seed}
        return {**super().get_config(), **own}


@register("layers")
class NormalLatent(Latent):
    """Draws latents from the standard normal distribution.

    Args:
        shape: The shape of one sample, or its length.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if the shape is not made of positive whole numbers.

    Input: any tensor, of which only the batch size is used.
    Output: shape `(batch, *shape)`, in the layer's compute dtype.

    Example:

    >>> import adversarial, numpy
    >>> adversarial.layers.NormalLatent(100)(numpy.zeros((8, 28, 28))).shape
    TensorShape([8, 100])
    """

    def draw(self, shape: Sequence[Any]) -> Tensor:
        """Draws normal numbers."""
        return keras.random.normal(
            shape, dtype=self.compute_dtype, seed=self.seed_generator
        )


@register("layers")
class UniformLatent(Latent):
    """Draws latents from a uniform distribution.

    Args:
        shape: The shape of one sample, or its length.
        low: The smallest value.
        high: The bound above, which is not drawn.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if the shape is not made of positive whole numbers, or if
            `low` is not below `high`.

    Input: any tensor, of which only the batch size is used.
    Output: shape `(batch, *shape)`, in the layer's compute dtype.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.UniformLatent((4, 4), low=-1.0, high=1.0)
    >>> layer(numpy.zeros((8, 28, 28))).shape
    TensorShape([8, 4, 4])
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        low: float = 0.0,
        high: float = 1.0,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(shape, seed=seed, **kwargs)
        if not (finite(low) and finite(high) and low < high):
            raise ValueError(
                conversation(
                    "`low` must be below `high`, both finite.",
                    received=f"low={low}, high={high}.",
                )
            )
        self.low = float(low)
        self.high = float(high)

    def draw(self, shape: Sequence[Any]) -> Tensor:
        """Draws uniform numbers."""
        return keras.random.uniform(
            shape,
            minval=self.low,
            maxval=self.high,
            dtype=self.compute_dtype,
            seed=self.seed_generator,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "low": self.low, "high": self.high}
