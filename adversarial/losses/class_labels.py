"""Labels of classes: where they come from, and whether they are in range."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation
from adversarial.losses.seen import Seen, at_least_float32

Tensor = Any


def raw_labels(seen: Seen, argument: str, name: str | None) -> Tensor:
    """Returns labels of shape (batch,), as they came.

    Args:
        seen: The outputs and targets.
        argument: The argument that names their output, for errors.
        name: The name of their output; `None` for the targets.

    Raises:
        ValueError: if there are none, or not one per sample.
    """
    labels = seen.targets if name is None else seen.read(argument, name)
    what = "the targets" if name is None else f"the output '{name}'"
    if labels is None:
        raise ValueError(
            conversation(
                f"`{seen.reader}` needs labels of classes.",
                received="no targets.",
                fix=f"pass `fit(x, labels)`, or `{argument}=` the name of an "
                "output of the model that passes them through.",
            )
        )
    if keras.tree.is_nested(labels):
        raise ValueError(
            conversation(
                f"The targets of `{seen.reader}` must be one array of labels.",
                received=f"a {type(labels).__name__}.",
                fix="pass `fit(x, labels)`.",
            )
        )
    labels = ops.convert_to_tensor(labels)
    shape = tuple(labels.shape)
    if len(shape) == 2 and shape[1] == 1:
        return ops.squeeze(labels, axis=1)
    if len(shape) != 1:
        raise ValueError(
            conversation(
                f"`{seen.reader}` needs the number of a class per sample.",
                expected=f"{what} of shape (batch,) or (batch, 1).",
                received=f"shape {shape}.",
                fix="turn one-hot rows into numbers with "
                "`labels.argmax(axis=-1)`.",
            )
        )
    return labels


def one_hot_labels(
    seen: Seen, argument: str, name: str | None, classes: int
) -> Tensor:
    """Returns labels as rows of 0 and 1, shape (batch, classes).

    A label that is out of range is an error where its value is known, that is
    run eagerly; in a compiled step, which cannot raise, it makes its row NaN,
    so that the step is refused instead of learning nonsense.

    Args:
        seen: The outputs and targets.
        argument: The argument that names their output, for errors.
        name: The name of their output; `None` for the targets.
        classes: The number of classes.

    Raises:
        ValueError: if there are none, not one per sample, or (eagerly) if one
            is not a whole number from 0 to `classes - 1`.
    """
    labels = raw_labels(seen, argument, name)
    whole = ops.cast(labels, "int32")
    floats = at_least_float32(labels)
    fits = ops.equal(ops.cast(whole, floats.dtype), floats)
    fits = ops.logical_and(fits, ops.logical_and(whole >= 0, whole < classes))
    bad = backend.values(floats)
    known = backend.values(fits)
    if bad is not None and known is not None and not known.all():
        worst = np.unique(bad[~known])[:5].tolist()
        raise ValueError(
            conversation(
                f"Labels of `{seen.reader}` must be numbers of classes.",
                expected=f"whole numbers from 0 to {classes - 1} "
                f"(`classes={classes}`).",
                received=", ".join(f"{x:g}" for x in worst) + ".",
                fix="count classes from 0, and pass their true number.",
            )
        )
    hot = ops.one_hot(ops.where(fits, whole, 0), classes, dtype=floats.dtype)
    return ops.where(ops.expand_dims(fits, -1), hot, float("nan"))


def class_scores(
    seen: Seen, argument: str, name: str, columns: int, why: str
) -> Tensor:
    """Returns an output with a score per class.

    Args:
        seen: The outputs.
        argument: The argument that names the output, for errors.
        name: The name of the output.
        columns: How many scores it must have.
        why: What they are, for errors.

    Raises:
        ValueError: unless its shape is (batch, columns).
    """
    scores = seen.read(argument, name)
    shape = tuple(scores.shape)
    if len(shape) != 2 or shape[1] not in (None, columns):
        raise ValueError(
            conversation(
                f"`{seen.reader}` needs {columns} scores per sample: {why}.",
                expected=f"an output '{name}' of shape (batch, {columns}).",
                received=f"shape ({', '.join(_size(n) for n in shape)}).",
                fix="end it in as many units, or pass the true number of "
                "classes.",
            )
        )
    return scores


def cross_entropy(rows: Tensor, scores: Tensor) -> Tensor:
    """Returns -sum rows log softmax(scores), shape (batch,)."""
    rows = ops.cast(rows, scores.dtype)
    return -ops.sum(rows * ops.log_softmax(scores, axis=-1), axis=-1)


def _size(n: int | None) -> str:
    return "?" if n is None else str(n)
