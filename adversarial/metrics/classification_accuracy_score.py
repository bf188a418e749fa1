"""The accuracy on real samples of a classifier that saw generated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from adversarial.errors import conversation

Array = np.ndarray[Any, Any]
Generator = Callable[[Array], Any]


def classification_accuracy_score(
    classifier: Any,
    fake: tuple[Any, Any] | Generator,
    real: tuple[Any, Any],
    *,
    labels: Any = None,
    fit: Mapping[str, Any] | None = None,
) -> float:
    """Trains a classifier on generated samples and tests it on real ones.

    Take it for class-conditional generators: it asks whether the samples are
    good for anything, and finds classes that are missing, mixed up or all
    alike, which the Frechet distance forgives.

        classifier <- fit(generated samples, their labels)
        score      =  part of the real samples that it classifies correctly

    Facts: at most what the same classifier reaches when it is trained on real
    samples; compute that number too (pass real training samples as `fake`)
    and compare. It varies with the seed of the training; repeat it.

    Args:
        classifier: What to train: a function of nothing that returns a fresh
            one, such as a class of scikit-learn; or an object that nobody has
            trained. Either a compiled Keras model whose output is scores,
            shape (batch, classes), for labels from 0, or anything with
            `fit(x, y)` and `score(x, y)`, the accuracy, such as an estimator
            of scikit-learn.
        fake: Generated samples and their labels; or a function that makes a
            sample for each of the labels.
        real: Real samples and their labels: a test set.
        labels: For a function only: the labels to generate, shape (n,); they
            should be those of the real training set.
        fit: Arguments for `fit`, such as `{"epochs": 10}`.

    Returns:
        A float between 0 and 1.

    Raises:
        ValueError: if samples and labels are not as many, or none; if a Keras
            model is not compiled or has been trained; if `score` is not an
            accuracy; if `labels` come without a function, or do not come.
        TypeError: for a classifier without `fit` and `score`.

    Example:

    >>> import numpy as np
    >>> from adversarial.metrics import classification_accuracy_score
    >>> class NearestMean:
    ...     def fit(self, x, y):
    ...         self.means = np.array([x[y == c].mean() for c in (0, 1)])
    ...     def score(self, x, y):
    ...         nearest = np.abs(x - self.means).argmin(axis=1)
    ...         return np.mean(nearest == y)
    >>> x, y = np.array([[0.0], [0.2], [0.9], [1.0]]), np.array([0, 0, 1, 1])
    >>> classification_accuracy_score(NearestMean, (x, y), (x, y))
    1.0
    >>> classification_accuracy_score(NearestMean, (x, 1 - y), (x, y))
    0.0

    References: Ravuri and Vinyals, Classification Accuracy Score for
    Conditional Generative Models, NeurIPS 2019, section 3.
    """
    x, y = _generated(fake, labels)
    x_real, y_real = _pair("real", *real)
    model = classifier() if _makes(classifier) else classifier
    _check(model)
    arguments = dict(fit or {})
    if isinstance(model, keras.Model):
        model.fit(x, y, **{"verbose": 0, **arguments})
        scores = model.predict(x_real, verbose=0)
        if scores.ndim != 2 or scores.shape[1] < 2 or y_real.ndim != 1:
            raise ValueError(
                conversation(
                    "A Keras classifier must return scores, and labels must "
                    "be numbers of classes.",
                    expected="shapes (batch, classes) and (batch,).",
                    received=f"{scores.shape} and {y_real.shape}.",
                )
            )
        return float(np.mean(np.argmax(scores, axis=-1) == y_real))
    model.fit(x, y, **arguments)
    score = float(model.score(x_real, y_real))
    if not 0 <= score <= 1:
        raise ValueError(
            conversation(
                "`score` must be the accuracy, between 0 and 1.",
                received=f"{score} from `{type(model).__name__}`.",
                fix="pass a classifier, not a regressor.",
            )
        )
    return score


def _makes(classifier: Any) -> bool:
    """Whether it makes classifiers, and is none itself."""
    return isinstance(classifier, type) or (
        callable(classifier) and not callable(getattr(classifier, "fit", None))
    )


def _check(model: Any) -> None:
    if not isinstance(model, keras.Model):
        for method in ("fit", "score"):
            if not callable(getattr(model, method, None)):
                raise TypeError(
                    conversation(
                        "A classifier must have `fit` and `score`.",
                        expected="a compiled Keras model, an estimator of "
                        "scikit-learn, or a function that returns one.",
                        received=f"an object of type "
                        f"`{type(model).__name__}` without `{method}`.",
                    )
                )
        return
    trained = model.compiled and int(model.optimizer.iterations.numpy()) > 0
    if trained or not model.compiled:
        raise ValueError(
            conversation(
                "A Keras classifier must be compiled, and fresh.",
                received=f"'{model.name}', which "
                f"{'has been trained' if trained else 'is not compiled'}.",
                fix="pass a function that builds and compiles a new one.",
            )
        )


def _generated(fake: Any, labels: Any) -> tuple[Array, Array]:
    if callable(fake) == (labels is None):
        raise ValueError(
            conversation(
                "`labels` are what a function generates samples for.",
                received="a function without `labels`."
                if labels is None
                else "`labels`, and samples that have their own.",
            )
        )
    if callable(fake):
        labels = np.asarray(labels)
        return _pair("generated", fake(labels), labels)
    return _pair("generated", *fake)


def _pair(which: str, x: Any, y: Any) -> tuple[Array, Array]:
    x, y = keras.ops.convert_to_numpy(x), keras.ops.convert_to_numpy(y)
    if not len(x) or len(x) != len(y):
        raise ValueError(
            conversation(
                f"There must be one label for each {which} sample.",
                received=f"{len(x)} samples and {len(y)} labels.",
            )
        )
    return x, y
