"""Batch normalisation with a scale and a center per class."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_count, checked_number
from adversarial.layers.class_numbers import check_labels, in_range
from adversarial.layers.positive import positive_whole
from adversarial.registry import register

Tensor = Any


@register("layers")
class ConditionalBatchNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Normalises over the batch, then scales and shifts by class.

    When you want it: in the generator of a conditional GAN.

        y = gamma_c BatchNormalization(x) + beta_c      for a sample of class c

    Facts:
        The statistics are those of the whole batch, not of the class. They
        are kept by `keras.layers.BatchNormalization` without scale and center.
        At the start gamma is 1 and beta 0. A label that is out of range is an
        error eagerly; in a compiled step its sample becomes NaN.

    Args:
        classes: The number of classes, a whole number above 0.
        axis: The axis of the features; 1 for channels first.
        momentum: As in `keras.layers.BatchNormalization`.
        epsilon: As in `keras.layers.BatchNormalization`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `classes` is no whole number above 0, for labels out of
            range.
        TypeError: for labels that are no integers.

    Input: a list of x, floats of any shape with that axis, and c, shape
    `(batch,)` or `(batch, 1)`, integers.
    Output: the shape of x.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.ConditionalBatchNormalization(10)
    >>> layer([numpy.ones((3, 4, 4, 8)), numpy.array([0, 3, 9])]).shape
    TensorShape([3, 4, 4, 8])

    References:
        - Dumoulin, Shlens, Kudlur, A Learned Representation For Artistic
          Style, ICLR 2017, arXiv 1610.07629, equation (5), for instances;
          Miyato, Koyama, ICLR 2018, arXiv 1802.05637, for batches.
    """

    def __init__(
        self,
        classes: int,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes = positive_whole("classes", classes)
        self.axis = checked_count("axis", axis, least=None)
        self.momentum = checked_number("momentum", momentum, least=0, most=1)
        self.epsilon = checked_number("epsilon", epsilon, above=0)
        self.norm = keras.layers.BatchNormalization(
            axis=axis,
            momentum=momentum,
            epsilon=epsilon,
            center=False,
            scale=False,
            dtype=self.dtype_policy,
            name="norm",
        )

    def build(self, input_shape: Any) -> None:
        """Makes the statistics, and the tables of gamma and beta."""
        shape = tuple(input_shape[0])
        self.norm.build(shape)
        table = (self.classes, shape[self.axis])
        self.gamma = self.add_weight(
            name="gamma", shape=table, initializer="ones"
        )
        self.beta = self.add_weight(
            name="beta", shape=table, initializer="zeros"
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Tensor:
        """Normalises, scales and shifts."""
        x, labels = inputs
        labels, right = in_range(self, labels, self.classes)
        y = self.norm(x, training=training)
        shape = [1] * len(x.shape)
        shape[0], shape[self.axis] = -1, x.shape[self.axis]
        gamma = ops.take(self.gamma, labels, axis=0)
        gamma = gamma * ops.cast(right, gamma.dtype)[:, None]
        beta = ops.take(self.beta, labels, axis=0)
        return ops.reshape(gamma, shape) * y + ops.reshape(beta, shape)

    def compute_output_spec(
        self, inputs: Any, training: Any = None
    ) -> keras.KerasTensor:
        """Returns the shape of x; checks the labels' type."""
        x, labels = inputs
        check_labels(self, labels.dtype, labels.shape)
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "classes": self.classes,
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **own}
