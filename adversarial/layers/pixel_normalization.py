"""Normalisation of the features of each pixel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.layers.positive import positive
from adversarial.registry import register

Tensor = Any


@register("layers")
class PixelNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Divides the features at each place by their root mean square.

    When you want it: after the convolutions of a generator without batch
    normalisation, so that magnitudes cannot grow in a race of the players.
    Also for latents, which it puts on a sphere.

        y = x / sqrt(mean over features of x^2 + epsilon)

    Facts:
        No parameters; nothing is mixed between samples or places. Computed in
        float32 at least.

    Args:
        axis: The axis of the features; 1 for channels first.
        epsilon: A finite number above 0. Features well below its square root
            go to 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `epsilon` is not positive.

    Input: floats of any shape with that axis.
    Output: the same shape.

    Example:

    >>> import adversarial, numpy
    >>> adversarial.layers.PixelNormalization()(numpy.array([[3.0, 4.0]]))
    <tf.Tensor: ... numpy=array([[0.84..., 1.13...]], dtype=float32)>

    References:
        - Karras, Aila, Laine, Lehtinen, Progressive Growing of GANs, ICLR
          2018, arXiv 1710.10196, section 4.2.
    """

    def __init__(
        self, axis: int = -1, epsilon: float = 1e-8, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = positive("epsilon", epsilon)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Normalises the features."""
        # In half precision epsilon is 0 and squares overflow.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        mean = ops.mean(x * x, axis=self.axis, keepdims=True)
        return ops.cast(x * ops.rsqrt(mean + self.epsilon), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"axis": self.axis, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
