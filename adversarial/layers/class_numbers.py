"""Numbers of classes as the input of a layer, in range or found out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation

Tensor = Any


def check_labels(layer: keras.layers.Layer, dtype: str, shape: Any) -> None:
    """Complains of labels that are no numbers of classes, by their type.

    Args:
        layer: The layer that reads them, for errors.
        dtype: The dtype of the labels.
        shape: Their shape.

    Raises:
        TypeError: unless they are integers.
        ValueError: unless their shape is (batch,) or (batch, 1).
    """
    dtype = keras.backend.standardize_dtype(dtype)
    if not keras.backend.is_int_dtype(dtype):
        raise TypeError(
            conversation(
                f"`{type(layer).__name__}` needs integer numbers of classes.",
                expected="labels of an integer dtype.",
                received=f"dtype {dtype}.",
                fix='declare them with `keras.Input((), dtype="int32")`; turn '
                "one-hot rows into numbers with `ops.argmax`.",
            )
        )
    if len(shape) > 2 or len(shape) < 1 or tuple(shape[1:]) not in ((), (1,)):
        raise ValueError(
            conversation(
                f"`{type(layer).__name__}` needs one class per sample.",
                expected="labels of shape (batch,) or (batch, 1).",
                received=f"shape {tuple(shape)}.",
            )
        )


def in_range(
    layer: keras.layers.Layer, labels: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Returns labels that can be looked up, and which of them are right.

    Args:
        layer: The layer that reads them, for errors.
        labels: Integers of shape (batch,) or (batch, 1).
        classes: The number of classes.

    Returns:
        The labels of shape (batch,), with 0 for wrong ones, and 1 for each
        right one but NaN for each wrong one, in float32: a compiled step
        cannot raise, and what is multiplied by NaN is not learned silently.

    Raises:
        TypeError, ValueError: as `check_labels`.
        ValueError: eagerly, if one is not from 0 to `classes - 1`.
    """
    check_labels(layer, labels.dtype, labels.shape)
    labels = ops.cast(ops.reshape(labels, (-1,)), "int64")
    fits = ops.logical_and(labels >= 0, labels < classes)
    values = backend.values(labels)
    if values is not None and ((values < 0) | (values >= classes)).any():
        wrong = np.unique(values[(values < 0) | (values >= classes)])[:5]
        raise ValueError(
            conversation(
                f"Labels of `{type(layer).__name__}` must be in range.",
                expected=f"numbers from 0 to {classes - 1} "
                f"(`classes={classes}`).",
                received=f"{', '.join(map(str, wrong.tolist()))}.",
                fix="count classes from 0, and pass their true number.",
            )
        )
    right = ops.where(fits, 1.0, float("nan"))
    labels = ops.where(fits, labels, ops.zeros_like(labels))
    return ops.cast(labels, "int32"), right
