"""GAN losses as plain Keras losses with targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.losses.named_loss import listed
from adversarial.losses.seen import Seen
from adversarial.registry import PACKAGE, snake_case

if TYPE_CHECKING:
    from adversarial.losses.gan_loss import SeparableLoss

Tensor = Any


@keras.saving.register_keras_serializable(package=PACKAGE)
class ScoreLoss(keras.losses.Loss):  # type: ignore[misc]
    """One player's part of a GAN loss, for one output and its targets.

    `per_output` of a loss makes it.

        generator:      target * on_generated(score)
        discriminator:  target * on_real(score) + (1 - target) * on_fake(score)

    Args:
        loss: The GAN loss, or its serialisation config.
        player: The name of one of its players.
        reduction: As for any Keras loss.
        name: The name of the loss.
        dtype: As for any Keras loss.

    Raises:
        ValueError: if the targets have neither the shape of the scores nor
            one value per sample.

    Example:

    >>> from adversarial.losses import LeastSquares
    >>> told = LeastSquares().per_output("discriminator")
    >>> float(told([[1.0], [0.0]], [[0.5], [0.5]]))
    0.125
    """

    def __init__(
        self,
        loss: SeparableLoss,
        player: str,
        reduction: str | None = "sum_over_batch_size",
        *,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        name = name or f"{snake_case(type(loss).__name__)}_of_{player}"
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.loss = loss
        self.player = player

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Returns the loss of every score, in the shape of the scores."""
        reader = type(self.loss).__name__
        score = Seen(reader, self.player, {"y_pred": y_pred}).score(
            "per_output", "y_pred"
        )
        target = _like(ops.cast(y_true, score.dtype), score)
        if self.player in listed(self.loss.generator):
            return target * self.loss.on_generated(score)
        real, fake = self.loss.on_real(score), self.loss.on_fake(score)
        return target * real + (1 - target) * fake

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "player": self.player}


def _like(target: Tensor, score: Tensor) -> Tensor:
    """Brings targets to the rank of the scores; nothing else broadcasts."""
    shape, wanted = tuple(target.shape), tuple(score.shape)
    if all(n == 1 for n in shape[1:]):
        return ops.reshape(target, (-1, *[1] * (len(wanted) - 1)))
    if len(wanted) == len(shape) + 1 and wanted[-1] == 1:
        target, shape = ops.expand_dims(target, -1), (*shape, 1)
    if len(shape) != len(wanted) or any(
        None not in pair and pair[0] != pair[1]
        for pair in zip(shape, wanted, strict=True)
    ):
        raise ValueError(
            conversation(
                "Targets must have the shape of the scores, or one value per "
                "sample.",
                expected=f"shape {wanted} or (batch,).",
                received=f"shape {tuple(target.shape)}.",
            )
        )
    return target
