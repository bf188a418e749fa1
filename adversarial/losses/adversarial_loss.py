"""The base class of losses that are written for a whole game."""

from __future__ import annotations

import abc
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import keras
from keras import ops

from adversarial import backend, registry
from adversarial.errors import conversation, quoted
from adversarial.same_rows import unless_rows_differ

if TYPE_CHECKING:
    from adversarial.losses.loss_sum import LossSum

Tensor = Any
NUMBERS = ("float", "bfloat", "int", "uint", "bool")
"""What the types of real numbers begin with."""


class AdversarialLoss(abc.ABC):
    """The losses of all players, written as one function of their outputs.

    Use it when the game is easier to write down than a target per output: it
    needs no targets, so that `fit(x)` is enough. Subclass it, write `call`,
    and pass an instance to `compile(loss=...)`.

    Register the subclass with `keras.saving.register_keras_serializable` to
    save models that use it; one with constructor arguments also needs
    `get_config`.

    Losses add and scale: `NonSaturating() + 10.0 * FeatureMatching("h")` is
    the loss of every player, summed over the parts that concern it.

    Attributes:
        by_name: Whether `call` gets a flat dict of the outputs by name, even
            where the base model returns a list (with one network per player:
            a dict of these by player). A subclass sets it.

    Example:

    >>> import adversarial
    >>> class Bilinear(adversarial.losses.AdversarialLoss):
    ...     def call(self, outputs, targets=None):
    ...         x, y = outputs["x"], outputs["y"]
    ...         return {"x": x * y, "y": -x * y}
    """

    by_name: ClassVar[bool] = False

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

    def players_of(self, players: Sequence[str]) -> list[str]:
        """Returns the players to whom `call` gives a loss, here all of them.

        Args:
            players: The players of the game.

        Raises:
            ValueError: if a player that the loss names is not in the game.
        """
        return list(players)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialLoss:
        """Remakes the loss from its configuration."""
        return cls(**config)

    def __add__(self, other: AdversarialLoss) -> LossSum:
        """Adds two losses, player by player."""
        from adversarial.losses.loss_sum import LossSum

        if not isinstance(other, AdversarialLoss):
            return NotImplemented
        return LossSum([*LossSum.parts_of(self), *LossSum.parts_of(other)])

    def __mul__(self, weight: float) -> LossSum:
        """Multiplies the loss of every player by a number."""
        from adversarial.losses.loss_sum import LossSum

        if not isinstance(weight, numbers.Real):
            return NotImplemented
        return LossSum([(weight * w, p) for w, p in LossSum.parts_of(self)])

    __rmul__ = __mul__

    def __call__(
        self,
        players: Sequence[str],
        outputs: Any,
        targets: Any = None,
        sample_weight: Tensor | None = None,
        *,
        names: Any = None,
    ) -> dict[str, Tensor]:
        """Returns the scalar loss of every player, by name.

        Args:
            players: The players.
            outputs: What the base model returned; or, with one network per
                player, what each returned, as a dict by player.
            targets: The `y` of the batch.
            sample_weight: One array, of a shape that begins those of all
                losses; or `None`.
            names: The names of the outputs in flat order (with one network
                per player: a dict of these by player), for losses that read
                outputs by name; `None` if the outputs are such a dict.

        Raises:
            ValueError: if `call` does not return one loss per player, or if
                the sample weights do not fit a loss.
            TypeError: if `call` returns neither a dict nor a list.
        """
        self._check_complete(players)
        if self.by_name and names is not None:
            outputs = _named(outputs, names)
        losses = self._by_player(players, self.call(outputs, targets))
        return {
            name: self._reduced(name, losses[name], sample_weight)
            for name in players
        }

    def _check_complete(self, players: Sequence[str]) -> None:
        mine = self.players_of(players)
        left_out = [name for name in players if name not in mine]
        if left_out:
            raise ValueError(
                conversation(
                    "Every player must have a loss.",
                    expected=f"a loss for each of {quoted(players)}.",
                    received=f"`{type(self).__name__}`, which has none for "
                    f"{quoted(left_out)}.",
                    fix="add it to a loss that has: `NonSaturating() + "
                    f"{type(self).__name__}(...)`.",
                )
            )

    def _by_player(
        self, players: Sequence[str], losses: Any
    ) -> Mapping[str, Tensor]:
        call = f"`{type(self).__name__}.call`"
        if not isinstance(losses, Mapping | list | tuple):
            raise TypeError(
                conversation(
                    f"{call} must return a dict or a list of losses.",
                    expected=f"one loss for each of {quoted(players)}.",
                    received=f"an object of type `{type(losses).__name__}`.",
                )
            )
        found: Mapping[str, Tensor]
        if isinstance(losses, Mapping):
            found = losses
            fits = set(losses) == set(players)
            received = quoted(losses)
        else:
            found = dict(zip(players, losses, strict=False))
            fits = len(losses) == len(players)
            received = f"a list of {len(losses)}"
        missing = [name for name in players if found.get(name) is None]
        if not fits or missing:
            raise ValueError(
                conversation(
                    f"{call} must return one loss per player.",
                    expected=f"{quoted(players)}.",
                    received=f"{received}."
                    if not fits
                    else f"None for {quoted(missing)}.",
                )
            )
        return found

    def _reduced(
        self, player: str, loss: Tensor, sample_weight: Tensor | None
    ) -> Tensor:
        loss = ops.convert_to_tensor(loss)
        dtype = keras.backend.standardize_dtype(loss.dtype)
        if not dtype.startswith(NUMBERS):
            raise TypeError(
                conversation(
                    f"`{type(self).__name__}.call` must return real numbers.",
                    received=f"{dtype} for player '{player}'.",
                )
            )
        if sample_weight is not None:
            weight = self._weight(player, loss, sample_weight)
            loss = unless_rows_differ(loss * weight, loss, [weight])
        return backend.per_replica(ops.mean(loss))

    def _weight(self, player: str, loss: Tensor, sample_weight: Any) -> Tensor:
        """The weights, with axes of length 1 up to the rank of the loss."""
        if keras.tree.is_nested(sample_weight):
            raise ValueError(
                conversation(
                    "`sample_weight` must be one array: "
                    f"`{type(self).__name__}` is one loss for all targets.",
                    received=f"a {type(sample_weight).__name__}.",
                )
            )
        weight = ops.cast(sample_weight, loss.dtype)
        beginning = tuple(loss.shape)[: len(weight.shape)]
        fits = len(weight.shape) == len(beginning) and all(
            None in pair or pair[0] == pair[1]
            for pair in zip(weight.shape, beginning, strict=True)
        )
        if not loss.shape or not fits:
            raise ValueError(
                conversation(
                    "`sample_weight` needs a loss per sample.",
                    expected="losses of a shape that begins with that of the "
                    f"weights, {tuple(weight.shape)}.",
                    received=f"shape {tuple(loss.shape)} for player "
                    f"'{player}' from `{type(self).__name__}`.",
                )
            )
        extra = len(loss.shape) - len(weight.shape)
        return ops.reshape(weight, (*ops.shape(weight), *[1] * extra))


