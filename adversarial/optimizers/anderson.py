"""Anderson mixing of the steps of another strategy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adversarial.game import Game, Slots
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer,
    get,
)
from adversarial.optimizers.checks import checked_count, checked_number
from adversarial.registry import register

Tensor = Any
TINY = 1e-30
"""Keeps the system solvable where all residuals are exactly zero."""


@register("optimizers")
class Anderson(AdversarialOptimizer):
    """The steps of another strategy are extrapolated to their fixed point.

    For deterministic games, with the same full batch in every step: noise
    makes the mixing useless. Around `Alternating` it solves min_x max_y xy in
    a few steps; around `Simultaneous` it needs a memory of 2 at least.

        g     = inner(theta),    r = g - theta
        gamma = argmin |r - dR gamma|^2 + epsilon |gamma|^2
        theta <- g - dG gamma

    where the columns of dG and dR are the last `memory` differences of g and
    of r, and epsilon = regularization (|dG - dR|_F^2 + |dR|_F^2).

    Facts: order and field evaluations of `inner`, any number of players,
    state: 2 (memory + 1) copies of the parameters.

    Args:
        inner: The strategy whose steps are mixed, its name or its config.
        memory: The number of differences, at least 0; 0 is `inner` alone.
        regularization: Of the least squares, at least 0. In float32 about
            1e-6.

    Raises:
        ValueError: for arguments out of range.
        TypeError: for arguments that are not numbers.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.Anderson("alternating", memory=3)

    References:
        - He, Zhao, Xi, Ho, Saad, GDA-AM: On the Effectiveness of Solving
          Minimax Optimization via Anderson Acceleration, ICLR 2022,
          arXiv 2110.02457.
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self,
        inner: Any = "alternating",
        memory: int = 2,
        regularization: float = 1e-10,
    ) -> None:
        super().__init__(get(inner))
        self.memory = checked_count("memory", memory)
        self.regularization = checked_number(
            "regularization", regularization, least=0
        )

    def build(self, game: Game) -> None:
        """Makes the memory."""
        self.results = self._rows(game, "results")
        self.residuals = self._rows(game, "residuals")
        self.filled = self.add_variable((), dtype="int32", name="filled")

    def step(self, game: Game) -> None:
        """Plays `inner` and extrapolates."""
        theta = game.point
        self.inner(game)
        g = game.point
        if not self.memory:
            return
        results = _pushed(g, self.results)
        residuals = _pushed(g - theta, self.residuals)
        valid = ops.arange(self.memory, dtype="int32") < self.filled
        d_g, d_r = _differences(results, valid), _differences(residuals, valid)
        gamma = self._mix(d_g, d_r, g - theta)
        mixed = d_g.map(lambda d: ops.tensordot(_as(gamma, d), d, 1))
        game.assign(game.variables, g - mixed)
        game.assign(self.results, results)
        game.assign(self.residuals, residuals)
        game.assign(self.filled, ops.minimum(self.filled + 1, self.memory))

    def _mix(self, d_g: Joint, d_r: Joint, r: Joint) -> Tensor:
        gram = _sum(_flat(d) @ ops.transpose(_flat(d)) for d in d_r.flatten())
        right = _sum(
            ops.matmul(_flat(d), ops.reshape(x, (-1,)))
            for d, x in zip(d_r.flatten(), r.flatten(), strict=True)
        )
        d_x = d_g - d_r
        scale = d_x.dot(d_x) + d_r.dot(d_r)
        ridge = self.regularization * _as(scale, gram) + TINY
        eye = ops.eye(self.memory, dtype=gram.dtype)
        return ops.solve(gram + ridge * eye, right[:, None])[:, 0]

    def _rows(self, game: Game, name: str) -> Slots:
        """A memory of as many rows as there are points to remember."""
        return {
            player: [self._row(v, f"{player}_{name}_{i}") for i, v in numbered]
            for player, block in game.variables.items()
            for numbered in [list(enumerate(block))]
        }

    def _row(self, v: keras.Variable, name: str) -> keras.Variable:
        shape = (self.memory + 1, *v.shape)
        return self.add_variable(shape, dtype=v.dtype, name=name)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "memory": self.memory,
            "regularization": self.regularization,
        }


def _pushed(newest: Joint, rows: Slots) -> Joint:
    old = Joint(rows)
    flat = zip(newest.flatten(), old.flatten(), strict=True)
    return old.pack(ops.concatenate([x[None], y[:-1]]) for x, y in flat)


def _differences(rows: Joint, valid: Tensor) -> Joint:
    """Newest first; zero where there is nothing to subtract yet."""
    return rows.map(
        lambda x: (
            (x[:-1] - x[1:])
            * ops.reshape(_as(valid, x), (-1, *[1] * (len(x.shape) - 1)))
        )
    )


def _flat(rows: Tensor) -> Tensor:
    return ops.reshape(rows, (rows.shape[0], -1))


def _sum(terms: Any) -> Tensor:
    return sum(list(terms))


def _as(x: Tensor, like: Tensor) -> Tensor:
    return ops.cast(x, like.dtype)
