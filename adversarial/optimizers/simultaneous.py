"""Simultaneous gradient descent."""

from collections.abc import Iterable, Sequence

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.direction import Direction
from adversarial.registry import register


@register("optimizers")
class Simultaneous(Direction):
    """All players step at once, each along its own gradient.

    The baseline, and the cheapest rule: players on one base model share one
    forward pass. It circles outwards where players chase each other, as on
    min_x max_y xy, where a step of length h multiplies the distance from the
    equilibrium by sqrt(1 + h^2).

        theta_i <- theta_i - h grad_i l_i(theta)    for all players i at once

    where every gradient is taken at the same joint point theta before any
    player moves (Jacobi), and `- h grad` is the step of player i's Keras
    optimizer.

    Facts: order 1, any number of players, 1 field evaluation and no copy of
    the parameters per step, no state.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Simultaneous()

    References:
        - Mescheder, Nowozin, Geiger, The Numerics of GANs, NIPS 2017,
          arXiv 1705.10461 (simultaneous gradient ascent).
    """

    def __init__(self) -> None:
        super().__init__()

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns each player's gradient of its own loss."""
        return game.field(at, players)

    def plain_moves(self, players: Sequence[str]) -> list[tuple[str, ...]]:
        """Returns that all players step on every batch."""
        return [tuple(players)]
