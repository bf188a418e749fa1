"""A score that depends on a class."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.layers.class_numbers import check_labels, in_range
from adversarial.layers.positive import positive_whole
from adversarial.layers.reparametrized import Reparametrized
from adversarial.registry import register

Tensor = Any


@register("layers")
class ProjectionHead(keras.layers.Layer):  # type: ignore[misc]
    """Scores features h of a sample together with its class c.

    When you want it: as the last layer of the discriminator of a conditional
    GAN.

        score(h, c) = psi(h) + <e_c, h>

    Facts:
        With psi linear, e has one row of weights per class, and the score is
        one linear function per class, with a common part. A label that is out
        of range is an error eagerly; in a compiled step its score is NaN.

    Args:
        classes: The number of classes, a whole number above 0.
        score: A layer psi from (batch, features) to (batch, 1); `None` is
            `Dense(1)`.
        embedding: A layer from integers (batch,) to (batch, features); `None`
            is an `Embedding` of the classes. For spectral normalisation pass
            both: `SpectralNormalization(Dense(1))` and
            `SpectralNormalization(Embedding(classes, features))`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if `classes` is no whole number above 0, for features that
            are not flat, for layers with other shapes, for labels out of
            range.
        TypeError: for labels that are no integers.

    Input: a list of h, shape `(batch, features)`, floats, and c, shape
    `(batch,)` or `(batch, 1)`, integers.
    Output: shape `(batch, 1)`.

    Example:

    >>> import adversarial, numpy
    >>> head = adversarial.layers.ProjectionHead(10)
    >>> head([numpy.ones((4, 64)), numpy.array([0, 3, 3, 9])]).shape
    TensorShape([4, 1])

    References:
        - Miyato, Koyama, cGANs with Projection Discriminator, ICLR 2018,
          arXiv 1802.05637, equation (3) and figure 1 (d).
    """

    def __init__(
        self,
        classes: int,
        score: keras.layers.Layer | None = None,
        embedding: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes = positive_whole("classes", classes)
        policy = self.dtype_policy
        self.score = (
            keras.layers.Dense(1, dtype=policy, name="score")
            if score is None
            else score
        )
        self.embedding: Any = embedding

    def build(self, input_shape: Any) -> None:
        """Makes both parts, and checks that they fit."""
        features, labels = map(tuple, input_shape)
        if len(features) != 2 or features[1] is None:
            raise ValueError(
                conversation(
                    "`ProjectionHead` needs flat features.",
                    expected="shape (batch, features).",
                    received=f"shape {features}.",
                    fix="put `GlobalAveragePooling2D` or `Flatten` before it.",
                )
            )
        if self.embedding is None:
            self.embedding = keras.layers.Embedding(
                self.classes,
                features[1],
                dtype=self.dtype_policy,
                name="embedding",
            )
        self._check_rows()
        rows = (labels[0],)
        for part, given, expected in (
            (self.score, features, 1),
            (self.embedding, rows, features[1]),
        ):
            if not part.built:
                part.build(given)
            found = tuple(part.compute_output_shape(given))
            if found[1:] != (expected,):
                raise ValueError(
                    conversation(
                        f"'{part.name}' in `ProjectionHead` does not fit.",
                        expected=f"an output of shape (batch, {expected}).",
                        received=f"shape {found}.",
                    )
                )
        self.built = True

    def _check_rows(self) -> None:
        table: Any = self.embedding
        if isinstance(table, Reparametrized):
            table = table.layer
        if not isinstance(table, keras.layers.Embedding):
            return
        if table.input_dim != self.classes:
            raise ValueError(
                conversation(
                    "`embedding` must have one row per class.",
                    expected=f"{self.classes} (`classes={self.classes}`).",
                    received=f"{table.input_dim}.",
                )
            )

    def call(self, inputs: Any) -> Tensor:
        """Returns the scores."""
        h, labels = inputs
        labels, right = in_range(self, labels, self.classes)
        inner = ops.sum(self.embedding(labels) * h, axis=-1, keepdims=True)
        score = self.score(h) + inner
        return score * ops.cast(right, score.dtype)[:, None]

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """Returns the shape (batch, 1); checks the labels' type."""
        h, labels = inputs
        check_labels(self, labels.dtype, labels.shape)
        return keras.KerasTensor((h.shape[0], 1), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        write = keras.saving.serialize_keras_object
        own = {
            "classes": self.classes,
            "score": write(self.score),
            "embedding": self.embedding and write(self.embedding),
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ProjectionHead:
        """Remakes the layer."""
        read = keras.saving.deserialize_keras_object
        parts = {k: read(config[k]) for k in ("score", "embedding")}
        return cls(**{**config, **parts})
