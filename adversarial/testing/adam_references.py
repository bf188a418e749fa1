"""Transcriptions of the strategies with Keras' Adam inside.

They take the game as functions of the joint point, a vector of all
parameters, so that any game with explicit derivatives can be played. All
return the points, of shape `(steps + 1, size)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from adversarial.testing.linear_game import Array

Field = Callable[[Array], Array]
Numbers = Any
BETAS = "float32" if keras.backend.backend() == "tensorflow" else "float64"
"""The precision of what Keras takes powers of."""


class Moments(NamedTuple):
    """The state of Adam: both moments and the number of steps made."""

    m: Array
    v: Array
    t: int


@dataclass(frozen=True)
class Adam:
    """Adam as Keras computes it.

        m <- m + (1 - beta_1) (g - m)
        v <- v + (1 - beta_2) (g^2 - v)
        alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)
        u = -alpha m / (sqrt(v) + epsilon)

    In the powers Keras on TensorFlow has the betas in single precision,
    whatever the precision of the variables, and there so has this.

    Args:
        rate: The learning rate: a number, or one for every parameter.
        beta_1: The decay of the first moment, likewise.
        beta_2: The decay of the second moment, likewise.
        epsilon: What is added to sqrt(v).
    """

    rate: Numbers = 1e-3
    beta_1: Numbers = 0.9
    beta_2: Numbers = 0.999
    epsilon: float = 1e-7

    def start(self, theta: Array) -> Moments:
        """Returns the state before the first step."""
        return Moments(np.zeros_like(theta), np.zeros_like(theta), 0)

    def step(self, g: Array, state: Moments) -> tuple[Array, Moments]:
        """Returns the displacement u for a gradient, and the new state."""
        m = state.m + (1 - self.beta_1) * (g - state.m)
        v = state.v + (1 - self.beta_2) * (g**2 - state.v)
        state = Moments(m, v, state.t + 1)
        u = -self._alpha(state.t) * m / (np.sqrt(v) + self.epsilon)
        return u, state

    def slope(
        self, g: Array, dg: Array, state: Moments, dstate: Moments
    ) -> tuple[Array, Moments]:
        """Returns the derivative of `step`.

        Args:
            g: The gradient.
            dg: Its derivative, one column per variable.
            state: The state before the step.
            dstate: Its derivative, likewise.
        """
        b_1, b_2 = (
            np.atleast_1d(b)[:, None] for b in (self.beta_1, self.beta_2)
        )
        dm = dstate.m + (1 - b_1) * (dg - dstate.m)
        dv = dstate.v + (1 - b_2) * (2 * g[:, None] * dg - dstate.v)
        _, (m, v, t) = self.step(g, state)
        root = np.sqrt(v)[:, None]
        # Where v is zero, so are all gradients so far, and with them dv.
        droot = np.divide(dv, 2 * root, out=np.zeros_like(dv), where=root > 0)
        below = root + self.epsilon
        quotient = dm / below - m[:, None] * droot / below**2
        du = -np.atleast_1d(self._alpha(t))[:, None] * quotient
        return du, Moments(dm, dv, t)

    def _alpha(self, t: int) -> Any:
        b_1, b_2 = (
            np.asarray(b, BETAS).astype("float64") ** t
            for b in (self.beta_1, self.beta_2)
        )
        return self.rate * np.sqrt(1 - b_2) / (1 - b_1)


def simultaneous_adam(
    field: Field, theta: Array, steps: int, *, adam: Adam
) -> Array:
    """Makes steps theta + u(xi(theta))."""
    state, points = adam.start(theta), [theta]
    for _ in range(steps):
        u, state = adam.step(field(points[-1]), state)
        points.append(points[-1] + u)
    return np.stack(points)


def extra_adam(
    field: Field,
    theta: Array,
    steps: int,
    *,
    adam: Adam,
    lookahead: float = 1.0,
    optimizer_state: str = "shared",
) -> Array:
    """Makes theta + u(xi(half)), half = theta + lookahead u(xi(theta)).

    "shared": both half-steps go through one state of Adam; "discard": the
    first one through a copy; "plain": half = theta - lookahead rate xi(theta).
    """
    state, points = adam.start(theta), [theta]
    for _ in range(steps):
        theta = points[-1]
        g = field(theta)
        u, after = adam.step(g, state)
        u, state = {
            "shared": (u, after),
            "discard": (u, state),
            "plain": (-adam.rate * g, state),
        }[optimizer_state]
        u, state = adam.step(field(theta + lookahead * u), state)
        points.append(theta + u)
    return np.stack(points)


def past_extra_adam(
    field: Field,
    theta: Array,
    steps: int,
    *,
    adam: Adam,
    lookahead: float = 1.0,
    optimizer_state: str = "shared",
    halves: bool = False,
) -> Array:
    """Makes theta + u(xi(half)), half made without an evaluation.

    "shared": half = theta + lookahead times the last move; "discard":
    half = theta + lookahead u(xi(last half)), on a copy of the state;
    "plain": half = theta - lookahead rate xi(last half). At first
    half = theta. With `halves`, the half points are returned: the start, and
    after each step the one that the next will use.
    """
    state, points, ahead = adam.start(theta), [theta], [theta]
    for _ in range(steps):
        g = field(ahead[-1])
        u, state = adam.step(g, state)
        points.append(points[-1] + u)
        move = {
            "shared": points[-1] - points[-2],
            "discard": adam.step(g, state)[0],
            "plain": -adam.rate * g,
        }[optimizer_state]
        ahead.append(points[-1] + lookahead * move)
    return np.stack(ahead if halves else points)


def optimistic_adam(
    field: Field,
    theta: Array,
    steps: int,
    *,
    adam: Adam,
    strength: float = 1.0,
) -> Array:
    """Makes theta + u + strength (u - u before), at first with u before = u."""
    state, points = adam.start(theta), [theta]
    before: Array | None = None
    for _ in range(steps):
        u, state = adam.step(field(points[-1]), state)
        before = u if before is None else before
        points.append(points[-1] + u + strength * (u - before))
        before = u
    return np.stack(points)


def unrolled_adam(
    gradients: Field,
    jacobian: Field,
    theta: Array,
    steps: int,
    *,
    blocks: Sequence[int],
    adam: Adam,
    depth: int | Mapping[int, int] = 5,
    through: bool = True,
) -> Array:
    """Each player against opponents that are some steps of Adam ahead.

    The opponents' virtual steps start at their real state of Adam. With
    `through`, the derivative by theta_i of their parameters and of both
    moments is carried along, so that the total derivative is exact.

    Args:
        gradients: Returns the gradient of each loss by all parameters, of
            shape `(players, size)`.
        jacobian: Returns the Jacobian of the field.
        theta: The point before the first step.
        steps: How many steps.
        blocks: The number of parameters of each player.
        adam: The optimizer of all players.
        depth: The number of virtual steps, or a dict of them by player.
        through: Whether to differentiate through the virtual steps.
    """
    edges = np.cumsum([0, *blocks]).tolist()
    parts = list(map(slice, edges[:-1], edges[1:]))

    def field(x: Array) -> Array:
        rows = gradients(x)
        return np.concatenate([rows[i][part] for i, part in enumerate(parts)])

    state, points = adam.start(theta), [theta]
    for _ in range(steps):
        g = []
        for i, part in enumerate(parts):
            K = depth.get(i, 0) if isinstance(depth, Mapping) else depth
            x, slope = _ahead(field, jacobian, points[-1], part, adam, state, K)
            total = gradients(x)[i]
            g.append(slope.T @ total if through else total[part])
        u, state = adam.step(np.concatenate(g), state)
        points.append(points[-1] + u)
    return np.stack(points)


def _ahead(
    field: Field,
    jacobian: Field,
    x: Array,
    mine: slice,
    adam: Adam,
    state: Moments,
    depth: int,
) -> tuple[Array, Array]:
    """The point after virtual steps of the others; its slope by mine."""
    others = np.ones(len(x))
    others[mine] = 0.0
    slope = np.eye(len(x))[:, mine]
    dstate = Moments(np.zeros_like(slope), np.zeros_like(slope), 0)
    for _ in range(depth):
        g, dg = field(x), jacobian(x) @ slope
        du, dstate = adam.slope(g, dg, state, dstate)
        u, state = adam.step(g, state)
        x, slope = x + others * u, slope + others[:, None] * du
    return x, slope
