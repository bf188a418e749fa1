"""Optimistic steps."""

from __future__ import annotations

from typing import Any

from keras import ops

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer,
    get,
)
from adversarial.optimizers.checks import checked_number
from adversarial.registry import register


@register("optimizers")
class Optimistic(AdversarialOptimizer):
    """A step more is made in the direction in which the steps are turning.

    Converges on min_x max_y xy at the cost of one gradient; the step must be
    shorter than `ExtraGradient` allows. With Adam, use a `beta_1` of 0 to 0.5.

        u_t   = step of `inner` at theta_t
        theta <- theta + u_t + strength * (u_t - u_(t-1)),    u_(-1) = u_0

    where steps are displacements, so that `inner` can be any strategy with
    any Keras optimizers. Around `Simultaneous` with plain SGD of step h and
    strength 1 it is theta - 2 h xi_t + h xi_(t-1).

    Facts: order and field evaluations of `inner`, any number of players,
    state: one copy of the parameters.

    Args:
        inner: The strategy that makes the steps, its name or its config.
        strength: How much of the last change of step is expected to happen
            again, at least 0; 0 is `inner` alone.

    Raises:
        ValueError: for a negative `strength`.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Optimistic("consensus")

    References:
        - Daskalakis, Ilyas, Syrgkanis, Zeng, Training GANs with Optimism,
          ICLR 2018, arXiv 1711.00141 (optimistic mirror descent and
          Optimistic Adam).

    Differs from the paper: the first step is not doubled; with Adam, each
    displacement keeps the bias correction and learning rate of its own step.
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self, inner: Any = "simultaneous", strength: float = 1.0
    ) -> None:
        super().__init__(get(inner))
        self.strength = checked_number("strength", strength, least=0)

    def build(self, game: Game) -> None:
        """Makes the memory of the last step."""
        self.last = self.add_slots(game, "last")
        self.begun = self.add_variable((), name="begun")

    def step(self, game: Game) -> None:
        """Plays `inner` and adds the expected change."""
        theta = game.point
        self.inner(game)
        stepped = game.point

        def expected() -> list[Joint]:
            u = stepped - theta
            return [stepped + self.strength * (u - Joint(self.last)), u]

        first = ops.equal(self.begun, 0)
        game.assign(self.last, lambda: stepped - theta, when=first)
        game.assign([game.variables, self.last], expected)
        game.assign(self.begun, ops.ones(()))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "strength": self.strength}
