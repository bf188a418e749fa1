"""Adam whose first moment may decay with a negative or complex factor."""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_number
from adversarial.momentum.decay import decay, turned
from adversarial.registry import register

Tensor = Any


@register("momentum")
class MomentumAdam(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Adam with a negative or complex first moment.

    For GANs that circle under Adam: a small or negative `beta_1` turns less,
    and a complex one damps the turning at its own frequency. It can be given
    to all players or to one only, such as the discriminator.

        b = beta_1 * exp(i * angle)
        m <- b m + (1 - b) g
        v <- beta_2 v + (1 - beta_2) g^2
        w <- w - learning_rate * Re(m / (1 - b^t))
                 / (sqrt(v / (1 - beta_2^t)) + epsilon_t)

    where g is the gradient of the parameter w, t counts the steps from 1, and
    epsilon_t = epsilon / sqrt(1 - beta_2^t), as in `keras.optimizers.Adam`.
    At the first step m / (1 - b^t) = g, whatever b is.

    Facts: state: two copies of the parameters, or three if `angle` is not
    zero.

    Args:
        learning_rate: A float, a schedule of Keras, or a function without
            arguments.
        beta_1: The modulus of b, a float between -1 and 1, both left out.
            Without angle the optimizer is `keras.optimizers.Adam`.
        angle: The angle of b in radians. 0 keeps everything real; pi turns
            the sign of `beta_1` round.
        beta_2: The decay of the second moment, from 0 to below 1. 0 divides
            by the size of the last gradient.
        epsilon: A small number that is at least 0, added to sqrt(v).
        **kwargs: Arguments of `keras.optimizers.Optimizer`, such as
            `clipnorm`, `weight_decay`, `use_ema` or `name`.

    Raises:
        ValueError: if `beta_1`, `angle`, `beta_2` or `epsilon` is out of its
            range.

    Example:

    >>> import adversarial
    >>> negative = adversarial.momentum.MomentumAdam(1e-4, beta_1=-0.5)
    >>> turning = adversarial.momentum.MomentumAdam(1e-4, 0.8, angle=0.3927)

    References:
        - Gidel et al., Negative Momentum for Improved Game Dynamics, AISTATS
          2019, arXiv 1807.04740 (`beta_1=-0.5`, for the discriminator).
        - Lorraine et al., Complex Momentum for Optimization in Games, AISTATS
          2022, arXiv 2102.08431 (a complex first moment).

    Differs from the papers: their rules are stated for gradient descent, whose
    momentum is a sum; here m is a mean, with the complex factor 1 - b, and its
    bias is corrected in complex arithmetic before the real part is taken. So a
    constant gradient gives Adam's step for every b, and b changes how the step
    turns, not how long it is. The code of Gidel et al. also has a variant
    without the factor 1 - b, which is `learning_rate / (1 - beta_1)` here.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = -0.5,
        angle: float = 0.0,
        beta_2: float = 0.9,
        *,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self._b = decay("beta_1", beta_1, angle)
        self.beta_1 = float(beta_1)
        self.angle = float(angle)
        self.beta_2 = float(checked_number("beta_2", beta_2, least=0, below=1))
        self.epsilon = float(checked_number("epsilon", epsilon, least=0))

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the slots of the two moments."""
        if self.built:
            return
        super().build(variables)
        self._real, self._second = self.add_optimizer_variables(
            variables, ["momentum", "velocity"]
        )
        self._imaginary = []
        if self.angle:
            self._imaginary = self.add_optimizer_variables(
                variables, "imaginary_momentum"
            )

    def update_step(
        self, gradient: Tensor, variable: Any, learning_rate: Tensor
    ) -> None:
        """Moves one variable."""
        g = ops.cast(gradient, variable.dtype)
        # The hook with which Keras' guide to own optimizers finds slots.
        index = self._get_variable_index(variable)
        # Half precision cannot count: 257 is not one of its numbers.
        double = keras.backend.standardize_dtype(variable.dtype) == "float64"
        t = ops.cast(self.iterations + 1, "float64" if double else "float32")
        m = self._first_moment(g, index, t)
        slot = self._second[index]
        v = self.beta_2 * slot + _times(1.0 - self.beta_2, ops.square(g))
        self.assign(slot, v)
        rate = ops.cast(learning_rate, t.dtype)
        alpha = rate * ops.sqrt(1.0 - ops.power(self.beta_2, t))
        step = ops.cast(alpha, variable.dtype) * m
        self.assign_sub(variable, step / (ops.sqrt(v) + self.epsilon))

    def _first_moment(self, g: Tensor, index: int, t: Tensor) -> Tensor:
        """Updates m; returns Re(m / (1 - b^t))."""
        b, slot = self._b, self._real[index]
        if not self.angle:
            m = b.real * slot + _times(1.0 - b.real, g)
            self.assign(slot, m)
            return m / ops.cast(1.0 - ops.power(b.real, t), m.dtype)
        other = self._imaginary[index]
        real, imaginary = turned(b, slot, other)
        real = real + _times(1.0 - b.real, g)
        imaginary = imaginary - _times(b.imag, g)
        self.assign(slot, real)
        self.assign(other, imaginary)
        size, phase = ops.power(abs(b), t), cmath.phase(b) * t
        c, s = 1.0 - size * ops.cos(phase), -size * ops.sin(phase)
        norm = ops.square(c) + ops.square(s)
        c, s = (ops.cast(x / norm, real.dtype) for x in (c, s))
        return c * real + s * imaginary

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "beta_1": self.beta_1,
            "angle": self.angle,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **own}


def _times(number: float, gradient: Tensor) -> Tensor:
    """Scales a gradient, which may be the sparse one of an embedding."""
    return ops.multiply(gradient, number)
