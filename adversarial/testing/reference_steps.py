"""Transcriptions of the rules with a memory, and of the wrappers.

Each function makes one step of the players on a `LinearGame`:

    theta, state = step(game, theta, state, **arguments)

`state` is a dict of what the rule remembers, `{}` before the first step; a
step returns a new one. Wrappers take another such function as `inner`, and
`functools.partial` gives it its arguments. Rules without a memory are made of
their direction by `descend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adversarial.testing.linear_game import Array, LinearGame
from adversarial.testing.reference_directions import (
    answered,
    simultaneous as field,
)

State = dict[str, Any]
Direction = Callable[..., Array]
Step = Callable[..., tuple[Array, State]]

TABLEAUS: dict[str, tuple[list[list[float]], list[float]]] = {
    "euler": ([[0.0]], [1.0]),
    "midpoint": ([[0.0, 0.0], [0.5, 0.0]], [0.0, 1.0]),
    "heun": ([[0.0, 0.0], [1.0, 0.0]], [0.5, 0.5]),
    "rk4": (
        [
            [0.0, 0.0, 0.0, 0.0],
            [0.5, 0.0, 0.0, 0.0],
            [0.0, 0.5, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
        ],
        [1 / 6, 1 / 3, 1 / 3, 1 / 6],
    ),
}


def descend(direction: Direction) -> Step:
    """Makes the step theta_i - rate_i g_i, for all players at once."""

    def step(
        game: LinearGame, theta: Array, state: State, **arguments: Any
    ) -> tuple[Array, State]:
        return _moved(game, theta, direction(game, theta, **arguments)), state

    step.__doc__ = direction.__doc__
    return step


simultaneous = descend(field)


def alternating(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    order: Sequence[int] | None = None,
    steps: Mapping[int, int] | None = None,
) -> tuple[Array, State]:
    """In order, steps[i] times: theta_i - rate_i xi_i(the latest theta)."""
    parts = game.split(theta)
    for i in game.players if order is None else order:
        for _ in range((steps or {}).get(i, 1)):
            gradient = game.gradient(i, np.concatenate(parts))
            parts[i] = parts[i] - game.rates[i] * gradient
    return np.concatenate(parts), state


def scheduled(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    schedule: Sequence[Sequence[int]],
) -> tuple[Array, State]:
    """At step t the players in schedule[t mod length] step at once."""
    t = state.get("t", 0)
    parts = game.split(theta)
    for i in schedule[t % len(schedule)]:
        parts[i] = parts[i] - game.rates[i] * game.gradient(i, theta)
    return np.concatenate(parts), {"t": t + 1}


def extra_gradient(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    lookahead: float = 1.0,
    reuse_past: bool = False,
    optimizer_state: str = "shared",
    fresh_batch: bool = False,
    inner: Direction = field,
) -> tuple[Array, State]:
    """Makes theta - rate xi(half), half = theta - lookahead rate xi(theta).

    xi is the field, or the direction `inner` in its place.

    With `reuse_past`, half = theta - lookahead rate xi(last half), or theta
    in the first step; "shared" takes it from the last move of theta. What it
    will be in the next step, if nobody else moves theta, is state["half"].
    With `fresh_batch`, even steps only make the half point, odd ones move.
    """
    if fresh_batch and reuse_past:
        raise ValueError("With `reuse_past` there is no second evaluation.")

    def ahead(theta: Array, before: Array, g: Array) -> Array:
        move = {
            "shared": theta - before,
            "discard": _moved(game, theta, g) - theta,
            "plain": _moved(game, theta, g) - theta,
        }[optimizer_state]
        return theta + lookahead * move

    if not reuse_past and "half" not in state:
        g = inner(game, theta)
        half = theta + lookahead * (_moved(game, theta, g) - theta)
        if fresh_batch:
            return theta, {"half": half}
    elif not reuse_past:
        half = state["half"]
    else:
        start = (theta, np.zeros_like(theta))
        half = ahead(theta, *state.get("last", start))
    g = inner(game, half)
    moved = _moved(game, theta, g)
    if not reuse_past:
        return moved, {}
    return moved, {"last": (theta, g), "half": ahead(moved, theta, g)}


def optimistic(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = simultaneous,
    strength: float = 1.0,
) -> tuple[Array, State]:
    """Makes theta + u + strength (u - u_before), u the move of the inner step.

    In the first step u_before is u.
    """
    moved, remembered = inner(game, theta, state.get("inner", {}))
    u = moved - theta
    before = state.get("u", u)
    return theta + u + strength * (u - before), {"u": u, "inner": remembered}


def prediction(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    order: Sequence[int] | None = None,
    two_sided: bool = False,
) -> tuple[Array, State]:
    """In order, against opponents that are predicted to go on.

    theta_i <- theta_i - rate_i xi_i(theta_i, predicted others), where who has
    moved in this step is predicted at theta_j + (theta_j - theta_j before),
    and who has not stands where it is, or with `two_sided` is predicted with
    its move of the last step.
    """
    last = game.split(state.get("u", np.zeros_like(theta)))
    start, parts = game.split(theta), game.split(theta)
    moved: set[int] = set()
    for i in game.players if order is None else order:
        predicted = list(parts)
        for j in game.players:
            if j in moved:
                predicted[j] = parts[j] + (parts[j] - start[j])
            elif j != i and two_sided:
                predicted[j] = parts[j] + last[j]
        gradient = game.gradient(i, np.concatenate(predicted))
        parts[i] = parts[i] - game.rates[i] * gradient
        moved.add(i)
    after = np.concatenate(parts)
    return after, {"u": after - theta}


def runge_kutta(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    tableau: str | tuple[Any, Any] = "rk4",
    inner: Direction = field,
) -> tuple[Array, State]:
    """Makes theta - rate sum_k b_k g_k, an explicit Runge-Kutta step of all.

    g_k is the direction `inner` at theta - rate sum_{j < k} a_kj g_j.
    """
    a, b = TABLEAUS[tableau] if isinstance(tableau, str) else tableau
    stages: list[Array] = []
    for k in range(len(b)):
        slope = np.zeros_like(theta)
        for j in range(k):
            slope = slope + a[k][j] * stages[j]
        stages.append(inner(game, _moved(game, theta, slope)))
    mean = np.zeros_like(theta)
    for weight, stage in zip(b, stages, strict=True):
        mean = mean + weight * stage
    return _moved(game, theta, mean), state


def lead(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    strength: float = 0.01,
) -> tuple[Array, State]:
    """g_i = xi_i + strength / rate_i sum_{j != i} (d_j xi_i) u_j.

    u is the last move of theta, zero in the first step.
    """
    last = game.split(theta - state.get("before", theta))
    g = game.split(field(game, theta))
    for i in game.players:
        for j in game.players:
            if j != i:
                change = game.hessian(i, i, j) @ last[j]
                g[i] += strength / game.rates[i] * change
    return _moved(game, theta, np.concatenate(g)), {"before": theta}


def competitive_gradient(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    adaptive: bool = False,
    beta_2: float = 0.99,
    epsilon: float = 1e-5,
) -> tuple[Array, State]:
    """Makes theta + Delta, where the players' steps answer each other.

    Delta_i = -d_i (xi_i + sum_{j != i} (d_j xi_i) Delta_j), where d_i is
    rate_i, or, if `adaptive`, rate_i / (sqrt(v_i / (1 - beta_2^t)) + epsilon)
    entry by entry, with v <- beta_2 v + (1 - beta_2) xi^2.
    """
    xi = field(game, theta)
    d = np.repeat(game.rates, game.blocks)
    if adaptive:
        t = state.get("t", 0) + 1
        v = state.get("v", np.zeros_like(theta))
        v = beta_2 * v + (1 - beta_2) * xi**2
        d = d / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        state = {"t": t, "v": v}
    delta = answered(game, game.split(xi), game.split(d))
    return theta + np.concatenate(delta), state


def lookahead(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = alternating,
    period: int = 5,
    step: float = 0.5,
) -> tuple[Array, State]:
    """After every period steps: phi <- phi + step (theta - phi) -> theta.

    phi starts at the theta before the first step. If `inner` is of this kind,
    its phi becomes this one too.
    """
    phi, t = state.get("phi", theta), state.get("t", 0) + 1
    theta, remembered = inner(game, theta, state.get("inner", {}))
    if t % period == 0:
        phi = phi + step * (theta - phi)
        theta = phi
        below = remembered
        while below:
            if "phi" in below:
                below["phi"] = phi
            below = below.get("inner", {})
    return theta, {"phi": phi, "t": t, "inner": remembered}


def averaging(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = alternating,
    kind: str = "ema",
    decay: float = 0.999,
) -> tuple[Array, State]:
    """The inner step; state["average"] is the average of the points.

    "ema": avg <- decay avg + (1 - decay) theta, from the theta before the
    first step. "uniform": the mean of the points after each step.
    """
    t = state.get("t", 0) + 1
    average = state.get("average", theta)
    theta, remembered = inner(game, theta, state.get("inner", {}))
    keep = {"ema": decay, "uniform": (t - 1) / t}[kind]
    average = keep * average + (1 - keep) * theta
    return theta, {"average": average, "t": t, "inner": remembered}


def historical_averaging(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = alternating,
    strength: float = 0.1,
) -> tuple[Array, State]:
    """The inner step in a game whose losses have a quadratic term more.

    It is strength |theta_i - mean_i|^2, that of the mean of the points before
    this one: theta^T Q_i theta / 2 + b_i^T theta gets 2 strength on the own
    diagonal of Q_i and -2 strength mean_i in the own part of b_i.
    """
    past = [*state.get("past", []), theta]
    mean = np.mean(past[:-1] or past, axis=0)
    matrices, vectors = game.matrices.copy(), game.vectors.copy()
    for i, part in enumerate(game.slices):
        matrices[i][part, part] += 2 * strength * np.eye(game.blocks[i])
        vectors[i][part] -= 2 * strength * mean[part]
    drawn = replace(game, matrices=matrices, vectors=vectors)
    theta, remembered = inner(drawn, theta, state.get("inner", {}))
    return theta, {"past": past, "inner": remembered}


def anderson(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = alternating,
    memory: int = 2,
    regularization: float = 1e-10,
) -> tuple[Array, State]:
    """g(theta) - dG gamma, with g the inner step and r = g(theta) - theta.

    gamma minimises |r - dR gamma|^2 + mu |gamma|^2, with the columns of dX
    and dR the last `memory` differences of theta and r, dG = dX + dR, and
    mu = regularization (|dX|^2 + |dR|^2) in Frobenius norms.
    """
    moved, remembered = inner(game, theta, state.get("inner", {}))
    r = moved - theta
    points = [*state.get("points", []), theta][-memory - 1 :]
    residuals = [*state.get("residuals", []), r][-memory - 1 :]
    kept = {"points": points, "residuals": residuals, "inner": remembered}
    if len(points) < 2:
        return moved, kept
    dx = np.diff(np.stack(points, axis=1), axis=1)
    dr = np.diff(np.stack(residuals, axis=1), axis=1)
    mu = regularization * (np.sum(dx**2) + np.sum(dr**2))
    # The same minimum as that of the normal equations, at half the digits
    # lost.
    columns = dr.shape[1]
    rows = np.concatenate([dr, np.sqrt(mu) * np.eye(columns)])
    right = np.concatenate([r, np.zeros(columns)])
    gamma = np.linalg.lstsq(rows, right)[0]
    return moved - (dx + dr) @ gamma, kept


def _moved(game: LinearGame, theta: Array, g: Array) -> Array:
    """theta_i - rate_i g_i for all players."""
    pairs = zip(game.split(theta), game.rates, game.split(g), strict=True)
    return np.concatenate([x - rate * y for x, rate, y in pairs])
