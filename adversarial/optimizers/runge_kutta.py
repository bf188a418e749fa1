"""Runge-Kutta steps of the joint field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from adversarial.errors import conversation
from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.checks import checked_choice
from adversarial.optimizers.direction import (
    Direction,
    evaluations,
    get_direction,
)
from adversarial.registry import register

Tableau = tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]

TABLEAUS: dict[str, Tableau] = {
    "euler": (((),), (1.0,)),
    "midpoint": (((), (0.5,)), (0.0, 1.0)),
    "heun": (((), (1.0,)), (0.5, 0.5)),
    "rk4": (
        ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
}


@register("optimizers")
class RungeKutta(Direction):
    """The players follow the joint flow d theta / dt = -xi more exactly.

    Where the flow converges, so do small steps: the circling that gradient
    steps add is gone up to the order of the method. On min_x max_y xy, whose
    flow circles for ever, order 2 still diverges slowly and order 4 converges
    slowly. The gain comes with a regulariser:
    `ODEGANRegularizer(inner=RungeKutta())` is ODE-GAN.

        theta_k = theta - h sum_(j < k) a_kj xi(theta_j)    for each stage k
        g       = sum_k b_k xi(theta_k)

    where xi is the field of `inner`, h the learning rate of each player, and
    g is given to the players' Keras optimizers; with plain SGD the step is
    theta <- theta - h g.

    Facts: order 1, any number of players, one field evaluation and one copy
    of the parameters per stage, no state.

    Args:
        tableau: `"euler"`, `"midpoint"`, `"heun"` (order 2), `"rk4"`
            (order 4), or any explicit method as a pair (a, b): a list of the
            rows of the strictly lower triangle, the first one empty, and a
            list of weights that sum to 1.
        inner: The direction that plays the part of xi: a `Direction`, its
            name or its config. By default the gradient.

    Raises:
        ValueError: for an unknown name, or a pair that is not an explicit
            method.
        TypeError: if `inner` is not a direction.

    Example:

    >>> import adversarial
    >>> ralston = adversarial.optimizers.RungeKutta(
    ...     ([[], [2 / 3]], [1 / 4, 3 / 4])
    ... )

    References:
        - Qin et al., Training Generative Adversarial Networks by Solving
          Ordinary Differential Equations, NeurIPS 2020, arXiv 2010.15040.

    Differs from the authors' code, which integrates each player's flow with
    the opponent at rest: here all players move through the stages together,
    as in the paper.
    """

    inner: Direction

    def __init__(
        self,
        tableau: str | Sequence[Any] = "rk4",
        inner: Any = "simultaneous",
    ) -> None:
        super().__init__(get_direction(inner))
        self.tableau = tableau
        self._a, self._b = _checked(tableau)
        self.field_evaluations = evaluations(self.inner, len(self._b))

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the weighted mean of the field at the stages."""
        theta = game.point if at is None else game.point | at
        slopes: list[Joint] = []
        for row in self._a:
            move = _sum(row, slopes) * self.learning_rates
            stage = theta - move if any(row) else at
            slopes.append(self.inner.direction(game, stage))
        return _sum(self._b, slopes).only(players or game.players)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"tableau": self.tableau, **super().get_config()}


def _sum(weights: Iterable[float], slopes: list[Joint]) -> Joint:
    terms = [w * x for w, x in zip(weights, slopes, strict=True) if w]
    return sum(terms, start=Joint({}))


def _checked(tableau: str | Sequence[Any]) -> Tableau:
    if isinstance(tableau, str):
        checked_choice("tableau", tableau, TABLEAUS)
        return TABLEAUS[tableau]
    try:
        a, b = tableau if isinstance(tableau, list | tuple) else ()
        rows = tuple(tuple(map(float, row)) for row in a)
        weights = tuple(map(float, b))
    except (TypeError, ValueError):
        rows, weights = (), ()
    explicit = [len(row) for row in rows] == list(range(len(weights)))
    if not (weights and explicit and abs(sum(weights) - 1) <= 1e-6):
        raise ValueError(
            conversation(
                "`tableau` must be an explicit Runge-Kutta method.",
                expected="a name, or (a, b): rows of 0, 1, 2, ... numbers, "
                "and as many weights as rows, which sum to 1.",
                received=f"{tableau!r}.",
            )
        )
    return rows, weights