def _named(outputs: Any, names: Any) -> dict[str, Any]:
    if isinstance(names, Mapping):
        return {name: _named(outputs[name], names[name]) for name in names}
    return dict(zip(names, keras.tree.flatten(outputs), strict=True))


def get(identifier: Any) -> AdversarialLoss:
    """Returns the loss of a whole game for a name, a config or a loss.

    Args:
        identifier: A snake_case name such as `"non_saturating"`, a Keras
            serialisation config, or an `AdversarialLoss`.

    Raises:
        ValueError: for an unknown name, with the nearest spelling, or the
            name of a loss that needs arguments.
        TypeError: for anything that is not an `AdversarialLoss`.
    """
    loss: AdversarialLoss = registry.get(
        "losses", identifier, AdversarialLoss, "adversarial loss"
    )
    return loss


def loss_of_game(given: Any) -> AdversarialLoss | None:
    """Returns the loss of a whole game that `compile(loss=...)` asks for.

    A name that Keras knows keeps its meaning, so `"hinge"` is a loss on
    targets.

    Args:
        given: Anything.

    Returns:
        The loss, or `None` for what is neither a loss of a whole game nor the
        name of one.

    Raises:
        ValueError: for the name of a loss that needs arguments.
    """
    if isinstance(given, AdversarialLoss):
        return given
    if not isinstance(given, str) or given not in registry.names("losses"):
        return None
    try:
        keras.losses.get(given)
    except ValueError:
        return get(given)
    return None
