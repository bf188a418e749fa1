"""The layer that holds what a player of an analytic game decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial.registry import PACKAGE

Tensor = Any


@keras.saving.register_keras_serializable(package=PACKAGE)
class Bounded(keras.constraints.Constraint):  # type: ignore[misc]
    """Clips a variable into [-bound, bound] after every step."""

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def __call__(self, w: Tensor) -> Tensor:
        """Returns the clipped value."""
        bound = ops.convert_to_tensor(self.bound, w.dtype)
        return ops.clip(w, -bound, bound)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"bound": self.bound}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PlayerParameters(keras.layers.Layer):  # type: ignore[misc]
    """Returns the parameters of one player, whatever its input is.

    Args:
        shapes: The shape of each tensor.
        split: Whether a tensor of several numbers is held in two variables,
            its first half and the rest, which are joined when it is used.
        bound: The largest absolute value of a number, held by a constraint;
            `None` is no bound.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input: any tensor, of which only the batch size is used.
    Output: a list of tensors of shape `(batch, *shape)`, all rows equal.
    """

    def __init__(
        self,
        shapes: Sequence[Sequence[int]],
        *,
        split: bool = False,
        bound: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.shapes = [tuple(shape) for shape in shapes]
        self.split = split
        self.bound = bound
        constraint = None if bound is None else Bounded(bound)
        self.pieces = [
            [
                self.add_weight(
                    shape=piece,
                    initializer="zeros",
                    constraint=constraint,
                    name=f"tensor_{number}{part}",
                )
                for part, piece in self._pieces_of(shape).items()
            ]
            for number, shape in enumerate(self.shapes)
        ]
        self.built = True

    def call(self, inputs: Tensor) -> list[Tensor]:
        """Repeats every tensor once per row of the input."""
        rows = ops.shape(inputs)[0]
        return [
            ops.broadcast_to(_joined(pieces, shape), (rows, *shape))
            for pieces, shape in zip(self.pieces, self.shapes, strict=True)
        ]

    def compute_output_spec(self, inputs: Any) -> list[keras.KerasTensor]:
        """Returns the shapes `(batch, *shape)` and the compute dtype."""
        return [
            keras.KerasTensor((inputs.shape[0], *shape), self.compute_dtype)
            for shape in self.shapes
        ]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "shapes": self.shapes,
            "split": self.split,
            "bound": self.bound,
        }

    def _pieces_of(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        size = math.prod(shape)
        if not self.split or size < 2:
            return {"": shape}
        return {"_begin": (size // 2,), "_end": (size - size // 2,)}


def _joined(pieces: Sequence[Tensor], shape: tuple[int, ...]) -> Tensor:
    flat = [ops.reshape(piece, (-1,)) for piece in pieces]
    whole = flat[0] if len(flat) == 1 else ops.concatenate(flat)
    return ops.reshape(whole, (1, *shape))
