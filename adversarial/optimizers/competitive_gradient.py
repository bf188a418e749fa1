"""Competitive gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keras import ops

from adversarial.errors import conversation, quoted
from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.checks import checked_flag, checked_number
from adversarial.optimizers.implicit import ImplicitDirection
from adversarial.registry import register

Tensor = Any
ZERO_SUM = 0.05
"""How far, in parts of their size, J_12 and -J_21^T may seem to differ."""


@register("optimizers")
class CompetitiveGradient(ImplicitDirection):
    """The players make the step that is an equilibrium of the local game.

    Each player's step is the best answer to the others' steps, in the game
    with quadratic terms for the interaction only. Stable on min_x max_y xy
    for steps of any length. Give the players plain SGD: the rule owns the
    step, and the learning rates are its h.

        (I + D J_o) delta = -D xi
        theta <- theta + delta

    where xi is the field, J_o its Jacobian without each player's own block,
    and D = h, or with `adaptive` D = h / (sqrt(v) + epsilon) for every
    parameter, v being the moving mean of its squared gradient, corrected for
    its start at 0. The optimizers are given -delta / h as the gradient.

    Facts: order 2, any number of players, 1 field evaluation per step and one
    or two, differentiated, per iteration of the solver; state: one copy of
    the parameters with `warm_start`, one with `adaptive`, and the report of
    the solver.

    Args:
        solver: `"gmres"` for any game; `"cg"`, with half the unknowns, for
            two players whose losses sum to a constant; `"neumann"` for steps
            so short that D J_o is small.
        tolerance: The residual, in units of the right side, at which the
            solver stops.
        max_iterations: The number of iterations after which it stops; GMRES
            keeps 2 vectors for each.
        adaptive: Whether each parameter has its own D (ACGD).
        beta_2: With `adaptive`, the decay of the mean square, 0 to 1.
        epsilon: With `adaptive`, added to its root, above 0.
        warm_start: Whether the solver starts from the last solution.

    Attributes:
        solver_iterations: How many iterations the last solve took.
        solver_residual: The residual that it left.
        unconverged: How many solves have not reached the tolerance; the first
            is warned of.

    Raises:
        ValueError: for arguments out of range; at `compile`, for `"cg"` with
            other than two players; after a step, for `"cg"` in a game that is
            not zero-sum.

    Example:

    >>> import adversarial
    >>> strategy = adversarial.optimizers.CompetitiveGradient("cg")

    References:
        - Schaefer, Anandkumar, Competitive Gradient Descent, NeurIPS 2019,
          arXiv 1905.12103.
        - Schaefer, Zheng, Anandkumar, Implicit competitive regularization in
          GANs, ICML 2020, arXiv 1910.05852 (ACGD).
        - Ma et al., Polymatrix Competitive Gradient Descent, 2021,
          arXiv 2111.08565 (n players).

    Differs from the papers: the mean square of ACGD is corrected for its
    start, as in Adam.
    """

    def __init__(
        self,
        solver: str = "gmres",
        *,
        tolerance: float = 1e-4,
        max_iterations: int = 20,
        adaptive: bool = False,
        beta_2: float = 0.99,
        epsilon: float = 1e-5,
        warm_start: bool = True,
    ) -> None:
        super().__init__(
            solver,
            tolerance=tolerance,
            max_iterations=max_iterations,
            warm_start=warm_start,
        )
        self.adaptive = checked_flag("adaptive", adaptive)
        self.beta_2 = checked_number("beta_2", beta_2, least=0, most=1)
        self.epsilon = checked_number("epsilon", epsilon, above=0)

    def build(self, game: Game) -> None:
        """Checks the number of players and makes the state."""
        super().build(game)
        if self.solver == "cg" and len(game.players) != 2:
            raise ValueError(
                conversation(
                    "The solver 'cg' is for two players.",
                    received=f"{len(game.players)}: {quoted(game.players)}.",
                    fix="use `solver='gmres'`.",
                )
            )
        if self.adaptive:
            self.mean_square = self.add_slots(game, "mean_square")
            self.updates = self.add_variable((), dtype="int32", name="updates")
        if self.solver == "cg":
            self.not_zero_sum = self.add_variable((), name="not_zero_sum")

    def direction(
        self,
        game: Game,
        at: Joint | None = None,
        players: Iterable[str] | None = None,
    ) -> Joint:
        """Returns the equilibrium step, in units of the learning rates."""
        theta = game.point if at is None else game.point | at
        xi = game.field(at).filled(theta)
        d = self._scales(game, xi)
        solve = self._pair if self.solver == "cg" else self._all
        delta = solve(game, theta, xi, d)
        g = delta * {n: -1 / h for n, h in self.learning_rates.items()}
        return g.only(game.players if players is None else players)

    def _all(self, game: Game, theta: Joint, xi: Joint, d: Joint) -> Joint:
        def product(v: Joint) -> Joint:
            return v + game.jvp(v, theta, own=False).filled(v).scaled(d)

        return self.solve(game, product, -xi.scaled(d))

    def _pair(self, game: Game, theta: Joint, xi: Joint, d: Joint) -> Joint:
        """Eliminates the second player; the rest is symmetric if zero-sum.

        With S = sqrt(D_1) and delta_1 = S z:
        (I - S J_12 D_2 J_21 S) z = -S (xi_1 - J_12 D_2 xi_2).
        """
        one, two = ([n] for n in game.players)
        s = d.only(one).map(ops.sqrt)
        d_2, answer = d.only(two), xi.scaled(d).only(two)

        def j_12(v: Joint) -> Joint:
            return game.jvp(v, theta, one).filled(theta.only(one))

        def j_21(v: Joint) -> Joint:
            return game.jvp(v, theta, two).filled(theta.only(two))

        def product(v: Joint) -> Joint:
            return v - j_12(j_21(v.scaled(s)).scaled(d_2)).scaled(s)

        effect = j_12(answer)
        z = self.solve(game, product, (effect - xi.only(one)).scaled(s))
        delta = z.scaled(s)
        reaction = j_21(delta)
        self._compare(game, delta.dot(effect), answer.dot(reaction))
        return delta | (-answer - reaction.scaled(d_2))

    def _compare(self, game: Game, a: Tensor, b: Tensor) -> None:
        """Notes whether <v, J_12 w> + <w, J_21 v> differs from 0."""
        differs = ops.abs(a + b) > ZERO_SUM * (ops.abs(a) + ops.abs(b))
        noted = ops.cast(differs, self.not_zero_sum.dtype)
        game.assign(
            self.not_zero_sum, ops.maximum(self.not_zero_sum.value, noted)
        )

    def _scales(self, game: Game, xi: Joint) -> Joint:
        rates = self.learning_rates
        if not self.adaptive:
            return xi.map(ops.ones_like) * rates
        old = Joint(self.mean_square)
        new = self.beta_2 * old + (1 - self.beta_2) * xi.scaled(xi)
        game.assign(self.mean_square, new)
        t = self.updates + 1
        game.assign(self.updates, t)

        def inverse(v: Tensor) -> Tensor:
            unbiased = v / (1 - self.beta_2 ** ops.cast(t, v.dtype))
            return 1 / (ops.sqrt(unbiased) + self.epsilon)

        return new.map(inverse) * rates

    def look(self) -> None:
        """Complains of a game that is not zero-sum; warns as its base does."""
        super().look()
        if self.solver == "cg" and self.not_zero_sum.numpy():
            raise ValueError(
                conversation(
                    "The solver 'cg' is for games whose two losses sum to a "
                    "constant.",
                    expected="J_12 = -J_21^T, up to rounding.",
                    received="a game in which they differ.",
                    fix="use `CompetitiveGradient(solver='gmres')`.",
                )
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "adaptive": self.adaptive,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
