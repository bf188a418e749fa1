"""The base class of layers that change images at random."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_choice
from adversarial.augmentation.dice import Dice
from adversarial.errors import conversation
from adversarial.layers.positive import finite

Tensor = Any
Parameters = Mapping[str, Tensor]
"""What was drawn for the images of a batch, by the name of the change."""
FORMATS = ("channels_last", "channels_first")


class ImageAugmentation(keras.layers.Layer, abc.ABC):  # type: ignore[misc]
    """Changes each image of a batch at random, in training mode only.

    A subclass says what it draws for each image, and what it makes of an image
    with it. `draw` and `apply` are the two halves of a call, for tests and
    for pictures.

    Every call draws anew. In an `AdversarialModel` all evaluations of one step
    start from the same random state, so that all players see the same draws.

    Args:
        value_range: The lowest and the highest value of an image. Their middle
            is the grey that fills what has no value, and colours are changed
            relative to it and to their distance. Nothing is clipped.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for that
            of Keras' configuration.
        seed: An integer for reproducible draws, or `None`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if the range is empty, or the data format unknown; on a
            call, if the input is not of rank 4.
        TypeError: on a call, if the images are not floats.

    Input: images, shape `(batch, height, width, channels)` or, with
    `"channels_first"`, `(batch, channels, height, width)`, floats.
    Output: the same shape and dtype; computed in float32 at least.
    """

    def __init__(
        self,
        *,
        value_range: Sequence[float] = (-1.0, 1.0),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # What comes in half precision or in double goes out in it, whatever
        # the policy: the layer has no kernel that images must fit.
        super().__init__(autocast=False, **kwargs)
        self.value_range = _range(value_range)
        if data_format is None:
            data_format = keras.config.image_data_format()
        self.data_format = checked_choice("data_format", data_format, FORMATS)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    @abc.abstractmethod
    def drawn(self, dice: Dice) -> dict[str, Tensor]:
        """Returns what is drawn for a batch, by name, one row per image."""

    @abc.abstractmethod
    def changed(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Returns the images after the change.

        Args:
            images: Shape (batch, height, width, channels), float32 or float64.
            parameters: What was drawn for them.
        """

    @property
    def middle(self) -> float:
        """The grey in the middle of the range."""
        return sum(self.value_range) / 2

    @property
    def half(self) -> float:
        """Half the distance of the highest from the lowest value."""
        return (self.value_range[1] - self.value_range[0]) / 2

    def draw(self, images: Tensor) -> dict[str, Tensor]:
        """Draws what a call would draw for these images.

        Args:
            images: Images, of which only the shape and the dtype are used.

        Returns:
            Tensors of shape (batch, ...), by the name of the change.
        """
        images = self._checked(images)
        shape = ops.shape(images)
        if self.data_format == "channels_first":
            shape = (shape[0], *shape[2:], shape[1])
        dtype = keras.backend.result_type(images.dtype, "float32")
        return self.drawn(Dice(self.seed_generator, shape, dtype))

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Changes images as drawn.

        Args:
            images: The images.
            parameters: What `draw` returned, or a part of it; or the same for
                other images of this size.

        Returns:
            The changed images.
        """
        images = self._checked(images)
        dtype = keras.backend.result_type(images.dtype, "float32")
        x = ops.cast(images, dtype)
        first = self.data_format == "channels_first"
        x = ops.transpose(x, (0, 2, 3, 1)) if first else x
        drawn = {k: ops.cast(v, dtype) for k, v in parameters.items()}
        x = self.changed(x, drawn)
        x = ops.transpose(x, (0, 3, 1, 2)) if first else x
        return ops.cast(x, images.dtype)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Draws and applies in training; else passes the images on."""
        images = self._checked(inputs)
        return self.apply(images, self.draw(images)) if training else images

    def compute_output_spec(
        self, inputs: Any, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape and dtype of the images."""
        images = self._checked(inputs)
        return keras.KerasTensor(images.shape, images.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "value_range": list(self.value_range),
            "data_format": self.data_format,
            "seed": self.seed,
        }
        return {**super().get_config(), **own}

    def _checked(self, images: Tensor) -> Tensor:
        if not hasattr(images, "dtype"):
            images = ops.convert_to_tensor(images)
        shape = tuple(images.shape)
        if len(shape) != 4:
            order = "height, width, channels"
            if self.data_format == "channels_first":
                order = "channels, height, width"
            raise ValueError(
                conversation(
                    f"`{type(self).__name__}` needs images.",
                    expected=f"shape (batch, {order}).",
                    received=f"shape {shape}.",
                    fix="add the axis of channels to grey images with "
                    "`ops.expand_dims(images, -1)`."
                    if len(shape) == 3
                    else None,
                )
            )
        dtype = keras.backend.standardize_dtype(images.dtype)
        if not keras.backend.is_float_dtype(dtype):
            low, high = self.value_range
            raise TypeError(
                conversation(
                    f"`{type(self).__name__}` needs images of floats.",
                    expected=f"floats from {low:g} to {high:g} "
                    "(`value_range`).",
                    received=f"dtype {dtype}.",
                    fix="scale them first, with `keras.layers.Rescaling`.",
                )
            )
        return images


def _range(values: Sequence[float]) -> tuple[float, float]:
    pair = tuple(values) if isinstance(values, list | tuple) else (values,)
    if len(pair) != 2 or not all(map(finite, pair)) or not pair[0] < pair[1]:
        raise ValueError(
            conversation(
                "`value_range` must be the lowest and the highest value of an "
                "image.",
                expected="two finite numbers, the first the lower.",
                received=f"{values!r}.",
            )
        )
    return float(pair[0]), float(pair[1])


def proportion(name: str, value: Any) -> float:
    """Returns a number from 0 to 1.

    Args:
        name: The argument's name, for errors.
        value: Its value.

    Raises:
        ValueError: if it is anything else.
    """
    if finite(value) and 0 <= value <= 1:
        return float(value)
    raise ValueError(
        conversation(
            f"`{name}` must be a number from 0 to 1.",
            received=f"{name}={value!r}.",
        )
    )


def per_image(x: Tensor) -> Tensor:
    """Gives a tensor of shape (batch, 1) the rank of images."""
    return ops.reshape(x, (-1, 1, 1, 1))
