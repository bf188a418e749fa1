"""Alternating gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adversarial.errors import conversation
from adversarial.game import Game
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.checks import (
    check_players,
    checked_count,
    checked_flag,
    checked_order,
)
from adversarial.optimizers.direction import Direction, get_direction
from adversarial.registry import register


@register("optimizers")
class Alternating(AdversarialOptimizer):
    """The players move one after the other, each seeing the latest moves.

    The usual way to train GANs. On min_x max_y xy it neither converges nor
    diverges: with step h it conserves x^2 + y^2 - h x y.

        for i in order, steps[i] times:
            theta_i <- theta_i - h grad_i l_i(theta)

    where theta holds what the players before have just moved to
    (Gauss-Seidel), and `- h grad` is the step of player i's Keras optimizer.
    All moves of a step see the same batch.

    Facts: order 1, any number of players, 1 field evaluation per step where
    every player moves once, no copy of the parameters, no state.

    Args:
        order: The names of all players in the order of their moves. `None` is
            the model's order.
        steps: How often a player moves in its turn, by player; players left
            out move once. `{"discriminator": 5}` is the n_critic of
            Wasserstein GANs, on one batch.
        fresh_noise: Whether each move draws new latents and dropout masks.
            By default all moves of a step see the same ones, so that what
            they compute alike is computed once.
        inner: The direction in which each player moves in its turn: a
            `Direction`, its name or its config. By default the gradient.

    Raises:
        ValueError: if a number of steps is not a positive integer; at
            `compile`, if the names are not the players'.
        TypeError: if `order` is a string, `steps` not a dict, or `inner` not a
            direction.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Alternating(
    ...     order=["discriminator", "generator"], steps={"discriminator": 5}
    ... )

    References:
        - Goodfellow et al., Generative Adversarial Nets, NIPS 2014,
          arXiv 1406.2661, algorithm 1 (k discriminator steps, then the
          generator).

    Differs from the paper: one batch for all moves of a step, and one draw of
    the latents unless `fresh_noise`.
    """

    field_evaluations: float | None = None
    inner: Direction

    def __init__(
        self,
        order: Sequence[str] | None = None,
        steps: Mapping[str, int] | None = None,
        fresh_noise: bool = False,
        inner: Any = "simultaneous",
    ) -> None:
        super().__init__(get_direction(inner))
        self.order_of_moves = checked_order(order)
        if not isinstance({} if steps is None else steps, Mapping):
            raise TypeError(
                conversation(
                    "`steps` must be a dict by player.",
                    received=f"{steps!r}.",
                    fix='write `steps={"discriminator": 5}`.',
                )
            )
        self.steps = dict(steps or {})
        self.fresh_noise = checked_flag("fresh_noise", fresh_noise)
        for name, count in self.steps.items():
            self.steps[name] = checked_count(f"steps['{name}']", count, least=1)

    def build(self, game: Game) -> None:
        """Checks the names."""
        check_players(self.steps, game.players)
        checked_order(self.order_of_moves, game.players)

    def step(self, game: Game) -> None:
        """Moves the players in turn."""
        moves = [
            name
            for name in self.order_of_moves or game.players
            for _ in range(self.steps.get(name, 1))
        ]
        for number, name in enumerate(moves):
            if self.fresh_noise and number:
                game.refresh_noise()
            game.apply(self.inner.direction(game, players=[name]))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        order = self.order_of_moves
        return {
            "order": None if order is None else list(order),
            "steps": dict(self.steps),
            "fresh_noise": self.fresh_noise,
            **super().get_config(),
        }
