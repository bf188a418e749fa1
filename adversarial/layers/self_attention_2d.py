"""Attention of an image to itself."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_flag
from adversarial.errors import conversation
from adversarial.layers.positive import positive_whole
from adversarial.layers.spectral_normalization import SpectralNormalization
from adversarial.registry import register

Tensor = Any


@register("layers")
class SelfAttention2D(keras.layers.Layer):  # type: ignore[misc]
    """Adds to each pixel what it attends to at all others.

    When you want it: at one middle resolution of generator and discriminator,
    for structure that convolutions are too local for.

        q, k, v = 1x1 convolutions of x;  k and v pooled by their maxima
        a_ij = softmax over j of <q_i, k_j>
        y_i = x_i + gamma W sum over j of a_ij v_j

    Facts:
        gamma is one trained number that starts at 0: the layer starts as the
        identity and its other weights begin to move when gamma has. The
        logits are not divided by sqrt(d), as they are in
        `keras.layers.MultiHeadAttention`. The softmax is computed in float32
        at least. Time and memory grow with the square of the pixels.

    Args:
        reduction: q and k have `channels // reduction` channels.
        value_reduction: v has `channels // value_reduction` channels.
        pool_size: k and v are pooled by windows of this width; 1 for none.
        spectral_normalization: Whether the four convolutions are normalised.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a number is no whole one above 0; at `build`, if there
            are fewer channels than a reduction asks for.

    Input: shape `(batch, height, width, channels)`, floats.
    Output: the same shape.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.SelfAttention2D()
    >>> layer(numpy.ones((2, 8, 8, 16))).shape
    TensorShape([2, 8, 8, 16])

    References:
        - Zhang, Goodfellow, Metaxas, Odena, Self-Attention Generative
          Adversarial Networks, ICML 2019, arXiv 1805.08318, equations (1) to
          (3).

    Differs from the paper: the defaults are those of the authors' code. In the
    paper nothing is pooled, and v has as few channels as k:
    `SelfAttention2D(8, 8, pool_size=1)`.
    """

    def __init__(
        self,
        reduction: int = 8,
        value_reduction: int = 2,
        *,
        pool_size: int = 2,
        spectral_normalization: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reduction = positive_whole("reduction", reduction)
        self.value_reduction = positive_whole(
            "value_reduction", value_reduction
        )
        self.pool_size = positive_whole("pool_size", pool_size)
        self.spectral_normalization = checked_flag(
            "spectral_normalization", spectral_normalization
        )
        self.pool = keras.layers.MaxPooling2D(
            self.pool_size, dtype=self.dtype_policy, data_format="channels_last"
        )

    def build(self, input_shape: Any) -> None:
        """Makes the convolutions and gamma."""
        channels = input_shape[-1]
        least = max(self.reduction, self.value_reduction)
        if len(input_shape) != 4 or channels is None or channels < least:
            raise ValueError(
                conversation(
                    "`SelfAttention2D` needs images with enough channels.",
                    expected=f"shape (batch, height, width, {least} or more).",
                    received=f"shape {tuple(input_shape)}.",
                    fix="lower `reduction`." if len(input_shape) == 4 else None,
                )
            )
        narrow, middle = (
            channels // self.reduction,
            channels // self.value_reduction,
        )
        self.query = self._convolution("query", narrow, input_shape)
        self.key = self._convolution("key", narrow, input_shape)
        self.values = self._convolution("values", middle, input_shape)
        after = (*input_shape[:-1], middle)
        self.out = self._convolution("out", channels, after)
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer="zeros"
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Adds the attention."""
        shape = ops.shape(inputs)
        query = _pixels(self.query(inputs, training=training))
        key = _pixels(self.pool(self.key(inputs, training=training)))
        values = _pixels(self.pool(self.values(inputs, training=training)))
        logits = ops.matmul(query, ops.swapaxes(key, 1, 2))
        dtype = keras.backend.result_type(logits.dtype, "float32")
        weights = ops.softmax(ops.cast(logits, dtype), axis=-1)
        seen = ops.matmul(ops.cast(weights, values.dtype), values)
        seen = ops.reshape(seen, (*shape[:3], values.shape[-1]))
        return inputs + self.gamma * self.out(seen, training=training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "reduction": self.reduction,
            "value_reduction": self.value_reduction,
            "pool_size": self.pool_size,
            "spectral_normalization": self.spectral_normalization,
        }
        return {**super().get_config(), **own}

    def _convolution(self, name: str, filters: int, shape: Any) -> Any:
        layer: Any = keras.layers.Conv2D(
            filters,
            1,
            use_bias=False,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=name,
        )
        if self.spectral_normalization:
            layer = SpectralNormalization(layer, name=name)
        layer.build(shape)
        return layer


def _pixels(x: Tensor) -> Tensor:
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0], shape[1] * shape[2], x.shape[-1]))
