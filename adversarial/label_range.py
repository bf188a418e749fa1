"""Labels that must number the classes of a loss that Keras ships."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adversarial import backend
from adversarial.errors import conversation

Tensor = Any


def refusal_of_labels(given: Any, labels: Tensor, scores: Tensor) -> Tensor:
    """Returns 0, or NaN if a label does not number a class.

    Engines differ in what they do with such a label: TensorFlow raises on a
    processor and not on a graphics card, JAX takes it for no class at all.
    Where the labels have values it is an error on all of them; a compiled step
    cannot raise, so what is returned is added to the loss, and the step is
    refused.

    Args:
        given: The loss that reads the labels, as `compile` was given it.
        labels: Numbers of classes, of any shape.
        scores: A score per class along the last axis.

    Returns:
        A scalar of the dtype of `scores`.

    Raises:
        ValueError: if a label whose value is known is below 0 or not below the
            number of classes, and is not the `ignore_class` of the loss.
    """
    labels = ops.convert_to_tensor(labels)
    classes = ops.shape(scores)[-1]
    fits = ops.logical_and(labels >= 0, labels < classes)
    if isinstance(given, keras.losses.SparseCategoricalCrossentropy):
        ignored = given.ignore_class
        if ignored is not None:
            fits = ops.logical_or(fits, ops.equal(labels, ignored))
    known = backend.values(fits)
    if known is not None and not known.all():
        worst = np.unique(backend.values(labels)[~known])[:5].tolist()
        raise ValueError(
            conversation(
                "Labels must be numbers of classes.",
                expected=f"whole numbers in [0, {classes}).",
                received=", ".join(f"{x:g}" for x in worst) + ".",
                fix="count classes from 0, and give the network one score per "
                "class.",
            )
        )
    return ops.cast(ops.where(ops.all(fits), 0.0, float("nan")), scores.dtype)
