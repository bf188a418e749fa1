"""The NumPy references of all strategies, by the strategies' names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adversarial.testing import (
    direction_matrices,
    reference_directions,
    reference_paces,
    reference_steps,
    update_matrices,
)
from adversarial.testing.linear_game import Array, LinearGame
from adversarial.testing.reference_steps import (
    Direction,
    State,
    Step,
    descend,
)
from adversarial.testing.update_matrices import UpdateMatrix

DIRECTIONS: dict[str, Direction] = {
    name: getattr(reference_directions, name)
    for name in (
        "competitive_gradient",
        "consensus",
        "follow_the_ridge",
        "gradient_norm",
        "hamiltonian_descent",
        "jare",
        "lola",
        "odegan_regularizer",
        "policy_prediction",
        "simultaneous",
        "sos",
        "stackelberg_gradient",
        "symplectic_gradient_adjustment",
        "unrolled",
    )
}
"""The rules without a memory: from a game and a point to a direction."""

STEPS: dict[str, Step] = {
    **{name: descend(direction) for name, direction in DIRECTIONS.items()},
    **{
        name: getattr(reference_steps, name)
        for name in (
            "alternating",
            "anderson",
            "averaging",
            "competitive_gradient",
            "extra_gradient",
            "historical_averaging",
            "lead",
            "lookahead",
            "optimistic",
            "prediction",
            "runge_kutta",
            "scheduled",
        )
    },
    "balanced": reference_paces.balanced,
    "phases": reference_paces.phases,
}
"""All rules: from a game, a point and a state to the next two."""

MATRICES: dict[str, Callable[..., UpdateMatrix]] = {
    name: getattr(module, f"matrix_of_{name}")
    for module in (direction_matrices, update_matrices)
    for name in STEPS
    if hasattr(module, f"matrix_of_{name}")
}
"""The update matrices of the rules that have one.

`anderson` is not linear, and a step of `historical_averaging` depends on how
many there were.
"""


def play(step: Step, game: LinearGame, theta: Array, steps: int) -> Array:
    """Plays some steps of a reference from its beginning.

    Args:
        step: A function of `STEPS`, its arguments given with
            `functools.partial`.
        game: The game.
        theta: The point before the first step.
        steps: How many steps.

    Returns:
        The points, of shape `(steps + 1, size)`; the first is `theta`.

    Example:

    >>> import numpy as np
    >>> from functools import partial
    >>> from adversarial.testing import LinearGame, references
    >>> step = partial(references.STEPS["extra_gradient"], lookahead=2.0)
    >>> game = LinearGame.bilinear(0.1)
    >>> points = references.play(step, game, np.array([3.0, 4.0]), 10)
    >>> np.linalg.norm(points, axis=1).round(3)[:3]
    array([5.   , 4.925, 4.852])
    """
    state: State = {}
    points = [np.asarray(theta, "float64")]
    for _ in range(steps):
        theta, state = step(game, points[-1], state)
        points.append(theta)
    return np.stack(points)
