"""LeCam: scores are held by a memory of the scores of the other side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_count, checked_flag, checked_number
from adversarial.losses.seen import Seen, per_sample
from adversarial.registry import register

Tensor = Any


@register("penalties")
class LeCam(keras.layers.Layer):  # type: ignore[misc]
    """Holds real scores to the mean of fake ones, and the other way round.

    When you want it: with few data, where a discriminator learns the samples
    by heart and its scores drift apart. Augmentation goes well with it.

        value = (D(x) - a_F)^2 + (D(g) - a_R)^2
        a_R <- a_R + w (E D(x) - a_R),    a_F <- a_F + w (E D(g) - a_F)

    for each sample, with g = G(z), w = (1 - decay) / (1 - decay^t) in step t =
    1, 2, ..., and E the mean over the batch. So the anchors a are exponential
    moving averages without the weight of where they began. Mind the crossing:
    a real score is held to the anchor of the *fake* ones.

    Put it into one model with the discriminator's layers, called on both
    scores, so that it belongs to the discriminator, and add it to the loss as
    `0.1 * Penalty("lecam")`:

        pair = [keras.Input(shape), keras.Input(shape)]
        scores = [critic(x) for x in pair]
        judge = keras.Model(pair, [*scores, LeCam()(scores)])

    Facts: a step is made with the anchors from before it, which are constants
    in it; the first step, before which there are none, with the means of its
    own batch. They move once per step, with the discriminator's own move, and
    are saved. At inference they stay. Scores of patches are squared one by
    one, then averaged. Computed in float32 at least.

    Args:
        decay: The weight of the past, from 0 to below 1.
        one_sided: Whether only real scores above a_F and fake ones below a_R
            cost anything, as in the authors' code:
            max(0, D(x) - a_F)^2 + max(0, a_R - D(g))^2.
        start: For how many steps the anchors move and the value is 0, at
            least 0.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a number is out of its range; when called, for outputs
            that are no scores of batches of one size.

    Input: a list of the scores of real and of fake samples, each (batch, 1),
    (batch,) or (batch, height, width, 1).
    Output: shape (batch,), float32 at least.

    Example:

    >>> import numpy
    >>> from adversarial.penalties import LeCam
    >>> layer = LeCam(decay=0.5)
    >>> real, fake = numpy.full((2, 1), 3.0), numpy.full((2, 1), -1.0)
    >>> layer([real, fake], training=True).numpy().tolist()
    [32.0, 32.0]
    >>> float(layer.anchor_real.value), float(layer.anchor_fake.value)
    (3.0, -1.0)

    References:
        - Tseng, Jiang, Liu, Yang, Yang, Regularizing Generative Adversarial
          Networks under Limited Data, CVPR 2021, arXiv 2104.03310.

    Differs from the authors' code, which cuts off one side (`one_sided`),
    takes the batch of a step into the anchors before it uses them, and for
    BigGAN begins with anchors of 1000, hence without the value for some steps
    (`start`).
    """

    def __init__(
        self,
        decay: float = 0.99,
        *,
        one_sided: bool = False,
        start: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **{"name": "lecam", **kwargs})
        self.decay = checked_number("decay", decay, least=0, below=1)
        self.one_sided = checked_flag("one_sided", one_sided)
        self.start = checked_count("start", start)
        self.anchor_real, self.anchor_fake = (
            self.add_weight(
                shape=(),
                initializer="zeros",
                trainable=False,
                aggregation="mean",
                name=f"anchor_{side}",
            )
            for side in ("real", "fake")
        )
        self.steps = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="int32",
            aggregation="only_first_replica",
            name="steps",
        )
        self.built = True

    def call(self, inputs: Sequence[Tensor], training: bool = False) -> Tensor:
        """Returns the value of each sample, and in training moves anchors."""
        real, fake = _scores(inputs)
        steps = self.steps + 0
        begun = steps > 0
        a_real, a_fake = (
            ops.stop_gradient(
                ops.where(begun, ops.cast(a + 0.0, x.dtype), ops.mean(x))
            )
            for a, x in ((self.anchor_real, real), (self.anchor_fake, fake))
        )
        if training:
            self._move(real, fake, steps)
        away = real - a_fake, a_real - fake
        if self.one_sided:
            away = ops.relu(away[0]), ops.relu(away[1])
        value = per_sample(away[0] ** 2) + per_sample(away[1] ** 2)
        if not self.start:
            return value
        return ops.where(steps >= self.start, value, ops.zeros_like(value))

    def _move(self, real: Tensor, fake: Tensor, steps: Tensor) -> None:
        t = ops.cast(steps + 1, self.variable_dtype)
        # A plain number would be rounded to the precision of all Keras.
        decay = ops.convert_to_tensor(self.decay, t.dtype)
        w = (1 - self.decay) / (1 - ops.power(decay, t))
        for anchor, x in ((self.anchor_real, real), (self.anchor_fake, fake)):
            mean = ops.cast(ops.stop_gradient(ops.mean(x)), anchor.dtype)
            anchor.assign(anchor + ops.cast(w, anchor.dtype) * (mean - anchor))
        self.steps.assign(steps + 1)

    def compute_output_spec(
        self, inputs: Any, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch,)."""
        real, fake = _scores(inputs)
        dtype = keras.backend.result_type(real.dtype, fake.dtype)
        return keras.KerasTensor((fake.shape[0],), dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "decay": self.decay,
            "one_sided": self.one_sided,
            "start": self.start,
        }


def _scores(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The scores, of batches of one size."""
    seen = Seen("LeCam", "", dict(zip(("real", "fake"), inputs, strict=True)))
    return seen.pair("real", "fake", alike=False)
