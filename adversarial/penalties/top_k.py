"""Top-k training: weights that leave out the samples with the worst scores."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.arguments import checked_flag, checked_number
from adversarial.layers.positive import positive_whole
from adversarial.losses.seen import Seen, per_sample
from adversarial.registry import register

Tensor = Any
ROUNDING = 1e-4
"""Of share * n in single precision: 0.7 of 10 samples are 7, and not 6."""


@register("penalties")
class TopK(keras.layers.Layer):  # type: ignore[misc]
    """Weights by which only the best fake samples teach the generator.

    When you want it: late in training, where the gradient of samples that the
    discriminator takes for hopeless leads away from the modes. The weights go
    to the generator's loss with `Weighted(NonSaturating(), "top_k")`.

        share = max(fraction, decay^floor(t / period))    in step t = 0, 1, ...
        k     = max(1, floor(share n))                    of n samples
        w_i   = n / k for the k best scores, 0 for the others

    so that the mean of w_i loss_i is the mean loss of the k best. With the
    number of batches in an epoch as `period` it is the paper's schedule: k
    begins with the whole batch and is multiplied by `decay` each epoch.

    Put it into one model with the discriminator's layers, so that its counter
    belongs to the discriminator:

        pair = [keras.Input(shape), keras.Input(shape)]
        yreal, yfake = (critic(x) for x in pair)
        judge = keras.Model(pair, [yreal, yfake, TopK(period=469)(yfake)])

    A layer that is in no player's model warns, and never counts.

    Facts: exactly k samples count, of equal scores those that come first. No
    gradient flows into the weights. The counter moves once per step, with the
    discriminator's own move, and is saved. At inference the weights are those
    of the share so far. Batches may differ in size. A sample with patches has
    the mean of their scores.

    Args:
        fraction: What is kept of a batch in the end, above 0 and up to 1.
        decay: What the share is multiplied by, above 0 and up to 1; 1 keeps
            the whole batch for ever.
        period: After how many steps each, above 0.
        largest: Whether a high score means a good sample; `False` for
            energies, of which the lowest are best.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a number is out of its range; when called, for an
            output that is no score.

    Input: scores of fake samples, (batch, 1), (batch,) or
    (batch, height, width, 1).
    Output: the weights, shape (batch, 1), float32 at least.

    Example:

    >>> import numpy
    >>> from adversarial.penalties import TopK
    >>> layer = TopK(fraction=0.5, decay=0.5, period=1)
    >>> scores = numpy.array([[0.1], [3.0], [-2.0], [1.0]])
    >>> for _ in range(2):
    ...     layer(scores, training=True).numpy().ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    [0.0, 2.0, 0.0, 2.0]

    References:
        - Sinha, Zhao, Goyal, Raffel, Odena, Top-k Training of GANs: Improving
          GAN Performance by Throwing Away Bad Samples, NeurIPS 2020,
          arXiv 2002.06224.
    """

    def __init__(
        self,
        fraction: float = 0.5,
        decay: float = 0.99,
        period: int = 1000,
        *,
        largest: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.fraction = checked_number("fraction", fraction, above=0, most=1)
        self.decay = checked_number("decay", decay, above=0, most=1)
        self.period = positive_whole("period", period)
        self.largest = checked_flag("largest", largest)
        self.steps = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="int32",
            aggregation="only_first_replica",
            name="steps",
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the weights, and in training counts the step."""
        score = ops.stop_gradient(per_sample(_score(inputs)))
        steps = self.steps + 0
        if training:
            self.steps.assign(steps + 1)
        n = ops.cast(ops.shape(score)[0], score.dtype)
        times = ops.cast(steps // self.period, score.dtype)
        share = ops.power(ops.cast(self.decay, score.dtype), times)
        share = ops.maximum(ops.cast(self.fraction, score.dtype), share)
        k = ops.maximum(ops.floor(share * n + ROUNDING), 1.0)
        best_first = ops.argsort(-score if self.largest else score)
        # The rank of each sample: where it comes in that order.
        rank = ops.cast(ops.argsort(best_first), score.dtype)
        weight = ops.where(rank < k, n / k, ops.zeros_like(score))
        return ops.expand_dims(ops.stop_gradient(weight), -1)

    def compute_output_spec(
        self, inputs: Any, training: bool = False
    ) -> keras.KerasTensor:
        """Returns the shape (batch, 1)."""
        score = _score(inputs)
        return keras.KerasTensor((score.shape[0], 1), score.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "fraction": self.fraction,
            "decay": self.decay,
            "period": self.period,
            "largest": self.largest,
        }


def _score(inputs: Tensor) -> Tensor:
    return Seen("TopK", "", {"scores": inputs}).score("scores", "scores")
