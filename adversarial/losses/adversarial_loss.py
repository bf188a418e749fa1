"""The base class of losses that are written for a whole game."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from adversarial import backend
from adversarial.errors import conversation, quoted

Tensor = Any


class AdversarialLoss(abc.ABC):
    """The losses of all players, written as one function of their outputs.

    Use it when the game is easier to write down than a target per output: it
    needs no targets, so that `fit(x)` is enough. Subclass it, write `call`,
    and pass an instance to `compile(loss=...)`.

    Register the subclass with `keras.saving.register_keras_serializable` to
    save models that use it; one with constructor arguments also needs
    `get_config`.

    Example:

    >>> import adversarial
    >>> class Bilinear(adversarial.losses.AdversarialLoss):
    ...     def call(self, outputs, targets=None):
    ...         x, y = outputs["x"], outputs["y"]
    ...         return {"x": x * y, "y": -x * y}
    """

    @abc.abstractmethod
    def call(
        self, outputs: Any, targets: Any = None
    ) -> Mapping[str, Tensor] | Sequence[Tensor]:
        """Returns the loss of every player.

        Args:
            outputs: What the base model returned; or, with one network per
                player, what each returned, as a dict by player.
            targets: The `y` of the batch as it came; `None` after `fit(x)`.

        Returns:
            One tensor per player, as a dict by name or a list in player
            order: a scalar, or a value per sample (any shape that begins with
            the batch size), of which the mean is taken.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialLoss:
        """Remakes the loss from its configuration."""
        return cls(**config)

    def __call__(
        self,
        players: Sequence[str],
        outputs: Any,
        targets: Any = None,
        sample_weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Returns the scalar loss of every player, by name.

        Raises:
            ValueError: if `call` does not return one loss per player, or if
                sample weights meet a loss that is already a scalar.
        """
        losses = self.call(outputs, targets)
        if not isinstance(losses, Mapping):
            losses = list(losses)
            received = f"{len(losses)} losses"
            fits = len(losses) == len(players)
            losses = dict(zip(players, losses, strict=False))
        else:
            received = quoted(losses)
            fits = set(losses) == set(players)
        if not fits:
            raise ValueError(
                conversation(
                    f"`{type(self).__name__}.call` must return one loss per "
                    "player.",
                    expected=f"{quoted(players)}.",
                    received=f"{received}.",
                )
            )
        return {
            name: self._reduced(name, losses[name], sample_weight)
            for name in players
        }

    def _reduced(
        self, player: str, loss: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        loss = ops.convert_to_tensor(loss)
        if sample_weight is not None:
            if not loss.shape:
                raise ValueError(
                    conversation(
                        "`sample_weight` needs a loss per sample.",
                        expected="a tensor that begins with the batch size.",
                        received=f"a scalar for player '{player}' from "
                        f"`{type(self).__name__}`.",
                    )
                )
            weight = ops.cast(sample_weight, loss.dtype)
            extra = len(loss.shape) - len(weight.shape)
            loss = loss * ops.reshape(
                weight, (*ops.shape(weight), *[1] * extra)
            )
        return backend.per_replica(ops.mean(loss))
