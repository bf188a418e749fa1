"""A regulariser that keeps the filters of a layer apart."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_flag, checked_number
from adversarial.errors import conversation
from adversarial.registry import register

Tensor = Any


@register("penalties")
class OrthogonalRegularizer(keras.regularizers.Regularizer):  # type: ignore[misc]
    """Keeps the filters of a kernel orthogonal to each other.

    When you want it: in a generator whose latents you will truncate, as
    BigGAN's; also to spread what the filters of a discriminator see. Give it
    to layers as `kernel_regularizer`. With the kernel as a matrix M, one
    column per output channel:

        R = strength |M^T M o (1 - I)|_F^2                 by default
        R = strength |M^T M - I|_F^2                       `diagonal=True`

    where o multiplies entry by entry and I is the identity: the sum of the
    squared inner products of all pairs of different columns, each pair twice;
    with `diagonal` also of how far their squared lengths are from 1. 0 where
    the columns are orthogonal (and of length 1).

    Facts: the gradient is 4 strength M (M^T M o (1 - I)). A matrix with more
    columns than rows cannot reach 0. In an `AdversarialModel` the term is in
    the loss of the player that owns the kernel and in no other, wherever that
    loss is evaluated. Costs a product of M with itself, whatever the batch.

    Args:
        strength: The weight of the term, at least 0.
        diagonal: Whether columns must have length 1, too.
        axis: The axis of the output channels: the last for `Dense`, `Conv1D`,
            `Conv2D` and `Conv3D`; -2 for transposed convolutions.

    Raises:
        ValueError: for a negative or infinite `strength`; when it is called,
            for a vector, or an axis that the kernel does not have.

    Example:

    >>> import numpy
    >>> from adversarial.penalties import OrthogonalRegularizer
    >>> regularizer = OrthogonalRegularizer(0.5)
    >>> float(regularizer(numpy.array([[1.0, 3.0], [2.0, 0.0]], "float32")))
    9.0

    References:
        - Brock, Lim, Ritchie, Weston, Neural Photo Editing with Introspective
          Adversarial Networks, ICLR 2017, arXiv 1609.07093 (orthogonal
          regularisation, of absolute values).
        - Brock, Donahue, Simonyan, Large Scale GAN Training for High Fidelity
          Natural Image Synthesis, ICLR 2019, arXiv 1809.11096, section 3.1
          (both forms here).

    Differs from the authors' PyTorch code, which adds 2 strength M (...) to
    the gradient, half of that of the formula: its 1e-4 is 5e-5 here.

    Differs from `keras.regularizers.OrthogonalRegularizer`, which takes the
    mean of the absolute cosines, so that the lengths do not matter and the
    slope does not shrink near 0; between rows, the weights of one input, by
    default; and of matrices only.
    """

    def __init__(
        self, strength: float = 1e-4, *, diagonal: bool = False, axis: int = -1
    ) -> None:
        self.strength = checked_number("strength", strength, least=0)
        self.diagonal = checked_flag("diagonal", diagonal)
        self.axis = axis

    def __call__(self, x: Tensor) -> Tensor:
        """Returns the term for a kernel, a scalar."""
        rank = len(x.shape)
        if rank < 2 or not -rank <= self.axis < rank:
            raise ValueError(
                conversation(
                    "`OrthogonalRegularizer` is for kernels with an axis "
                    f"{self.axis} of output channels.",
                    expected="two axes or more.",
                    received=f"shape {tuple(x.shape)}.",
                    fix="pass it as `kernel_regularizer`.",
                )
            )
        x = ops.moveaxis(ops.convert_to_tensor(x), self.axis, -1)
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        products = ops.matmul(ops.transpose(matrix), matrix)
        eye = ops.eye(products.shape[0], dtype=products.dtype)
        if self.diagonal:
            return self.strength * ops.sum((products - eye) ** 2)
        return self.strength * ops.sum((products * (1 - eye)) ** 2)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "strength": self.strength,
            "diagonal": self.diagonal,
            "axis": self.axis,
        }
