"""Weighted sums of losses of whole games."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from adversarial.errors import conversation, quoted
from adversarial.losses.adversarial_loss import AdversarialLoss
from adversarial.registry import PACKAGE

Tensor = Any


@keras.saving.register_keras_serializable(package=PACKAGE)
class LossSum(AdversarialLoss):
    """A weighted sum of losses, player by player.

    It is what `+` and `*` make of losses, and is seldom written out. A part
    need not concern every player: to the others it adds nothing.

        loss of player i = sum_k w_k loss_k of player i

    Each part is averaged over the batch, and over its patches, by itself;
    sample weights weigh every part.

    Args:
        parts: Pairs of a finite number and an `AdversarialLoss`.

    Raises:
        ValueError: for no parts, or a weight that is not finite.
        TypeError: for anything that is no pair of a number and a loss.

    Example:

    >>> from adversarial.losses import FeatureMatching, NonSaturating
    >>> total = NonSaturating() + 10.0 * FeatureMatching("hreal", "hfake")
    >>> [(weight, type(part).__name__) for weight, part in total.parts]
    [(1.0, 'NonSaturating'), (10.0, 'FeatureMatching')]
    """

    def __init__(self, parts: Sequence[tuple[float, AdversarialLoss]]) -> None:
        self.parts = [_checked(part) for part in parts]
        if not self.parts:
            raise ValueError(conversation("A sum of losses must have a part."))

    @staticmethod
    def parts_of(loss: AdversarialLoss) -> list[tuple[float, AdversarialLoss]]:
        """Returns the parts of a sum, or a loss as its own only part."""
        return loss.parts if isinstance(loss, LossSum) else [(1.0, loss)]

    def call(self, outputs: Any, targets: Any = None) -> Mapping[str, Tensor]:
        """Is not of use: the parts are averaged before they are added.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            conversation(
                "A sum of losses has no losses per sample.",
                fix="call the sum itself, or its parts.",
            )
        )

    def players_of(self, players: Sequence[str]) -> list[str]:
        """Returns the players that some part concerns."""
        found = {n for _, part in self.parts for n in part.players_of(players)}
        return [name for name in players if name in found]

    # The only loss that replaces `__call__`: what parts of different shapes
    # have in common is their means.
    def __call__(
        self,
        players: Sequence[str],
        outputs: Any,
        targets: Any = None,
        sample_weight: Tensor | None = None,
        *,
        names: Any = None,
    ) -> dict[str, Tensor]:
        """Returns the scalar loss of every player, by name; see the base."""
        self._check_complete(players)
        terms: dict[str, list[Tensor]] = {name: [] for name in players}
        for weight, part in self.parts:
            mine = part.players_of(players)
            found = part(mine, outputs, targets, sample_weight, names=names)
            for name, loss in found.items():
                terms[name].append(weight * loss)
        return {name: _added(each) for name, each in terms.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the weights and the parts."""
        serialize = keras.saving.serialize_keras_object
        return {"parts": [[w, serialize(part)] for w, part in self.parts]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossSum:
        """Remakes the parts and their sum."""
        deserialize = keras.saving.deserialize_keras_object
        return cls([(w, deserialize(part)) for w, part in config["parts"]])


def _added(terms: list[Tensor]) -> Tensor:
    dtype = keras.backend.result_type(*(term.dtype for term in terms))
    return sum(keras.ops.cast(term, dtype) for term in terms)


def _checked(part: Any) -> tuple[float, AdversarialLoss]:
    weight, loss = part if len(part) == 2 else (None, None)
    if not isinstance(weight, numbers.Real) or not isinstance(
        loss, AdversarialLoss
    ):
        raise TypeError(
            conversation(
                "A part of a sum must be a number and an `AdversarialLoss`.",
                received=quoted(type(x).__name__ for x in part) + ".",
            )
        )
    if not math.isfinite(weight):
        raise ValueError(
            conversation(
                "The weight of a loss must be finite.", received=f"{weight}."
            )
        )
    return float(weight), loss
