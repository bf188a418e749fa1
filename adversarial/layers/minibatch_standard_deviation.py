"""How much the samples of a batch differ, as a feature."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.layers.positive import positive_whole
from adversarial.registry import register

Tensor = Any
EPSILON = 1e-8
"""Added to variances: the root has a derivative where samples are equal."""


@register("layers")
class MinibatchStandardDeviation(keras.layers.Layer):  # type: ignore[misc]
    """Appends the mean standard deviation of groups of samples as channels.

    When you want it: near the end of a discriminator, which can then see that
    a generator makes too few different samples.

        n samples, groups m = 0 .. M-1 with M = ceil(n / group_size)
        group m: the samples m, m + M, m + 2 M, ...
        s = sqrt(variance within the group + 1e-8)   for each place and channel
        t = mean of s over places and over each of `features` parts of channels
        y = [x, t] along the channels, t alike at all places of all the group

    Facts:
        The variance is that of the population (divided by the size of the
        group, not by one less). If n is no multiple of `group_size`, the
        groups are as equal in size as they can be, and none is larger; if n
        is smaller, there is one group. A group of one sample has s = 1e-4.
        Each call forms its own groups: call it on real and on generated
        samples one by one, not on both in one batch. Computed in float32 at
        least.

    Args:
        group_size: The largest number of samples in a group, above 0.
        features: The number of channels to append, a divisor of the channels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `group_size` or `features` is no whole number above 0;
            at `build`, if `features` does not divide the channels.

    Input: shape `(batch, ..., channels)`, floats.
    Output: shape `(batch, ..., channels + features)`.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.MinibatchStandardDeviation()
    >>> layer(numpy.zeros((8, 4, 4, 16))).shape
    TensorShape([8, 4, 4, 17])

    References:
        - Karras, Aila, Laine, Lehtinen, Progressive Growing of GANs, ICLR
          2018, arXiv 1710.10196, section 3; groups and their order as in the
          authors' code.

    Differs from the paper: the paper takes the whole batch as one group; the
    authors' code, which this follows, takes groups of 4 and refuses a batch
    that they do not divide.
    """

    def __init__(
        self, group_size: int = 4, features: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group_size = positive_whole("group_size", group_size)
        self.features = positive_whole("features", features)

    def build(self, input_shape: Any) -> None:
        """Checks that the channels can be parted."""
        channels = input_shape[-1]
        if channels is None or channels % self.features:
            raise ValueError(
                conversation(
                    "`features` must divide the number of channels.",
                    received=f"features={self.features}, {channels} channels.",
                )
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Appends the standard deviations."""
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        shape, size = ops.shape(inputs), self.group_size
        n, inside = shape[0], shape[1:]
        groups = (n + size - 1) // size
        # Fill up to `groups` times `size` rows, of which n count.
        filled = ops.concatenate([x, ops.zeros((size - 1, *inside), dtype)])
        filled = ops.reshape(filled[: groups * size], (size, groups, *inside))
        rows = ops.reshape(ops.arange(size), (size, 1)) * groups
        counts = rows + ops.reshape(ops.arange(groups), (1, groups)) < n
        weight = ops.cast(counts, dtype)
        weight = weight / ops.sum(weight, axis=0, keepdims=True)
        ones = (1,) * len(inside)
        weight = ops.reshape(weight, (size, groups, *ones))
        mean = ops.sum(weight * filled, axis=0, keepdims=True)
        variance = ops.sum(weight * (filled - mean) ** 2, axis=0)
        deviation = ops.sqrt(variance + EPSILON)
        parted = ops.reshape(
            deviation,
            (groups, -1, self.features, inputs.shape[-1] // self.features),
        )
        statistic = ops.mean(parted, axis=(1, 3))
        of_sample = ops.tile(statistic, (size, 1))[:n]
        of_sample = ops.reshape(of_sample, (n, *ones[:-1], self.features))
        channels = ops.broadcast_to(of_sample, (n, *inside[:-1], self.features))
        return ops.concatenate(
            [inputs, ops.cast(channels, inputs.dtype)], axis=-1
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape with more channels."""
        return (*input_shape[:-1], input_shape[-1] + self.features)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"group_size": self.group_size, "features": self.features}
        return {**super().get_config(), **own}
