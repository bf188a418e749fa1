"""Classes of samples, and of images whose channels are samples."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.metrics import extractor as extractors
from adversarial.metrics.arguments import whole
from adversarial.registry import PACKAGE

Tensor = Any


def classes_of(found: Any) -> Tensor:
    """Returns the class of each sample, int64; -1 if scores are not finite.

    Args:
        found: Whole numbers, shape (batch,), or scores, shape (batch,
            classes), of which the largest counts.

    Raises:
        ValueError: for other shapes, or classes that are no whole numbers.
    """
    shape = tuple(found.shape)
    dtype = keras.backend.standardize_dtype(found.dtype)
    if len(shape) == 2 and shape[1] != 1:
        best = ops.cast(ops.argmax(found, axis=-1), "int64")
        finite = ops.isfinite(ops.cast(found, "float64"))
        return ops.where(ops.all(finite, axis=-1), best, -1)
    if len(shape) == 1 and "int" in dtype:
        return ops.cast(found, "int64")
    raise ValueError(
        conversation(
            "A classifier must say to which class each sample belongs.",
            expected="whole numbers, shape (batch,), or scores, shape "
            "(batch, classes).",
            received=f"{dtype} of shape {shape}.",
        )
    )


@keras.saving.register_keras_serializable(package=PACKAGE)
class StackedClassifier:
    """Classifies images by the classes of all their channels together.

    Pass it to `ModeCoverage` for stacked MNIST, images with three digits, one
    a channel: with a classifier of digits it has 1,000 classes.

        class = sum_j classes^(channels - 1 - j) c_j

    with c_j the class of channel j: a number whose digits are the classes.

    Args:
        classifier: Gets one channel, shape (batch, height, width, 1), and
            returns whole numbers, shape (batch,), or scores, shape (batch,
            classes): a Keras model, a callable, the path of a `.keras` file.
        classes: How many classes it has, 2 or more.

    Raises:
        ValueError: for less than 2 classes; when called, if the images have
            another rank than 4, or if the classifier has other classes.
        TypeError: if the classifier cannot be called, or if the number of
            classes is no whole number.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import StackedClassifier
    >>> def brightness(images):
    ...     return np.mean(images, axis=(1, 2, 3)).astype(int)
    >>> image = np.ones((1, 28, 28, 1)) * [4, 0, 7]
    >>> StackedClassifier(brightness, 10)(image)
    <tf.Tensor: shape=(1,), dtype=int64, numpy=array([407])>
    """

    def __init__(self, classifier: Any, classes: int) -> None:
        self._given = classifier
        self._classifier = extractors.resolve(classifier)
        self.classes = whole("classes", classes, 2)

    def __call__(self, images: Any) -> Tensor:
        """Returns the class of each image, shape (batch,), int64."""
        shape = tuple(images.shape)
        if len(shape) != 4 or not shape[-1]:
            raise ValueError(
                conversation(
                    "Stacked images have channels last.",
                    expected="shape (batch, height, width, channels).",
                    received=f"shape {shape}.",
                )
            )
        stacked: Tensor = 0
        good: Tensor = True
        for j in range(shape[-1]):
            channel = images[..., j : j + 1]
            found = extractors.extract(self._classifier, channel)
            found = extractors.numbers(found, "Classes")
            self._check(tuple(found.shape))
            c = classes_of(found)
            inside = ops.logical_and(c >= 0, c < self.classes)
            good = ops.logical_and(good, inside)
            stacked = stacked * self.classes + c
        return ops.where(good, stacked, -1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, the weights included.

        Raises:
            ValueError: for a callable that is not registered with Keras.
        """
        classifier = extractors.to_config(self._given)
        return {"classifier": classifier, "classes": self.classes}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StackedClassifier:
        """Remakes the object from its configuration."""
        classifier = extractors.from_config(config["classifier"])
        return cls(classifier, config["classes"])

    def _check(self, shape: tuple[int | None, ...]) -> None:
        if len(shape) == 2 and shape[1] != self.classes:
            raise ValueError(
                conversation(
                    "The classifier must have `classes` scores.",
                    expected=f"shape (batch, {self.classes}).",
                    received=f"shape {shape}.",
                )
            )
