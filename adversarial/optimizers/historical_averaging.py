"""A pull of every player towards the mean of its past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

import keras
from keras import ops

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.adversarial_optimizer import (
    AdversarialOptimizer,
    get,
)
from adversarial.optimizers.checks import checked_number
from adversarial.registry import register

Tensor = Any


@register("optimizers")
class HistoricalAveraging(AdversarialOptimizer):
    """Every player is drawn to the mean of the points where it has been.

    Stops the circling of low-dimensional games, as fictitious play does. The
    pull brakes the turning in a few steps; what is left goes with the mean,
    which forgets its beginning slowly: on min_x max_y xy like
    t^(-1 / (1 + 4 strength^2)) after t steps. For networks try `Lookahead`
    first.

        mean_t = (theta_0 + ... + theta_(t-1)) / t,    mean_0 = theta_0
        theta  <- step t of `inner` in the game with the losses
                  l_i(theta) + strength * |theta_i - mean_t,i|^2

    so that 2 strength (theta_i - mean_t,i) is added to the gradient of player
    i, and 2 strength to the diagonal of the game Jacobian. `inner` sees this
    at every point that it asks for, with the mean of the step, so that any
    strategy can be within, also one that looks ahead or takes second
    derivatives. Keras optimizers scale the whole gradient, that of the term
    with the rest.

    Facts: order and field evaluations of `inner`, any number of players,
    state: one copy of the parameters and a counter.

    Args:
        inner: The strategy that makes the steps, its name or its config.
        strength: How strong the pull is, at least 0; 0 is `inner` alone. With
            plain SGD of step h, 2 h strength must stay below 1 for a smooth
            pull. On min_x max_y xy, simultaneous steps contract for
            h < 4 strength / (1 + 4 strength^2).

    Raises:
        ValueError: for a negative `strength`.

    The reported losses are those without the term. A direction of another
    strategy it cannot be (`ExtraGradient(inner=...)` refuses it), for a step
    of its own says when a point has become past: wrap that strategy instead.

    Example:

    >>> from adversarial.optimizers import HistoricalAveraging
    >>> strategy = HistoricalAveraging("extra_gradient", strength=0.1)

    References:
        - Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, Improved
          Techniques for Training GANs, NIPS 2016, arXiv 1606.03498,
          section 3.3.

    Differs from the paper: it gives no strength, and leaves open whether the
    present point counts as past; here it does not.
    """

    field_evaluations: float | None = None
    inner: AdversarialOptimizer

    def __init__(
        self, inner: Any = "alternating", strength: float = 0.1
    ) -> None:
        super().__init__(get(inner))
        self.strength = checked_number("strength", strength, least=0)

    def build(self, game: Game) -> None:
        """Makes the mean, and counts the points in it."""
        self.mean = self.add_slots(game, "mean")
        self.points = self.add_variable((), dtype="int32", name="points")

    def step(self, game: Game) -> None:
        """Plays `inner` with the pull and takes its start into the mean."""
        theta, points = game.point, self.points + 0
        mean = _where(ops.equal(points, 0), theta, Joint(self.mean))
        drawn = _DrawnGame(game, mean.map(ops.stop_gradient), self.strength)
        self.inner(cast(Game, drawn))
        now = mean.map(lambda x: 1 / ops.cast(points + 1, x.dtype))
        game.assign(self.mean, lambda: mean + now.scaled(theta - mean))
        game.assign(self.points, points + 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "strength": self.strength}


class _DrawnGame:
    """A game with the term in the losses of all players.

    Everything else is the game's own. What a strategy builds on losses and
    fields it builds on those here; the Jacobian is that of the game and a
    multiple of the identity.

    Args:
        game: The game.
        mean: The point to which the players are drawn, a constant.
        strength: How strongly.
    """

    def __init__(self, game: Game, mean: Joint, strength: float) -> None:
        self._game = game
        self._mean = mean
        self._strength = strength

    def __getattr__(self, name: str) -> Any:
        return getattr(self._game, name)

    def losses(
        self, at: Joint | None = None, players: Iterable[str] | None = None
    ) -> dict[str, Tensor]:
        """Returns the losses with strength * |theta_i - mean_i|^2."""
        away = self._away(at)
        terms = {
            name: self._strength * block.dot(block)
            for name, block in ((n, away.only([n])) for n in away)
        }
        found = self._game.losses(at, players)
        return {name: _added(found[name], terms[name]) for name in found}

    def field(
        self, at: Joint | None = None, players: Iterable[str] | None = None
    ) -> Joint:
        """Returns the field with 2 strength (theta_i - mean_i).

        What no loss of its player moves stays where it is.
        """
        found = self._game.field(at, players)
        there = found.map(ops.ones_like)
        pull = self._times(self._away(at).only(found))
        return found + pull.scaled(there)

    def jvp(
        self,
        v: Joint,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
        *,
        own: bool = True,
    ) -> Joint:
        """Returns (J + 2 strength I) v; the term is a player's own."""
        names = None if players is None else list(players)
        found = self._game.jvp(v, at, names, own=own)
        mine = v.only([name for name in found if name in v])
        return found + self._times(mine) if own else found

    def vjp(
        self, u: Joint, at: Joint | None = None, *, own: bool = True
    ) -> Joint:
        """Returns (J + 2 strength I)^T u."""
        found = self._game.vjp(u, at, own=own)
        return found + self._times(u) if own else found

    def switch(
        self, index: Tensor, branches: Sequence[Callable[[Game], None]]
    ) -> None:
        """Lets one branch play the step, with the term."""

        def play(game: Game, branch: Callable[[Game], None]) -> None:
            drawn = _DrawnGame(game, self._mean, self._strength)
            branch(cast(Game, drawn))

        self._game.switch(index, [partial(play, branch=b) for b in branches])

    def _away(self, at: Joint | None) -> Joint:
        """How far the point is from the mean."""
        point = self._game.point
        return (point if at is None else point | at) - self._mean

    def _times(self, v: Joint) -> Joint:
        return v.map(lambda x: 2 * self._strength * x)


def _added(loss: Tensor, term: Tensor) -> Tensor:
    dtype = keras.backend.result_type(loss.dtype, term.dtype)
    return ops.cast(loss, dtype) + ops.cast(term, dtype)


def _where(condition: Tensor, a: Joint, b: Joint) -> Joint:
    pairs = zip(a.flatten(), b.flatten(), strict=True)
    return a.pack(ops.where(condition, x, y) for x, y in pairs)
