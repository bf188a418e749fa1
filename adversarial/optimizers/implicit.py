"""What strategies with a linear solve have in common."""

from __future__ import annotations

import warnings
from typing import Any

from keras import ops

from adversarial.game import Game
from adversarial.joint import Joint
from adversarial.optimizers.checks import (
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
)
from adversarial.optimizers.direction import Direction
from adversarial.solvers import SOLVERS, Product, Solution


class ImplicitDirection(Direction):
    """A direction that is the solution of a linear system.

    Args:
        solver: One of `SOLVERS`.
        tolerance: The length of the residual in units of that of the right
            side at which the solver stops.
        max_iterations: The number of products after which it stops.
        warm_start: Whether it starts from the last solution.

    Attributes:
        solver_iterations: How many products the last solve took, an integer
            variable.
        solver_residual: The length of the residual that it left, in units of
            that of the right side, a variable.
        unconverged: How many solves have not reached the tolerance, an
            integer variable.
    """

    order = 2
    field_evaluations: float | None = None

    def __init__(
        self,
        solver: str,
        *,
        tolerance: float,
        max_iterations: int,
        warm_start: bool,
    ) -> None:
        super().__init__()
        checked_choice("solver", solver, SOLVERS)
        self.solver = solver
        self.tolerance = checked_number("tolerance", tolerance, least=0)
        self.max_iterations = checked_count(
            "max_iterations", max_iterations, least=1
        )
        self.warm_start = checked_flag("warm_start", warm_start)
        self._warned = False

    def build(self, game: Game) -> None:
        """Makes the memory of the last solution, and the report."""
        if self.warm_start:
            self.solution = self.add_slots(game, "solution")
        self.solver_iterations = self.add_variable(
            (), dtype="int32", name="solver_iterations"
        )
        self.solver_residual = self.add_variable((), name="solver_residual")
        self.unconverged = self.add_variable(
            (), dtype="int32", name="unconverged"
        )

    def solve(self, game: Game, product: Product, right: Joint) -> Joint:
        """Solves A x = b, and reports how it went.

        Where the residual is not finite, neither is x, so that nobody moves;
        and nothing is remembered.
        """
        start = Joint(self.solution).only(right) if self.warm_start else None
        found: Solution = SOLVERS[self.solver](
            game,
            product,
            right,
            start,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
        fine = ops.isfinite(found.residual)
        missed = ops.cast(found.residual > self.tolerance, "int32")
        if self.warm_start:
            game.assign(self.solution, found.x, when=fine)
        for report, value in (
            (self.solver_iterations, found.iterations),
            (self.solver_residual, found.residual),
            (self.unconverged, self.unconverged + missed),
        ):
            game.assign(report, value, when=fine)
        x: Joint = found.x * ops.where(fine, 1.0, float("nan"))
        return x

    def look(self) -> None:
        """Warns once of a solve that did not reach the tolerance."""
        super().look()
        if not self._warned and int(self.unconverged.numpy()):
            self._warned = True
            warnings.warn(
                f"The solver '{self.solver}' of `{type(self).__name__}` "
                f"stopped after {self.max_iterations} iterations with a "
                f"residual of {self.solver_residual.numpy():.1e}, above the "
                f"tolerance {self.tolerance:g}; the last iterate was used. "
                "Raise `max_iterations` or `tolerance`, or lower the learning "
                "rates. `unconverged` counts such solves.",
                stacklevel=2,
            )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "solver": self.solver,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
            "warm_start": self.warm_start,
        }
