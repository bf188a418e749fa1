"""An output of the model as a term of a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adversarial.losses.named_loss import NamedLoss, Names
from adversarial.losses.seen import Seen
from adversarial.registry import register

Tensor = Any


@register("losses")
class Penalty(NamedLoss):
    """Lets players minimise the mean of an output.

    When you want it: to weigh a penalty that a layer of the base model
    computes, such as those of `adversarial.penalties`, and add it to a loss.

        player:  mean of the output

    Facts: linear in the output; adds nothing to the loss of other players.

    Args:
        output: The name of the output: any shape that begins with the batch
            size, of which the mean is taken.
        player: The player that minimises it: the owner of the network that
            the penalty is about; or a list of players.

    Raises:
        ValueError: when it is called, if there is no such output or player.

    Example:

    >>> import numpy
    >>> from adversarial.losses import Penalty
    >>> loss = 10.0 * Penalty("r1")
    >>> found = loss(["discriminator"], {"r1": numpy.array([0.5, 1.5])})
    >>> float(found["discriminator"])
    10.0
    """

    def __init__(self, output: str, player: Names = "discriminator") -> None:
        self.output = output
        self.player = player

    @property
    def roles(self) -> Mapping[str, Callable[[Seen], Tensor]]:
        """What the player minimises."""
        return {"player": lambda seen: seen.read("output", self.output)}
