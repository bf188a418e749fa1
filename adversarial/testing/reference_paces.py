"""Transcriptions of the rules that say who plays what, and when.

Steps like those of `adversarial.testing.reference_steps`, of other steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from adversarial.testing.linear_game import Array, LinearGame
from adversarial.testing.reference_steps import State, Step, alternating


def phases(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    phases: Sequence[tuple[float, Step]],
) -> tuple[Array, State]:
    """The first step of (n, step) n times, then the second, and so on."""
    number, made = state.get("at", (0, 0))
    while made >= phases[number][0]:
        number, made = number + 1, 0
    before = state.get("inner", {}) if made else {}
    theta, remembered = phases[number][1](game, theta, before)
    return theta, {"at": (number, made + 1), "inner": remembered}


def balanced(
    game: LinearGame,
    theta: Array,
    state: State,
    *,
    inner: Step = alternating,
    skip: Mapping[int, float | tuple[float, int]],
    smoothing: float = 0.0,
) -> tuple[Array, State]:
    """The inner step in a game where those who are winning have no rate.

    i is, if L_i < skip[i], or, where that is (ratio, j), < ratio L_j; unless
    all are. L = smoothing L + (1 - smoothing) losses, first the losses. Only
    for inner steps that use rates for nothing but the move.
    """
    losses = game.losses(theta)
    level: Array = state.get("level", losses)
    level = smoothing * level + (1 - smoothing) * losses
    rests = np.zeros(len(level), bool)
    for i, bound in skip.items():
        if i < len(level):
            if isinstance(bound, tuple):
                bound = bound[0] * level[bound[1]]
            rests[i] = level[i] < bound
    rests &= not rests.all()
    # A rate must be positive; this one moves no number by a bit.
    slow = replace(game, rates=np.where(rests, 1e-300, game.rates))
    theta, remembered = inner(slow, theta, state.get("inner", {}))
    rested = state.get("rested", 0) + rests
    return theta, {"level": level, "rested": rested, "inner": remembered}
