"""Weights of one size, scaled when they are used."""

from __future__ import annotations

import inspect
import math
from typing import Any

import keras
import numpy as np

from adversarial.errors import conversation
from adversarial.layers.positive import positive
from adversarial.layers.reparametrized import (
    DEPTHWISE,
    TRANSPOSED,
    Reparametrized,
)
from adversarial.registry import register

Tensor = Any
_NAMES = {
    keras.layers.Embedding: "embeddings_initializer",
    **dict.fromkeys(DEPTHWISE, "depthwise_initializer"),
}


@register("layers")
class EqualizedLearningRate(Reparametrized):
    """Stores a kernel of unit variance and scales it when it is used.

    When you want it: with optimizers whose steps do not depend on the size of
    the gradient, such as Adam, where all layers shall learn at one relative
    speed.

        W ~ N(0, 1) at the start
        y = layer with the kernel W gain / sqrt(n)
        n = the inputs of one output: inputs times window; 1 for an Embedding

    Facts:
        The bias is not scaled. The wrapped layer's initializer is set to
        N(0, 1); to choose the size, choose `gain`.

    Args:
        layer: A `Dense`, `Embedding`, `Conv1D`, `Conv2D` or `Conv3D` layer, a
            transposed or a depthwise one, that is not built.
        gain: A finite number above 0: sqrt(2) before a rectifier, 1 at a
            linear output.
        **kwargs: Arguments of `keras.layers.Layer`, without `dtype`.

    Raises:
        TypeError: for another layer.
        ValueError: if `gain` is not positive, if the layer is built, or if it
            asks for another initializer.

    Input and output: those of the layer.

    Example:

    >>> import adversarial, keras, numpy
    >>> conv = keras.layers.Conv2D(8, 3, activation="leaky_relu")
    >>> layer = adversarial.layers.EqualizedLearningRate(conv)
    >>> layer(numpy.zeros((1, 8, 8, 4))).shape
    TensorShape([1, 6, 6, 8])

    References:
        - Karras, Aila, Laine, Lehtinen, Progressive Growing of GANs, ICLR
          2018, arXiv 1710.10196, section 4.1.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        gain: float = math.sqrt(2),
        **kwargs: Any,
    ) -> None:
        super().__init__(layer, **kwargs)
        self.gain = positive("gain", gain)
        self._set_initializer()

    @property
    def scale(self) -> float:
        """The factor gain / sqrt(n) of the kernel."""
        shape = self.kernel.shape
        if isinstance(self.layer, keras.layers.Embedding):
            n = 1
        elif isinstance(self.layer, DEPTHWISE):
            n = int(np.prod(shape[:-2]))
        elif isinstance(self.layer, TRANSPOSED):
            n = int(np.prod(shape[:-2])) * shape[-1]
        else:
            n = int(np.prod(shape[:-1]))
        return self.gain / math.sqrt(n)

    def effective(self, kernel: Tensor, training: bool) -> Tensor:
        """Returns W gain / sqrt(n)."""
        return kernel * self.scale

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "gain": self.gain}

    def _set_initializer(self) -> None:
        name = next(
            (n for kind, n in _NAMES.items() if isinstance(self.layer, kind)),
            "kernel_initializer",
        )
        unit = keras.initializers.RandomNormal(stddev=1.0)
        asked = getattr(self.layer, name)
        default = inspect.signature(type(self.layer)).parameters.get(name)
        fine = [_identity(unit)]
        if default is not None:
            fine.append(_identity(keras.initializers.get(default.default)))
        if _identity(asked) not in fine:
            raise ValueError(
                conversation(
                    "`EqualizedLearningRate` draws the kernel from N(0, 1).",
                    received=f"{name}={asked!r} of '{self.layer.name}'.",
                    fix=f"leave `{name}` out, and choose `gain` instead.",
                )
            )
        if _identity(asked) == fine[0]:
            return
        if self.layer.built:
            raise ValueError(
                conversation(
                    "`EqualizedLearningRate` wraps a layer before it is built.",
                    received=f"'{self.layer.name}', which has its weights.",
                    fix="wrap it where you make it.",
                )
            )
        setattr(self.layer, name, unit)


def _identity(initializer: Any) -> tuple[str, dict[str, Any]]:
    """What makes two initializers alike, whatever their seeds."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return repr(initializer), {}
    config = initializer.get_config()
    config.pop("seed", None)
    return type(initializer).__name__, config
