"""Wrappers that let a layer compute with a function of its kernel."""

from __future__ import annotations

import abc
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from adversarial import backend
from adversarial.errors import conversation

Tensor = Any

TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
"""Layers whose kernel ends in (output channels, input channels)."""
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
"""Layers whose kernel ends in (input channels, outputs of each)."""
PLAIN = (
    layers.Dense,
    layers.Embedding,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
)
"""Layers whose kernel ends in the output channels."""
WRAPPED = (*PLAIN, *TRANSPOSED, *DEPTHWISE)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)


class Reparametrized(layers.Wrapper, abc.ABC):  # type: ignore[misc]
    """A layer that computes with a function of its kernel.

    The stored kernel stays as it is: the optimizer moves it, and the gradient
    flows through the function. What else the layer does (updates of its
    state, losses that it adds) happens as it does without the wrapper.

    Args:
        layer: A `Dense`, `Embedding`, `Conv1D`, `Conv2D` or `Conv3D` layer, a
            transposed or a depthwise one.
        **kwargs: Arguments of `keras.layers.Layer`, without `dtype`: the
            wrapper computes in the precision of the layer's variables, and
            the layer in its own.

    Raises:
        TypeError: for another layer.
        ValueError: if a `dtype` is passed.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        name = type(self).__name__
        if not isinstance(layer, WRAPPED) or isinstance(layer, _SEPARABLE):
            known = ", ".join(f"`{kind.__name__}`" for kind in WRAPPED)
            raise TypeError(
                conversation(
                    f"`{name}` wraps a layer with one kernel.",
                    expected=f"one of {known}.",
                    received=f"{layer!r} of type `{type(layer).__name__}`.",
                )
            )
        if "dtype" in kwargs:
            raise ValueError(
                conversation(
                    f"`{name}` has the precision of its layer.",
                    received=f"dtype={kwargs['dtype']!r}.",
                    fix="pass `dtype` to the layer that is wrapped.",
                )
            )
        # In the variables' own precision the kernel is read as it is stored,
        # and without autocast inputs pass as they are: the layer inside casts
        # both itself.
        super().__init__(
            layer, dtype=layer.variable_dtype, autocast=False, **kwargs
        )
        self.supports_masking = layer.supports_masking

    @property
    def kernel(self) -> keras.Variable:
        """The stored kernel, which the optimizer moves.

        Raises:
            ValueError: if the layer computes it of other variables, as with
                `enable_lora`.
        """
        layer = self.layer
        embeds = isinstance(layer, layers.Embedding)
        kernel = layer.embeddings if embeds else layer.kernel
        if not isinstance(kernel, keras.Variable):
            raise ValueError(
                conversation(
                    "The kernel of the wrapped layer must be one variable.",
                    received=f"a `{type(kernel).__name__}` for the kernel of "
                    f"'{layer.name}'.",
                    fix="do not use low-rank adaptation or quantization here.",
                )
            )
        return kernel

    @abc.abstractmethod
    def effective(self, kernel: Tensor, training: bool) -> Tensor:
        """Returns the kernel that the layer computes with.

        Args:
            kernel: The stored kernel.
            training: Whether the layer runs in training mode.
        """

    def effective_kernel(self) -> Tensor:
        """Returns the kernel that the layer computes with at inference."""
        return self.effective(backend.live(self.kernel), False)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Calls the layer with the effective kernel."""
        kernel = self.kernel
        effective = self.effective(backend.live(kernel), bool(training))
        # A scope hides the one around it, with all the values that stand for
        # variables there: hand them on, and bring back what changes inside.
        others = [v for v in self.layer.variables if v is not kernel]
        values = [(v, backend.live(v)) for v in others]
        with keras.StatelessScope(
            [(kernel, effective), *values],
            collect_losses=True,
            initialize_variables=False,
        ) as scope:
            before = [scope.get_current_value(v) for v in others]
            outputs = self.layer(inputs)
        for v, value in zip(others, before, strict=True):
            now = scope.get_current_value(v)
            if now is not value:
                v.assign(now)
        for loss in scope.losses:
            self.layer.add_loss(loss)
        return outputs

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        """Returns the mask of the layer."""
        return self.layer.compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the layer's output."""
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        """Returns the shape and the dtype of the layer's output."""
        return self.layer.compute_output_spec(inputs)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = dict(super().get_config())
        del config["dtype"]
        return config

    def as_matrix(self, kernel: Tensor) -> Tensor:
        """Reshapes a kernel into a matrix, one column per output channel.

            Dense, Embedding      (n, outputs)                as it is
            Conv                  (*window, inputs, outputs)  the last is kept
            ConvTranspose         (*window, outputs, inputs)  the last but one
            DepthwiseConv         (*window, inputs, each)     both last, as one

        Args:
            kernel: A tensor of the kernel's shape.

        Returns:
            Shape `(entries, output channels)`.
        """
        if isinstance(self.layer, TRANSPOSED):
            kernel = ops.swapaxes(kernel, -1, -2)
        return ops.reshape(kernel, (-1, self.columns))

    @property
    def columns(self) -> int:
        """The number of columns of the matrix: the output channels."""
        shape = self.kernel.shape
        if isinstance(self.layer, TRANSPOSED):
            return int(shape[-2])
        if isinstance(self.layer, DEPTHWISE):
            return int(np.prod(shape[-2:]))
        return int(shape[-1])
