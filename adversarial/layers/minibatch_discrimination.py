"""Distances between the samples of a batch, as features."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.layers.positive import positive_whole
from adversarial.registry import register

Tensor = Any


@register("layers")
class MinibatchDiscrimination(keras.layers.Layer):  # type: ignore[misc]
    """Appends how close each sample is to the others of its batch.

    When you want it: near the end of a discriminator, against a generator
    that makes too few different samples; `MinibatchStandardDeviation` has no
    parameters and is cheaper.

        M_i = f_i T                            (kernels, dims) for sample i
        o_ib = sum over samples j of exp(-|M_ib - M_jb|_1)
        y_i = [f_i, o_i]

    Facts:
        A sample is close to itself: each o is between 1 and the size of the
        batch, and grows with it. Call it on real and on generated samples one
        by one. Memory grows with the square of the batch.

    Args:
        kernels: The number of features to append, above 0.
        dims: The length of the rows that are compared, above 0.
        kernel_initializer: Of T, shape `(features, kernels * dims)`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `kernels` or `dims` is no whole number above 0; if the
            input is not flat.

    Input: f, shape `(batch, features)`, floats.
    Output: shape `(batch, features + kernels)`.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.MinibatchDiscrimination(5, 3)
    >>> layer(numpy.zeros((8, 16))).shape
    TensorShape([8, 21])

    References:
        - Salimans et al., Improved Techniques for Training GANs, NIPS 2016,
          arXiv 1606.03498, section 3.2.

    Differs from the authors' code, which leaves j = i out of the sum: a 1 less
    in each o, as the paper's formula does not.
    """

    def __init__(
        self,
        kernels: int,
        dims: int,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernels = positive_whole("kernels", kernels)
        self.dims = positive_whole("dims", dims)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Makes T."""
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ValueError(
                conversation(
                    "`MinibatchDiscrimination` needs flat features.",
                    expected="shape (batch, features).",
                    received=f"shape {tuple(input_shape)}.",
                    fix="put `Flatten` before it.",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[1], self.kernels * self.dims),
            initializer=self.kernel_initializer,
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Appends the sums of closeness."""
        m = ops.matmul(inputs, self.kernel)
        m = ops.reshape(m, (-1, self.kernels, self.dims))
        distance = ops.sum(ops.abs(m[:, None] - m[None]), axis=-1)
        close = ops.sum(ops.exp(-distance), axis=1)
        return ops.concatenate([inputs, close], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape with more features."""
        return (input_shape[0], input_shape[1] + self.kernels)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        write = keras.initializers.serialize
        own = {
            "kernels": self.kernels,
            "dims": self.dims,
            "kernel_initializer": write(self.kernel_initializer),
        }
        return {**super().get_config(), **own}
