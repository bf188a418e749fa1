"""A layer that turns gradients around."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.layers.positive import finite
from adversarial.registry import register

Tensor = Any


@register("layers")
class GradientReversal(keras.layers.Layer):  # type: ignore[misc]
    """Passes its input on, and its gradient back times -strength.

    When you want it: to train features against a classifier on top of them
    in a model with one loss and one optimizer, such as for domain adaptation.

        forward   y = x
        backward  dL/dx = -strength dL/dy

    Facts:
        The output equals the input bit for bit, if it is finite. Every
        differentiation passes once through the layer, so that a second
        derivative gets the factor strength^2.

        `strength` is a variable, which is not trained: a callback can
        `layer.strength.assign(...)` it during training without a new trace.
        It is saved with the weights.

    Args:
        strength: The factor, 0 or above. 0 stops the gradient.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `strength` is not a finite number from 0 on.

    Input: any shape, floats.
    Output: the input.

    Example:

    >>> import adversarial, numpy
    >>> layer = adversarial.layers.GradientReversal(0.5)
    >>> layer(numpy.array([1.0, -2.0])).numpy()
    array([ 1., -2.], dtype=float32)

    References:
        - Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR
          17, 2016, arXiv 1505.07818, equations (16) and (17).
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not finite(strength) or strength < 0:
            raise ValueError(
                conversation(
                    "`strength` must be a finite number from 0 on.",
                    received=f"strength={strength!r}.",
                    fix="leave the layer out if no gradient is to be turned."
                    if finite(strength)
                    else None,
                )
            )
        self._start = float(strength)
        self.strength = self.add_weight(
            name="strength",
            shape=(),
            # Keras' own `Constant` is rounded to float32 on TensorFlow.
            initializer=lambda shape, dtype: ops.full(
                shape, self._start, dtype
            ),
            trainable=False,
        )
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the input."""
        # The bracket is exactly 0, so the value is exact; x + s x - s x is not.
        constant = ops.stop_gradient(inputs)
        strength = ops.cast(self.strength, inputs.dtype)
        return constant - strength * (inputs - constant)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "strength": self._start}
