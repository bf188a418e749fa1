"""Extragradient, and its form that reuses the past gradient."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.errors import conversation
from adversarial.game import Game, State
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import AdversarialOptimizer
from adversarial.optimizers.checks import (
    checked_choice,
    checked_flag,
    checked_number,
)
from adversarial.optimizers.direction import (
    Direction,
    evaluations,
    get_direction,
)
from adversarial.registry import register

POLICIES = ("shared", "discard", "plain")


@register("optimizers")
class ExtraGradient(AdversarialOptimizer):
    """The players step with the gradient from a step ahead.

    The strongest first-order rule where players chase each other: it converges
    on min_x max_y xy, where simultaneous steps diverge. `reuse_past=True`
    does nearly as well at the cost of `Simultaneous`. With Adam, use a
    `beta_1` of 0 to 0.5: at 0.9 extrapolation does not help.

        half  = theta + lookahead * u(xi(theta))
        theta <- theta + u(xi(half))

    where xi is the field of `inner` (each player's own gradient) and u(g) the
    displacement by the players' Keras optimizers for the gradient g.

    With `reuse_past=True` (Popov's rule) the players stand at the point ahead,
    so that its gradient is the only one:

        g     = xi(half)
        theta <- theta + u(g)
        half  <- theta + lookahead * u

    Facts: order 1, any number of players, 2 field evaluations per step and
    one copy of the parameters; with `reuse_past` 1 field evaluation, state:
    one copy; with `fresh_batch` 1 field evaluation, state: one copy.

    Args:
        lookahead: The length of the extrapolation in steps, at least 0. 0 is
            `inner` alone; larger than 1 explores more boldly than it moves,
            which converges faster on rotating games.
        reuse_past: Whether to extrapolate along what is known from the last
            step. The weights of the model are then the points ahead.
        optimizer_state: What the extrapolation does to the optimizers, such
            as Adam's moments. `"shared"`: it feeds them, as the update does
            (ExtraAdam), so that schedules of learning rates advance twice per
            step; with `reuse_past` it repeats the last displacement, which
            feeds them once. `"discard"`: it steps a copy of them.
            `"plain"`: it follows the gradient, times the learning rate.
        fresh_batch: Whether the extrapolation and the update see different
            batches: even steps look ahead, odd steps move.
        inner: The direction in place of the gradient: a `Direction`, its name
            or its config.

    Raises:
        ValueError: for a negative `lookahead`, an unknown `optimizer_state`,
            or `fresh_batch` together with `reuse_past`.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.ExtraGradient(lookahead=2.0)

    References:
        - Korpelevich, The extragradient method, 1976.
        - Popov, A modification of the Arrow-Hurwicz method, 1980 (the past
          gradient).
        - Gidel et al., A Variational Inequality Perspective on Generative
          Adversarial Networks, ICLR 2019, arXiv 1802.10551, section 3.3
          (extrapolation from the past) and algorithm 4 (ExtraAdam).

    Differs from the paper: the authors' PastExtraAdam feeds every gradient to
    Adam's moments twice; here it is fed once.
    """

    inner: Direction

    def __init__(
        self,
        lookahead: float = 1.0,
        reuse_past: bool = False,
        optimizer_state: str = "shared",
        fresh_batch: bool = False,
        *,
        inner: Any = "simultaneous",
    ) -> None:
        super().__init__(get_direction(inner))
        self.lookahead = checked_number("lookahead", lookahead, least=0)
        self.reuse_past = checked_flag("reuse_past", reuse_past)
        self.optimizer_state = optimizer_state
        self.fresh_batch = checked_flag("fresh_batch", fresh_batch)
        self.field_evaluations = evaluations(
            self.inner, 1 if reuse_past or fresh_batch else 2
        )
        checked_choice("optimizer_state", optimizer_state, POLICIES)
        if reuse_past and fresh_batch:
            raise ValueError(
                conversation(
                    "`reuse_past` always extrapolates on another batch.",
                    received="`reuse_past=True` and `fresh_batch=True`.",
                    fix="leave `fresh_batch` out.",
                )
            )

    def build(self, game: Game) -> None:
        """Makes a copy of the parameters, if the rule has state."""
        if self.reuse_past or self.fresh_batch:
            self.ahead = self.add_slots(game, "ahead")

    def step(self, game: Game) -> None:
        """Looks ahead and moves."""
        if self.reuse_past:
            self._move_and_look(game)
        elif self.fresh_batch:
            game.switch(self.iterations % 2, [self._look, self._move])
        else:
            half, state = self._extrapolate(game, self.inner.direction(game))
            game.apply(self.inner.direction(game, half), state)

    def _extrapolate(
        self, game: Game, g: Joint, theta: Joint | None = None
    ) -> tuple[Joint, State]:
        theta = theta or game.point
        state: State = {}
        if self.optimizer_state == "plain":
            half = theta - self.lookahead * (g * self.learning_rates)
        else:
            stepped, state = game.virtual_step(g, theta)
            half = theta + self.lookahead * (stepped - theta)
        half, state = self._unless_too_large(game, g, (theta, half), state)
        return half, state if self.optimizer_state == "shared" else {}

    def _unless_too_large(
        self, game: Game, g: Joint, points: tuple[Joint, Joint], state: State
    ) -> tuple[Joint, State]:
        """Leaves where they are the players whose scaled gradient overflows.

        As their loss-scaling optimizers do in a real step.
        """
        theta, half = points
        for name, optimizer in self.player_optimizers.items():
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                fine = ops.isfinite(g.only([name]).norm())
                pairs = zip(half[name], theta[name], strict=True)
                half |= {name: [ops.where(fine, a, b) for a, b in pairs]}
                old = game.optimizer_state[name]
                pairs = zip(state.get(name, old), old, strict=True)
                state[name] = [ops.where(fine, a, b) for a, b in pairs]
        return half, state

    def _look(self, game: Game) -> None:
        half, state = self._extrapolate(game, self.inner.direction(game))
        game.apply(Joint({}), state)
        game.assign(self.ahead, half)

    def _move(self, game: Game) -> None:
        game.apply(self.inner.direction(game, Joint(self.ahead)))

    def _move_and_look(self, game: Game) -> None:
        half, ahead = game.point, Joint(self.ahead)
        g = self.inner.direction(game)
        game.apply(g)
        stepped = game.point

        def placed() -> list[Joint]:
            theta = stepped - ahead
            if self.optimizer_state == "shared":
                new = self.lookahead * (stepped - half)
            else:
                new = self._extrapolate(game, g, theta)[0] - theta
            return [theta + new, new]

        game.assign([game.variables, self.ahead], placed)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "lookahead": self.lookahead,
            "reuse_past": self.reuse_past,
            "optimizer_state": self.optimizer_state,
            "fresh_batch": self.fresh_batch,
            **super().get_config(),
        }
