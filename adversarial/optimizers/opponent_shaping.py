"""Strategies that reckon with the opponents' learning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras import ops

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.checks import checked_choice, checked_number
from adversarial.optimizers.direction import Direction
from adversarial.registry import register

Tensor = Any
FORMS = ("letcher", "foerster")


class _OpponentShaping(Direction):
    """The terms of LookAhead, LOLA and SOS, for any number of players."""

    order = 2
    field_evaluations: float | None = None

    def __init__(self, step: float | None = None) -> None:
        super().__init__()
        if step is not None:
            checked_number("step", step, least=0)
        self.foreseen = step

    def _alpha(self, game: Game) -> dict[str, Any]:
        if self.foreseen is None:
            return self.learning_rates
        return dict.fromkeys(game.players, self.foreseen)

    def _expected(self, game: Game, xi: Joint, at: Joint | None) -> Joint:
        """(I - J_o alpha) xi: the field after the opponents' step."""
        return xi - game.jvp(xi * self._alpha(game), at, own=False)

    def _shaping(self, game: Game, at: Joint | None) -> Joint:
        """chi_i = sum_(j != i) alpha_j (d_i d_j l_j) grad_j l_i."""
        chi, alpha = Joint({}), self._alpha(game)
        for i in game.players:
            others = [j for j in game.players if j != i]
            if not others:
                return game.point.map(ops.zeros_like)

            def loss(theta: Joint, i: str = i) -> Tensor:
                return game.losses(theta, [i])[i]

            u = game.gradient(loss, at, wrt=others) * alpha

            def answer(
                theta: Joint,
                u: Joint = u,
                others: Iterable[str] = tuple(others),
            ) -> Tensor:
                return u.dot(game.field(theta, others))

            chi |= game.gradient(answer, at, wrt=[i])
        return chi

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"step": self.foreseen}


@register("optimizers")
class PolicyPrediction(_OpponentShaping):
    """Each player answers to where the others' next step will bring them.

    The LookAhead of the literature on learning with opponents (not to be
    taken for `Lookahead`). Converges on min_x max_y xy.

        g = (I - J_o alpha) xi

    where xi is the field, J_o its Jacobian without each player's own block,
    and alpha the steps that the others are expected to make: the field at the
    others' next point, to first order. g is given to the players' Keras
    optimizers.

    Facts: order 2, any number of players, 2 field evaluations per step (one
    of them differentiated), no state.

    Args:
        step: alpha, at least 0; `None` is the learning rate of each player.
            0 is `Simultaneous`.

    Raises:
        ValueError: for a negative `step`.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.PolicyPrediction(0.1)

    References:
        - Zhang, Lesser, Multi-Agent Learning with Policy Prediction,
          AAAI 2010.
        - Letcher et al., Stable Opponent Shaping in Differentiable Games,
          ICLR 2019, arXiv 1811.08469 (LookAhead).
    """

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the field after the opponents' step."""
        g = self._expected(game, game.field(at), at)
        return g.only(game.players if players is None else players)


@register("optimizers")
class LOLA(_OpponentShaping):
    """Learning with opponent-learning awareness: players shape each other.

    For games that are not zero-sum: in the iterated prisoner's dilemma it
    finds tit for tat where gradient steps end in defection. It can be
    arrogant, expecting the others to give in: see `SOS`.

        g     = (I - J_o alpha) xi - chi         "letcher"
        g     = xi - chi                         "foerster"
        chi_i = sum_(j != i) alpha_j (d_i d_j l_j) grad_j l_i

    where xi is the field, J_o its Jacobian without each player's own block,
    and alpha the steps that the others are expected to make. g is given to
    the players' Keras optimizers; the authors use plain SGD.

    Facts: order 2, any number n of players, 3 field evaluations per step (2
    for "foerster"; one and all but one of them differentiated), and n
    gradients by the others' parameters; no state.

    Args:
        step: alpha, at least 0; `None` is the learning rate of each player.
            0 is `Simultaneous`.
        form: `"letcher"` or `"foerster"`.

    Raises:
        ValueError: for a negative `step` or an unknown `form`.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.LOLA(1.0)

    References:
        - Foerster et al., Learning with Opponent-Learning Awareness,
          AAMAS 2018, arXiv 1709.04326.
        - Letcher et al., Stable Opponent Shaping in Differentiable Games,
          ICLR 2019, arXiv 1811.08469.

    Differs from the papers: any number of players.
    """

    def __init__(
        self, step: float | None = None, form: str = "letcher"
    ) -> None:
        super().__init__(step)
        checked_choice("form", form, FORMS)
        self.form = form

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the field with the shaping term."""
        g = game.field(at)
        if self.form == "letcher":
            g = self._expected(game, g, at)
        g = g - self._shaping(game, at)
        return g.only(game.players if players is None else players)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "form": self.form}


@register("optimizers")
class SOS(_OpponentShaping):
    """Stable opponent shaping: LOLA where it is safe, LookAhead elsewhere.

    Cooperates like `LOLA` and converges like `PolicyPrediction`.

        g  = xi0 - p chi,    xi0 = (I - J_o alpha) xi
        p1 = 1 if <-chi, xi0> >= 0, else min(1, -a |xi0|^2 / <-chi, xi0>)
        p2 = |xi|^2 if |xi| < b, else 1
        p  = min(p1, p2)

    where xi is the field, J_o its Jacobian without each player's own block,
    alpha the steps that the others are expected to make and chi the shaping
    term of `LOLA`. g is given to the players' Keras optimizers; the authors
    use plain SGD.

    Facts: order 2, any number n of players, 3 field evaluations per step (two
    of them differentiated) and n gradients by the others' parameters, no
    state.

    Args:
        step: alpha, at least 0; `None` is the learning rate of each player.
            0 is `Simultaneous`.
        a: How far the shaping may turn against the field, above 0, at most 1.
        b: The length of the field below which it fades, above 0, at most 1.

    Raises:
        ValueError: for arguments out of range.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.SOS(1.0)

    References:
        - Letcher et al., Stable Opponent Shaping in Differentiable Games,
          ICLR 2019, arXiv 1811.08469.
    """

    def __init__(
        self, step: float | None = None, a: float = 0.5, b: float = 0.1
    ) -> None:
        super().__init__(step)
        self.a = checked_number("a", a, above=0, most=1)
        self.b = checked_number("b", b, above=0, most=1)

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the field with as much shaping as is safe."""
        xi = game.field(at)
        xi0 = self._expected(game, xi, at)
        chi = self._shaping(game, at)
        turn = -chi.dot(xi0)
        against = turn < 0
        limit = -self.a * xi0.dot(xi0) / ops.where(against, turn, -1)
        p1 = ops.where(against, ops.minimum(1, limit), 1)
        p2 = ops.where(xi.norm() < self.b, xi.dot(xi), 1)
        g: Joint = xi0 - ops.minimum(p1, p2) * chi
        return g.only(game.players if players is None else players)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "a": self.a, "b": self.b}
