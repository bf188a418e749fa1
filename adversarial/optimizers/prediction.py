"""Alternating steps against predicted opponents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.checks import checked_flag, checked_order
from adversarial.optimizers.direction import Direction, get_direction
from adversarial.optimizers.simultaneous import Simultaneous
from adversarial.registry import register


@register("optimizers")
class Prediction(AdversarialOptimizer):
    """The players move in turn, each against where the others are heading.

    The cheapest cure of alternating steps: it converges on min_x max_y xy at
    the cost of `Alternating`.

        for i in order:
            predicted_j = theta_j + (theta_j - theta_j before its last move)
            theta_i <- theta_i - h grad_i l_i(theta_i, predicted_others)

    where `- h grad` is the step of player i's Keras optimizer and theta holds
    the moves made so far. Players that have not moved yet in the step count
    as they are, unless `two_sided`.

    Facts: order 1, any number of players, 1 field evaluation per step, one
    copy of the parameters; with `two_sided`, state: one copy.

    Args:
        order: The names of all players in the order of their moves. `None` is
            the model's order.
        two_sided: Whether players that have not moved yet in the step are
            predicted too, from their move in the last step.
        inner: The direction in which each player moves in its turn: a
            `Direction`, its name or its config. By default the gradient.

    Raises:
        ValueError: at `compile`, if `order` does not name every player once.
        TypeError: if `order` is a string, or `inner` not a direction.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Prediction()

    References:
        - Yadav, Shah, Xu, Jacobs, Goldstein, Stabilizing Adversarial Nets
          with Prediction Methods, ICLR 2018, arXiv 1705.07364.

    Differs from the paper: any number of players and any Keras optimizer, of
    which the actual displacement is extrapolated, as in the authors' code.
    """

    inner: Direction
    field_evaluations: float | None = 1

    def __init__(
        self,
        order: Sequence[str] | None = None,
        two_sided: bool = False,
        *,
        inner: Any = "simultaneous",
    ) -> None:
        super().__init__(get_direction(inner))
        self.order_of_moves = checked_order(order)
        self.two_sided = checked_flag("two_sided", two_sided)
        if not isinstance(self.inner, Simultaneous):
            self.field_evaluations = None  # Each move may ask for all players.

    def build(self, game: Game) -> None:
        """Checks the names and makes the memory of the last moves."""
        checked_order(self.order_of_moves, game.players)
        if self.two_sided:
            self.last = self.add_slots(game, "last")

    def step(self, game: Game) -> None:
        """Moves the players in turn against predicted opponents."""
        heading = Joint(self.last) if self.two_sided else Joint({})
        for name in self.order_of_moves or game.players:
            theta = game.point
            others = [n for n in heading if n != name]
            predicted = theta + heading.only(others)
            at = predicted if others else None
            game.apply(self.inner.direction(game, at, [name]))
            heading |= (game.point - theta).only([name])
        if self.two_sided:
            game.assign(self.last, heading)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        order = self.order_of_moves
        return {
            "order": None if order is None else list(order),
            "two_sided": self.two_sided,
            **super().get_config(),
        }
