"""A loss whose samples are weighed by an output of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.losses.adversarial_loss import AdversarialLoss
from adversarial.losses.loss_sum import LossSum
from adversarial.losses.named_loss import Names, listed
from adversarial.losses.seen import Seen, check_same, per_sample
from adversarial.registry import PACKAGE

Tensor = Any


@keras.saving.register_keras_serializable(package=PACKAGE)
class Weighted(AdversarialLoss):
    """Weighs a player's loss, sample by sample, with an output of the model.

    When you want it: the model itself says which samples count, as a
    `TopK` layer does for the generator's. For weights that come with the data
    pass `sample_weight` to `fit`, which also averages per sample.

        loss of the player   mean_i w_i loss_i
        of the others        as it is

    where w_i is the weight of sample i, which is not normalised: weights of 1
    change nothing.

    Facts: no gradient flows into the weights. The loss must have a value per
    sample; of patches all get the weight of their sample. Given sample weights
    multiply these.

    Args:
        loss: The loss: one that reads outputs by name, such as all here.
        output: The output with the weights, shape (batch, 1) or (batch,); of
            a map of patches the mean is taken.
        player: The player whose loss is weighed; or a list of players.

    Raises:
        TypeError: if `loss` is no `AdversarialLoss`, or a sum of them, or
            does not read outputs by name.
        ValueError: when called, for a loss without a value per sample, or a
            player to whom it gives none.

    Example:

    >>> from adversarial.losses import Wasserstein, Weighted
    >>> outputs = {"yreal": [[0.0], [0.0]], "yfake": [[1.0], [5.0]]}
    >>> outputs["weight"] = [[2.0], [0.0]]
    >>> loss = Weighted(Wasserstein(), "weight")
    >>> found = loss(["generator", "discriminator"], outputs)
    >>> float(found["generator"]), float(found["discriminator"])
    (-1.0, 3.0)
    """

    by_name = True

    def __init__(
        self, loss: AdversarialLoss, output: str, player: Names = "generator"
    ) -> None:
        self.loss = _checked(loss)
        self.output = output
        self.player = player

    def players_of(self, players: Sequence[str]) -> list[str]:
        """Returns the players to whom the loss gives a value.

        Raises:
            ValueError: if the player that is weighed is not one of them.
        """
        mine = self.loss.players_of(players)
        for name in listed(self.player):
            if name not in mine:
                raise ValueError(
                    conversation(
                        "`Weighted` needs a loss of the player that it weighs.",
                        expected=f"a loss for '{name}'.",
                        received=f"`{type(self.loss).__name__}`, which has "
                        "none.",
                    )
                )
        return mine

    def call(self, outputs: Any, targets: Any = None) -> Mapping[str, Tensor]:
        """Returns the losses per sample, those of the player weighed."""
        found = dict(self.loss.call(outputs, targets))
        for name in listed(self.player):
            seen = Seen("Weighted", name, outputs)
            weight = per_sample(seen.score("output", self.output))
            found[name] = _times(name, self.loss, found[name], weight)
        return found

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "loss": keras.saving.serialize_keras_object(self.loss),
            "output": self.output,
            "player": self.player,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Weighted:
        """Remakes the loss that is weighed, and this one."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _times(
    player: str, loss: AdversarialLoss, values: Tensor, weight: Tensor
) -> Tensor:
    values = ops.convert_to_tensor(values)
    if not tuple(values.shape):
        raise ValueError(
            conversation(
                "`Weighted` needs a loss per sample.",
                received=f"one number for player '{player}' from "
                f"`{type(loss).__name__}`.",
            )
        )
    sizes = ((values.shape[0],), (weight.shape[0],))
    check_same("Weighted", (type(loss).__name__, "output"), *sizes)
    weight = ops.stop_gradient(ops.cast(weight, values.dtype))
    ones = [1] * (len(values.shape) - 1)
    return values * ops.reshape(weight, (-1, *ones))


def _checked(loss: Any) -> AdversarialLoss:
    if isinstance(loss, LossSum):
        raise TypeError(
            conversation(
                "`Weighted` weighs one loss: a sum has no losses per sample.",
                received=f"a sum of {len(loss.parts)}.",
                fix="weigh its parts, and add those that keep their weight: "
                "`Weighted(NonSaturating(), ...) + 10.0 * FeatureMatching()`.",
            )
        )
    if not isinstance(loss, AdversarialLoss):
        raise TypeError(
            conversation(
                "`Weighted` weighs an `AdversarialLoss`.",
                received=f"{loss!r} of type `{type(loss).__name__}`.",
            )
        )
    if not loss.by_name:
        raise TypeError(
            conversation(
                "`Weighted` weighs a loss that reads outputs by name.",
                received=f"a `{type(loss).__name__}`, which does not.",
                fix="set `by_name = True` in its class and read a dict.",
            )
        )
    return loss
