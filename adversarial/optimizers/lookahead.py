"""Lookahead, jointly over all players."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.game import Game, Slots
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer,
    get,
)
from adversarial.optimizers.checks import checked_count, checked_number
from adversarial.registry import register


@register("optimizers")
class Lookahead(AdversarialOptimizer):
    """Every few steps all players go part of the way back to where they were.

    Stops the circling of any strategy, at next to no cost: around
    `Alternating` it is among the best ways known to train GANs. The period
    matters: on rotating games the best is half a turn of the inner steps.

        phi   <- theta                        before step 1
        theta <- step of `inner` at theta
        after every `period` steps:
            phi   <- phi + step * (theta - phi)
            theta <- phi

    for all players at once. A `Lookahead` inside another is pulled back too:
    its slow weights become those of the outer one. Moving statistics and the
    state of the players' Keras optimizers stay as they are.

    Facts: order and field evaluations of `inner`, any number of players,
    state: one copy of the parameters.

    Args:
        inner: The strategy that makes the steps, its name or its config. It
            may be another `Lookahead`, of a shorter period.
        period: The number of steps from one pull to the next, at least 1.
        step: How far to go from the slow to the fast weights, from 0 (stand
            still) to 1 (`inner` alone).

    Raises:
        ValueError: for a `period` or `step` out of range.
        TypeError: for a `period` or `step` that is not a number.

    Example:

    >>> from adversarial.optimizers import Alternating, Lookahead
    >>> strategy = Lookahead(Alternating(), period=5, step=0.5)

    References:
        - Chavdarova, Pagliardini, Stich, Fleuret, Jaggi, Taming GANs with
          Lookahead-Minmax, ICLR 2021, arXiv 2006.14567, algorithm 1, and
          its nested form.
        - Zhang, Lucas, Hinton, Ba, Lookahead Optimizer: k steps forward,
          1 step back, NeurIPS 2019, arXiv 1907.08610.

    Differs from the authors' code, which takes the weights at the first pull
    as the first slow weights: here they are those before step 1, as in the
    paper.
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self, inner: Any = "alternating", period: int = 5, step: float = 0.5
    ) -> None:
        super().__init__(get(inner))
        self.period = checked_count("period", period, least=1)
        self.pull = checked_number("step", step, least=0, most=1)

    def build(self, game: Game) -> None:
        """Makes the slow weights."""
        self.slow = self.add_slots(game, "slow")

    def step(self, game: Game) -> None:
        """Plays `inner` and pulls all players back, if it is time."""
        start = game.point
        self.inner(game)
        game.assign(self.slow, start, when=ops.equal(self.iterations, 0))
        theta, slow = game.point, self.slow

        def pulled() -> Joint:
            return Joint(slow) + self.pull * (theta - Joint(slow))

        due = ops.equal(self.iterations % self.period, self.period - 1)
        game.assign(slow, pulled, when=due)
        followers = [game.variables, *self._slow_inside()]
        game.assign(followers, lambda: [Joint(slow)] * len(followers), when=due)

    def _slow_inside(self) -> list[Slots]:
        found: list[Slots] = []
        within = list(self.parts)
        while within:
            strategy = within.pop()
            within.extend(strategy.parts)
            if isinstance(strategy, Lookahead):
                found.append(strategy.slow)
        return found

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "period": self.period,
            "step": self.pull,
        }
